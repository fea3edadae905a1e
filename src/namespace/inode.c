/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inodes that the kernel knows.
 *
 * A nodeid is the sequence number of a slot and the slot, so finding its
 * record is arithmetic. The other direction, from a file handle to the slot,
 * is the index (index.h).
 *
 * The kernel keeps a request's inode alive, so a record cannot go while an
 * operation uses it; the counts of lookups decide, under the index's mutex.
 */
#include "namespace/inode.h"

#include "base/descriptors.h"
#include "namespace/index.h"
#include "namespace/journal.h"
#include "namespace/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define NR_LOCKS 256

struct inodes {
	struct table *table;
	int root_fd;
	pthread_mutex_t mutex; /* the index, lookup counts */
	struct inode_index index;
	struct mapped *mapped; /* files that are mapped and were forgotten */
	unsigned nr_kept;      /* that mutex; fds kept of other than files */
	unsigned max_kept;
	pthread_mutex_t locks[NR_LOCKS]; /* inode_lock(), by slot */
};

static uint32_t slot_of(uint64_t nodeid)
{
	return (uint32_t) nodeid;
}

static uint64_t state_of(uint64_t sequence, uint64_t word)
{
	return sequence << 32 | word;
}

static uint64_t nodeid_of(const struct table_record *record, uint32_t slot)
{
	return atomic_load(&record->state) >> 32 << 32 | slot;
}

/* Empties what is known of a slot's inode; returns the fd that it had. */
static int inode_reset(struct inodes *inodes, uint32_t slot)
{
	pthread_mutex_t *lock = &inodes->locks[slot % NR_LOCKS];
	int fd;

	pthread_mutex_lock(lock);
	fd = inodes->index.inodes[slot].fd;
	inodes->index.inodes[slot] = (struct inode){ .fd = -1 };
	pthread_mutex_unlock(lock);
	return fd;
}

/* Fills a new record, all but its state word, which goes last. */
static void record_fill(struct table_record *record,
			const struct backing_handle *handle,
			const struct stat *st)
{
	atomic_store(&record->nlookup, 1);
	atomic_store(&record->backing_id, 0);
	atomic_store(&record->nopen, 0);
	atomic_store(&record->nwriters, 0);
	atomic_store(&record->has_attr, 0);
	record->ino = st->st_ino;
	record->handle = *handle;
	record->mode = st->st_mode & S_IFMT;
}

static int intern_new(struct inodes *inodes,
		      const struct backing_handle *handle,
		      const struct stat *st, uint64_t *nodeid)
{
	struct table_record *record;
	uint64_t sequence;
	int ret = 0;
	uint32_t slot = index_take(&inodes->index, &ret);

	if (!slot)
		return ret;
	record = table_record(inodes->table, slot);
	sequence = atomic_load(&record->state) >> 32;
	inode_reset(inodes, slot);
	record_fill(record, handle, st);
	*nodeid = sequence << 32 | slot;
	journal_set(&record->state, state_of(sequence, TABLE_IN_USE));
	journal_count(*nodeid);
	journal_commit();
	index_add(&inodes->index, slot);
	return 0;
}

static int intern_handle(struct inodes *inodes,
			 const struct backing_handle *handle,
			 const struct stat *st, uint64_t *nodeid)
{
	uint32_t slot;
	int ret = 0;

	pthread_mutex_lock(&inodes->mutex);
	slot = index_find(&inodes->index, st->st_ino, handle);
	if (slot) {
		struct table_record *record = table_record(inodes->table, slot);

		*nodeid = nodeid_of(record, slot);
		journal_set(&record->nlookup,
			    atomic_load(&record->nlookup) + 1);
		journal_count(*nodeid);
		journal_commit();
	} else {
		ret = intern_new(inodes, handle, st, nodeid);
	}
	pthread_mutex_unlock(&inodes->mutex);
	return ret;
}

int inode_intern(struct inodes *inodes, int fd, const struct stat *st,
		 uint64_t *nodeid)
{
	struct backing_handle handle;
	int ret = backing_handle_of(fd, &handle);

	return ret ? ret : intern_handle(inodes, &handle, st, nodeid);
}

int inode_known(struct inodes *inodes, int fd, const struct stat *st,
		uint64_t *nodeid)
{
	struct backing_handle handle;
	int ret = backing_handle_of(fd, &handle);
	uint32_t slot;

	*nodeid = 0;
	if (ret)
		return ret;
	pthread_mutex_lock(&inodes->mutex);
	slot = index_find(&inodes->index, st->st_ino, &handle);
	if (slot)
		*nodeid = nodeid_of(table_record(inodes->table, slot), slot);
	pthread_mutex_unlock(&inodes->mutex);
	return 0;
}

struct table_record *inode_record(struct inodes *inodes, uint64_t nodeid)
{
	uint32_t slot = slot_of(nodeid);
	struct table_record *record;

	if (!slot || slot >= table_nr_slots(inodes->table))
		return NULL;
	record = table_record(inodes->table, slot);
	if (atomic_load(&record->state) != state_of(nodeid >> 32, TABLE_IN_USE))
		return NULL;
	return record;
}

struct inode *inode_find(struct inodes *inodes, uint64_t nodeid)
{
	if (!inode_record(inodes, nodeid))
		return NULL;
	return &inodes->index.inodes[slot_of(nodeid)];
}

/* What there was beside the record of an inode that is forgotten. */
struct forgotten {
	struct backing_handle handle;
	uint64_t ino;
	uint64_t backing_id;
	bool was_opened;
	int fd;
};

/* Ends a record that nobody refers to any more. Under the index's mutex. */
static void record_end(struct inodes *inodes, uint32_t slot,
		       struct table_record *record, struct forgotten *forgotten)
{
	uint64_t sequence = atomic_load(&record->state) >> 32;

	forgotten->handle = record->handle;
	forgotten->ino = record->ino;
	forgotten->backing_id = atomic_load(&record->backing_id);
	forgotten->was_opened = inodes->index.inodes[slot].was_opened;
	index_remove(&inodes->index, slot);
	forgotten->fd = inode_reset(inodes, slot);
	if (forgotten->fd >= 0 && !S_ISREG(record->mode))
		inodes->nr_kept--;
	if (forgotten->backing_id) {
		journal_set(&record->backing_id, 0);
		journal_set_closing(forgotten->backing_id);
	}
	journal_set(&record->state, state_of(sequence + 1, TABLE_FREE));
	journal_commit();
	index_give_back(&inodes->index, slot);
}

uint64_t inode_forget(struct inodes *inodes, uint64_t nodeid, uint64_t nlookup)
{
	struct forgotten forgotten = { .fd = -1 };
	struct table_record *record;
	uint32_t slot = slot_of(nodeid);
	uint64_t had;

	pthread_mutex_lock(&inodes->mutex);
	record = inode_record(inodes, nodeid);
	if (record && slot != TABLE_ROOT_SLOT) {
		had = atomic_load(&record->nlookup);
		if (had > nlookup)
			journal_set(&record->nlookup, had - nlookup);
		else
			record_end(inodes, slot, record, &forgotten);
	}
	journal_commit();
	pthread_mutex_unlock(&inodes->mutex);
	/* before the fd goes that may be all that keeps the inode */
	if (forgotten.was_opened)
		mapped_add(inodes->mapped, forgotten.ino, &forgotten.handle);
	if (forgotten.fd >= 0)
		close(forgotten.fd);
	return forgotten.backing_id;
}

int inode_open(struct inodes *inodes, uint64_t nodeid, int flags)
{
	struct table_record *record = inode_record(inodes, nodeid);

	if (!record)
		return -ESTALE;
	/* of a device or a FIFO that would be more than to look at it */
	if (!(flags & O_PATH) && !S_ISREG(record->mode) &&
	    !S_ISDIR(record->mode))
		return -EINVAL;
	return backing_handle_open(inodes->root_fd, &record->handle, flags);
}

int inode_open_ino(struct inodes *inodes, uint64_t ino, int flags)
{
	struct backing_handle handle;
	bool found = false;
	uint32_t slot;

	pthread_mutex_lock(&inodes->mutex);
	slot = index_find(&inodes->index, ino, NULL);
	if (slot) {
		struct table_record *record = table_record(inodes->table, slot);

		found = S_ISREG(record->mode);
		handle = record->handle;
	}
	pthread_mutex_unlock(&inodes->mutex);
	if (!found && mapped_find(inodes->mapped, ino, &handle))
		return -ENOENT;
	return backing_handle_open(inodes->root_fd, &handle, flags);
}

int inodes_next_file(struct inodes *inodes, uint64_t *cursor, uint64_t *ino)
{
	struct table_record *record;
	int ret = -ENOENT;
	uint32_t slot;

	pthread_mutex_lock(&inodes->mutex);
	for (slot = (uint32_t) *cursor; ret && slot < inodes->index.fresh_slot;
	     slot++) {
		record = table_record(inodes->table, slot);
		if (!slot || !table_record_is_used(record) ||
		    !S_ISREG(record->mode))
			continue;
		*ino = record->ino;
		ret = 0;
	}
	pthread_mutex_unlock(&inodes->mutex);
	*cursor = slot;
	return ret;
}

/*
 * Whether there is room for one more fd. What users have removed and still open
 * may be any number: of other than files the rest has its attributes in the
 * table, as it would have when this process died. Under the index's mutex.
 */
static bool may_keep(struct inodes *inodes, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return true;
	if (inodes->nr_kept >= inodes->max_kept)
		return false;
	inodes->nr_kept++;
	return true;
}

void inode_unlinked(struct inodes *inodes, int fd)
{
	struct backing_handle handle;
	struct stat st;
	uint32_t slot;

	if (fstat(fd, &st) || st.st_nlink ||
	    backing_handle_of(fd, &handle))
		goto out_close;
	pthread_mutex_lock(&inodes->mutex);
	slot = index_find(&inodes->index, st.st_ino, &handle);
	if (slot) {
		struct table_record *record = table_record(inodes->table, slot);
		struct inode *inode = &inodes->index.inodes[slot];

		pthread_mutex_lock(&inodes->locks[slot % NR_LOCKS]);
		if (inode->fd < 0 && !atomic_load(&record->backing_id) &&
		    may_keep(inodes, &st)) {
			inode->fd = fd;
			fd = -1;
		}
		pthread_mutex_unlock(&inodes->locks[slot % NR_LOCKS]);
	}
	pthread_mutex_unlock(&inodes->mutex);
out_close:
	if (fd >= 0)
		close(fd);
}

void inode_lock(struct inodes *inodes, uint64_t nodeid)
{
	pthread_mutex_lock(&inodes->locks[slot_of(nodeid) % NR_LOCKS]);
}

void inode_unlock(struct inodes *inodes, uint64_t nodeid)
{
	pthread_mutex_unlock(&inodes->locks[slot_of(nodeid) % NR_LOCKS]);
}

uint64_t inodes_next(struct inodes *inodes, uint64_t *cursor)
{
	while (*cursor < inodes->index.fresh_slot) {
		uint32_t slot = (uint32_t) (*cursor)++;

		if (slot && table_record_is_used(table_record(inodes->table, slot)))
			return nodeid_of(table_record(inodes->table, slot),
					 slot);
	}
	return 0;
}

uint64_t inodes_count(struct inodes *inodes)
{
	uint64_t count;

	pthread_mutex_lock(&inodes->mutex);
	count = inodes->index.count;
	pthread_mutex_unlock(&inodes->mutex);
	return count;
}

static int enter_root(struct inodes *inodes)
{
	struct table_record *record = inode_record(inodes, TABLE_ROOT_SLOT);
	struct backing_handle handle;
	uint64_t nodeid;
	struct stat st;
	int ret;

	if (record) {
		ret = backing_handle_of(inodes->root_fd, &handle);
		if (!ret && !backing_handle_is_equal(&record->handle, &handle))
			ret = -EUCLEAN;
		return ret;
	}
	if (fstat(inodes->root_fd, &st))
		return -errno;
	ret = inode_intern(inodes, inodes->root_fd, &st, &nodeid);
	if (!ret && nodeid != TABLE_ROOT_SLOT)
		return -EUCLEAN;
	return ret;
}

int inodes_open(struct inodes **out, struct table *table, int root_fd)
{
	struct inodes *inodes = calloc(1, sizeof(*inodes));
	int ret;

	if (!inodes)
		return -ENOMEM;
	inodes->table = table;
	inodes->root_fd = root_fd;
	inodes->max_kept = descriptors_share();
	ret = mapped_open(&inodes->mapped, root_fd);
	if (ret)
		goto err_free;
	pthread_mutex_init(&inodes->mutex, NULL);
	for (unsigned i = 0; i < NR_LOCKS; i++)
		pthread_mutex_init(&inodes->locks[i], NULL);
	journal_redo(table_journal(table), table_nr_journal(table));
	ret = index_open(&inodes->index, table);
	if (ret)
		goto err_mapped;
	ret = enter_root(inodes);
	if (ret)
		goto err_index;
	*out = inodes;
	return 0;

err_index:
	index_close(&inodes->index);
err_mapped:
	mapped_close(inodes->mapped);
err_free:
	free(inodes);
	return ret;
}

void inodes_lock_memory(const struct inodes *inodes)
{
	index_lock_memory(&inodes->index);
}

void inodes_close(struct inodes *inodes)
{
	struct inode_index *index = &inodes->index;

	for (uint32_t slot = TABLE_ROOT_SLOT; slot < index->fresh_slot; slot++)
		if (table_record_is_used(table_record(inodes->table, slot)) &&
		    index->inodes[slot].fd >= 0)
			close(index->inodes[slot].fd);
	mapped_close(inodes->mapped);
	index_close(index);
	free(inodes);
}

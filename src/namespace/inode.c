/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index over the inode table.
 *
 * A nodeid is the sequence number of a slot and the slot, so finding its
 * record is arithmetic. The other direction, from a file handle to the slot,
 * is a hash by inode number of chains through the private array, which is
 * address space reserved for every slot and backed by memory only where slots
 * are in use. Hard links come to one record because their handle is the same.
 *
 * The kernel keeps a request's inode alive, so a record cannot go while an
 * operation uses it; the counts of lookups decide, under the index's mutex.
 */
#include "namespace/inode.h"

#include "namespace/journal.h"
#include "namespace/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memlock.h"

/*
 * The memory of slots in use is locked, so many slots at a time, and no more
 * than these: 144 bytes each.
 */
#define LOCK_SLOTS UINT32_C(1024)
#define LOCK_MAX_SLOTS (UINT32_C(1) << 21)

_Static_assert(LOCK_SLOTS * sizeof(struct inode) % 4096 == 0 &&
		       LOCK_MAX_SLOTS % LOCK_SLOTS == 0,
	       "whole pages are locked");

#define NR_LOCKS 256
#define FIRST_BUCKETS 4096u

struct inodes {
	struct table *table;
	int root_fd;
	struct inode *inodes; /* TABLE_NR_SLOTS of them, mostly untouched */
	pthread_mutex_t mutex; /* the fields below, chains, lookup counts */
	uint32_t *buckets;
	uint32_t nr_buckets; /* a power of two */
	uint32_t free_slot;  /* head of the chain of free slots, 0 is none */
	uint32_t fresh_slot; /* slots from here on were never looked at */
	uint32_t locked_slot; /* nor is the memory of those from here locked */
	uint64_t count;
	struct mapped *mapped; /* files that are mapped and were forgotten */
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

static uint32_t *bucket_of(struct inodes *inodes, uint64_t ino)
{
	uint64_t hash = ino * UINT64_C(0x9e3779b97f4a7c15);

	return &inodes->buckets[hash >> 32 & (inodes->nr_buckets - 1)];
}

static void chain_add(struct inodes *inodes, uint32_t slot)
{
	struct table_record *record = table_record(inodes->table, slot);
	uint32_t *bucket = bucket_of(inodes, record->ino);

	inodes->inodes[slot].chain = *bucket;
	*bucket = slot;
}

static void chain_remove(struct inodes *inodes, uint32_t slot)
{
	struct table_record *record = table_record(inodes->table, slot);
	uint32_t *at = bucket_of(inodes, record->ino);

	while (*at != slot)
		at = &inodes->inodes[*at].chain;
	*at = inodes->inodes[slot].chain;
}

/* The slot of an inode, with a handle or with whichever; 0 when none has it. */
static uint32_t chain_find(struct inodes *inodes, uint64_t ino,
			   const struct backing_handle *handle)
{
	uint32_t slot = *bucket_of(inodes, ino);
	struct table_record *record;

	for (; slot; slot = inodes->inodes[slot].chain) {
		record = table_record(inodes->table, slot);
		if (record->ino == ino &&
		    (!handle ||
		     backing_handle_is_equal(&record->handle, handle)))
			return slot;
	}
	return 0;
}

static bool record_is_used(const struct table_record *record)
{
	return (uint32_t) atomic_load(&record->state) == TABLE_IN_USE;
}

/* Doubles the buckets. Without memory the chains just stay longer. */
static void buckets_grow(struct inodes *inodes)
{
	uint32_t *old = inodes->buckets;
	uint32_t *wider = calloc((size_t) inodes->nr_buckets * 2,
				 sizeof(*wider));

	if (!wider)
		return;
	inodes->buckets = wider;
	inodes->nr_buckets *= 2;
	if (inodes->nr_buckets <= LOCK_MAX_SLOTS)
		memlock_range(wider, inodes->nr_buckets * sizeof(*wider));
	free(old);
	for (uint32_t slot = 1; slot < inodes->fresh_slot; slot++)
		if (record_is_used(table_record(inodes->table, slot)))
			chain_add(inodes, slot);
}

/* Empties what is known of a slot's inode; returns the fd that it had. */
static int inode_reset(struct inodes *inodes, uint32_t slot)
{
	pthread_mutex_t *lock = &inodes->locks[slot % NR_LOCKS];
	int fd;

	pthread_mutex_lock(lock);
	fd = inodes->inodes[slot].fd;
	inodes->inodes[slot] = (struct inode){ .fd = -1 };
	pthread_mutex_unlock(lock);
	return fd;
}

/* Locks the memory of the slots up to the fresh ones. Under the mutex. */
static void lock_slots(struct inodes *inodes)
{
	uint32_t from = inodes->locked_slot, to = inodes->fresh_slot;

	to = (to + LOCK_SLOTS - 1) / LOCK_SLOTS * LOCK_SLOTS;
	if (to > LOCK_MAX_SLOTS)
		to = LOCK_MAX_SLOTS;
	if (to <= from)
		return;
	memlock_range(table_record(inodes->table, from),
		      (to - from) * sizeof(struct table_record));
	memlock_range(&inodes->inodes[from],
		      (to - from) * sizeof(*inodes->inodes));
	inodes->locked_slot = to;
}

/* A free slot, in no chain any more; or 0 with *ret set. */
static uint32_t slot_take(struct inodes *inodes, int *ret)
{
	uint32_t slot = inodes->free_slot;

	if (slot) {
		inodes->free_slot = inodes->inodes[slot].chain;
		return slot;
	}
	if (inodes->fresh_slot >= table_nr_slots(inodes->table)) {
		*ret = table_grow(inodes->table);
		if (*ret)
			return 0;
	}
	slot = inodes->fresh_slot++;
	lock_slots(inodes);
	return slot;
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
	uint32_t slot = slot_take(inodes, &ret);

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
	chain_add(inodes, slot);
	if (++inodes->count > inodes->nr_buckets)
		buckets_grow(inodes);
	return 0;
}

static int intern_handle(struct inodes *inodes,
			 const struct backing_handle *handle,
			 const struct stat *st, uint64_t *nodeid)
{
	uint32_t slot;
	int ret = 0;

	pthread_mutex_lock(&inodes->mutex);
	slot = chain_find(inodes, st->st_ino, handle);
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
	slot = chain_find(inodes, st->st_ino, &handle);
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
	return &inodes->inodes[slot_of(nodeid)];
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
	forgotten->was_opened = inodes->inodes[slot].was_opened;
	chain_remove(inodes, slot);
	forgotten->fd = inode_reset(inodes, slot);
	if (forgotten->backing_id) {
		journal_set(&record->backing_id, 0);
		journal_set_closing(forgotten->backing_id);
	}
	journal_set(&record->state, state_of(sequence + 1, TABLE_FREE));
	journal_commit();
	inodes->inodes[slot].chain = inodes->free_slot;
	inodes->free_slot = slot;
	inodes->count--;
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
	return backing_handle_open(inodes->root_fd, &record->handle, flags);
}

int inode_open_ino(struct inodes *inodes, uint64_t ino, int flags)
{
	struct backing_handle handle;
	bool found = false;
	uint32_t slot;

	pthread_mutex_lock(&inodes->mutex);
	slot = chain_find(inodes, ino, NULL);
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
	for (slot = (uint32_t) *cursor; ret && slot < inodes->fresh_slot;
	     slot++) {
		record = table_record(inodes->table, slot);
		if (!slot || !record_is_used(record) ||
		    !S_ISREG(record->mode))
			continue;
		*ino = record->ino;
		ret = 0;
	}
	pthread_mutex_unlock(&inodes->mutex);
	*cursor = slot;
	return ret;
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
	slot = chain_find(inodes, st.st_ino, &handle);
	if (slot) {
		struct table_record *record = table_record(inodes->table, slot);
		struct inode *inode = &inodes->inodes[slot];

		pthread_mutex_lock(&inodes->locks[slot % NR_LOCKS]);
		if (inode->fd < 0 && !atomic_load(&record->backing_id)) {
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
	while (*cursor < inodes->fresh_slot) {
		uint32_t slot = (uint32_t) (*cursor)++;

		if (slot && record_is_used(table_record(inodes->table, slot)))
			return nodeid_of(table_record(inodes->table, slot),
					 slot);
	}
	return 0;
}

uint64_t inodes_count(struct inodes *inodes)
{
	uint64_t count;

	pthread_mutex_lock(&inodes->mutex);
	count = inodes->count;
	pthread_mutex_unlock(&inodes->mutex);
	return count;
}

/* What may be said of an inode of which nothing but its record is known. */
static void index_used(struct inodes *inodes, uint32_t slot)
{
	bool is_file = S_ISREG(table_record(inodes->table, slot)->mode);

	inode_reset(inodes, slot);
	inodes->inodes[slot].maybe_mapped = is_file;
	inodes->inodes[slot].was_opened = is_file;
	inodes->inodes[slot].attr_cached = true;
	chain_add(inodes, slot);
	if (++inodes->count > inodes->nr_buckets)
		buckets_grow(inodes);
}

static void index_free(struct inodes *inodes, uint32_t slot)
{
	inodes->inodes[slot].chain = inodes->free_slot;
	inodes->free_slot = slot;
}

/*
 * Rebuilds chains from the records of a table that was in use before. Returns 0
 * or -EUCLEAN.
 */
static int index_records(struct inodes *inodes)
{
	uint32_t nr = table_nr_slots(inodes->table);

	for (uint32_t slot = TABLE_ROOT_SLOT; slot < nr; slot++) {
		struct table_record *record = table_record(inodes->table, slot);

		if (!atomic_load(&record->state))
			continue;
		if (!table_record_is_sound(record))
			return -EUCLEAN;
		/* those that were taken, but not filled any more */
		while (inodes->fresh_slot < slot)
			index_free(inodes, inodes->fresh_slot++);
		inodes->fresh_slot = slot + 1;
		if (record_is_used(record))
			index_used(inodes, slot);
		else
			index_free(inodes, slot);
	}
	return 0;
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
	size_t bytes = (size_t) TABLE_NR_SLOTS * sizeof(struct inode);
	struct inodes *inodes = calloc(1, sizeof(*inodes));
	int ret = -ENOMEM;

	if (!inodes)
		return -ENOMEM;
	inodes->table = table;
	inodes->root_fd = root_fd;
	inodes->fresh_slot = TABLE_ROOT_SLOT;
	inodes->nr_buckets = FIRST_BUCKETS;
	inodes->buckets = calloc(FIRST_BUCKETS, sizeof(*inodes->buckets));
	if (!inodes->buckets)
		goto err_free;
	inodes->inodes = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (inodes->inodes == MAP_FAILED) {
		ret = -errno;
		goto err_buckets;
	}
	ret = mapped_open(&inodes->mapped, root_fd);
	if (ret)
		goto err_unmap;
	pthread_mutex_init(&inodes->mutex, NULL);
	for (unsigned i = 0; i < NR_LOCKS; i++)
		pthread_mutex_init(&inodes->locks[i], NULL);
	journal_redo(table_journal(table), JOURNAL_NR_SLOTS);
	ret = index_records(inodes);
	lock_slots(inodes);
	if (!ret)
		ret = enter_root(inodes);
	if (ret)
		goto err_mapped;
	*out = inodes;
	return 0;

err_mapped:
	mapped_close(inodes->mapped);
err_unmap:
	munmap(inodes->inodes, bytes);
err_buckets:
	free(inodes->buckets);
err_free:
	free(inodes);
	return ret;
}

void inodes_close(struct inodes *inodes)
{
	for (uint32_t slot = TABLE_ROOT_SLOT; slot < inodes->fresh_slot; slot++)
		if (record_is_used(table_record(inodes->table, slot)) &&
		    inodes->inodes[slot].fd >= 0)
			close(inodes->inodes[slot].fd);
	mapped_close(inodes->mapped);
	munmap(inodes->inodes, (size_t) TABLE_NR_SLOTS * sizeof(struct inode));
	free(inodes->buckets);
	free(inodes);
}

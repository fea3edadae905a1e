/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a file handle to the slot: a hash by inode number of chains through the
 * private array, which is address space reserved for every slot and backed by
 * memory only where slots are in use. Hard links come to one record because
 * their handle is the same.
 *
 * A daemon that takes over builds it while everybody waits, so what can be
 * known beforehand is not found out on the way: how many slots were ever in
 * use, and with that the number of buckets. The others are not even looked at,
 * which would give them memory.
 */
#include "namespace/index.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

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

/* A record is fetched while those so many before it are looked at. */
#define AHEAD 12

#define FIRST_BUCKETS 4096u
#define INODES_BYTES  ((size_t) TABLE_NR_SLOTS * sizeof(struct inode))

static uint32_t *bucket_of(const struct inode_index *index, uint64_t ino)
{
	uint64_t hash = ino * UINT64_C(0x9e3779b97f4a7c15);

	return &index->buckets[hash >> 32 & (index->nr_buckets - 1)];
}

static void chain_add(struct inode_index *index, uint32_t slot, uint64_t ino)
{
	uint32_t *bucket = bucket_of(index, ino);

	index->inodes[slot].chain = *bucket;
	*bucket = slot;
}

/* Makes so many, a power of two. */
static int buckets_make(struct inode_index *index, uint32_t nr)
{
	uint32_t *buckets = calloc(nr, sizeof(*buckets));

	if (!buckets)
		return -ENOMEM;
	free(index->buckets);
	index->buckets = buckets;
	index->nr_buckets = nr;
	if (nr <= LOCK_MAX_SLOTS)
		memlock_range(buckets, nr * sizeof(*buckets));
	return 0;
}

/* Doubles the buckets. Without memory the chains just stay longer. */
static void buckets_grow(struct inode_index *index)
{
	struct table_record *record;

	if (buckets_make(index, index->nr_buckets * 2))
		return;
	for (uint32_t slot = 1; slot < index->fresh_slot; slot++) {
		record = table_record(index->table, slot);
		if (table_record_is_used(record))
			chain_add(index, slot, record->ino);
	}
}

uint32_t index_find(const struct inode_index *index, uint64_t ino,
		    const struct backing_handle *handle)
{
	uint32_t slot = *bucket_of(index, ino);
	struct table_record *record;

	for (; slot; slot = index->inodes[slot].chain) {
		record = table_record(index->table, slot);
		if (record->ino == ino &&
		    (!handle ||
		     backing_handle_is_equal(&record->handle, handle)))
			return slot;
	}
	return 0;
}

void index_add(struct inode_index *index, uint32_t slot)
{
	chain_add(index, slot, table_record(index->table, slot)->ino);
	if (++index->count > index->nr_buckets)
		buckets_grow(index);
}

void index_remove(struct inode_index *index, uint32_t slot)
{
	struct table_record *record = table_record(index->table, slot);
	uint32_t *at = bucket_of(index, record->ino);

	while (*at != slot)
		at = &index->inodes[*at].chain;
	*at = index->inodes[slot].chain;
	index->count--;
}

void index_give_back(struct inode_index *index, uint32_t slot)
{
	const struct table_record *record = table_record(index->table, slot);

	/* its numbers are used up: a nodeid never comes twice */
	if (atomic_load(&record->state) >> 32 == UINT32_MAX)
		return;
	index->inodes[slot].chain = index->free_slot;
	index->free_slot = slot;
}

static void lock_slots(const struct inode_index *index, uint32_t from,
		       uint32_t to)
{
	if (to <= from)
		return;
	memlock_range(table_record(index->table, from),
		      (to - from) * sizeof(struct table_record));
	memlock_range(&index->inodes[from],
		      (to - from) * sizeof(*index->inodes));
}

/* Up to where memory is locked when the slots below one are known. */
static uint32_t locked_up_to(uint32_t slot)
{
	slot = (slot + LOCK_SLOTS - 1) / LOCK_SLOTS * LOCK_SLOTS;
	return slot < LOCK_MAX_SLOTS ? slot : LOCK_MAX_SLOTS;
}

void index_lock_memory(const struct inode_index *index)
{
	lock_slots(index, 0, locked_up_to(index->found_slot));
}

uint32_t index_take(struct inode_index *index, int *ret)
{
	uint32_t slot = index->free_slot, locked;

	if (slot) {
		index->free_slot = index->inodes[slot].chain;
		return slot;
	}
	if (index->fresh_slot >= table_nr_slots(index->table)) {
		*ret = table_grow(index->table);
		if (*ret)
			return 0;
	}
	slot = index->fresh_slot++;
	locked = locked_up_to(index->fresh_slot);
	if (locked > index->locked_slot) {
		lock_slots(index, index->locked_slot, locked);
		index->locked_slot = locked;
	}
	return slot;
}

/* What may be said of an inode of which nothing but its record is known. */
static void take_used(struct inode_index *index, uint32_t slot,
		      const struct table_record *record)
{
	bool is_file = S_ISREG(record->mode);

	index->inodes[slot] = (struct inode){
		.fd = -1,
		.maybe_mapped = is_file,
		.was_opened = is_file,
		.attr_cached = true,
	};
	chain_add(index, slot, record->ino);
	index->count++;
}

/* Takes what the records of a table say that was in use before. */
static int take_records(struct inode_index *index, uint32_t nr)
{
	const struct table_record *record = table_record(index->table,
							 TABLE_ROOT_SLOT);

	for (uint32_t slot = TABLE_ROOT_SLOT; slot < nr; slot++, record++) {
		uint64_t state = atomic_load(&record->state);

		/* both of its lines: nobody has had them for long */
		__builtin_prefetch(record + AHEAD);
		__builtin_prefetch(&record[AHEAD].mode);
		if (!state)
			continue;
		if (!table_record_is_sound(record))
			return -EUCLEAN;
		/* those that were taken, but not filled any more */
		while (index->fresh_slot < slot)
			index_give_back(index, index->fresh_slot++);
		index->fresh_slot = slot + 1;
		if ((uint32_t) state == TABLE_IN_USE)
			take_used(index, slot, record);
		else
			index_give_back(index, slot);
	}
	return 0;
}

int index_open(struct inode_index *index, struct table *table)
{
	uint32_t nr = table_nr_touched(table), nr_buckets = FIRST_BUCKETS;
	int ret;

	*index = (struct inode_index){
		.table = table,
		.fresh_slot = TABLE_ROOT_SLOT,
	};
	index->inodes = mmap(NULL, INODES_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (index->inodes == MAP_FAILED)
		return -errno;
	/* at once is faster than page by page; or else that way */
	madvise(index->inodes, nr * sizeof(*index->inodes),
		MADV_POPULATE_WRITE);
	while (nr_buckets < nr)
		nr_buckets *= 2;
	ret = buckets_make(index, nr_buckets);
	if (!ret)
		ret = take_records(index, nr);
	if (ret) {
		index_close(index);
		return ret;
	}
	index->found_slot = index->fresh_slot;
	index->locked_slot = locked_up_to(index->fresh_slot);
	return 0;
}

void index_close(struct inode_index *index)
{
	munmap(index->inodes, INODES_BYTES);
	free(index->buckets);
}

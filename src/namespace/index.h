/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slots of the inode table: which are free, and which one has a handle. For
 * namespace/inode.c, which serialises all calls.
 */
#ifndef NAMESPACE_INDEX_H
#define NAMESPACE_INDEX_H

#include <stdint.h>

#include "namespace/inode.h"
#include "namespace/table.h"

struct inode_index {
	struct table *table;
	struct inode *inodes; /* TABLE_NR_SLOTS of them, mostly untouched */
	uint32_t *buckets;
	uint32_t nr_buckets;  /* a power of two */
	uint32_t free_slot;   /* head of the chain of free slots, 0 is none */
	uint32_t fresh_slot;  /* slots from here on were never looked at */
	uint32_t found_slot;  /* and these were not when it was opened */
	uint32_t locked_slot; /* nor is the memory of those from here locked */
	uint64_t count;	      /* of slots that are in use */
};

/*
 * Builds it from the records of a table, which is borrowed. Returns 0, -EUCLEAN
 * for a table that no daemon can have left, or another negative errno.
 */
int index_open(struct inode_index *index, struct table *table);
void index_close(struct inode_index *index);

/*
 * Locks the memory of the slots that index_open() has found; that of others is
 * locked as they are taken. This alone needs no serialising.
 */
void index_lock_memory(const struct inode_index *index);

/* The slot of an inode, with a handle or with whichever; 0 when none has it. */
uint32_t index_find(const struct inode_index *index, uint64_t ino,
		    const struct backing_handle *handle);

/* A free slot, in no chain any more; or 0 with *ret set. */
uint32_t index_take(struct inode_index *index, int *ret);
void index_give_back(struct inode_index *index, uint32_t slot);

/* From now on the slot's record is found by its handle; or it is no more. */
void index_add(struct inode_index *index, uint32_t slot);
void index_remove(struct inode_index *index, uint32_t slot);

#endif

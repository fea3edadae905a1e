/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables in the memfd: what outlives the daemon. The file has a header
 * page (magic, version, what a next daemon needs to take over), a page of
 * counters, the journal, and fixed-size inode records that never move. No
 * pointer, no lock, no hash chain lies in it: those are private to the daemon
 * and rebuilt.
 */
#ifndef NAMESPACE_TABLE_H
#define NAMESPACE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backing/handle.h"

struct journal_slot;
struct table;

/*
 * 64-bit counters in the memfd: the engine's, then one for each FUSE opcode,
 * then the engine's histograms. A word that is not in use is 0.
 */
#define TABLE_NR_COUNTERS 512
#define TABLE_COUNTERS_RECOVERY 0
#define TABLE_COUNTERS_REQUESTS 128
#define TABLE_NR_REQUESTS 64
#define TABLE_COUNTERS_LATENCIES 192

/* Slots of inode records; slot 0 is never used, slot 1 is the root directory. */
#define TABLE_NR_SLOTS (UINT32_C(1) << 26)
#define TABLE_ROOT_SLOT 1

/*
 * One inode that the kernel knows. The state word is written last: a record
 * counts only when it says IN_USE, and any single store may be the last one
 * before a crash. Its upper half is the sequence number of the slot, one more
 * at each use, so that nodeid (sequence << 32 | slot) never repeats.
 *
 * Words that change together are changed through the journal.
 */
struct table_record {
	_Atomic uint64_t state;	  /* sequence << 32 | TABLE_FREE or IN_USE */
	_Atomic uint64_t nlookup; /* references the kernel holds */
	uint64_t ino;		  /* st_ino in the backing */
	_Atomic uint64_t backing_id; /* 0 when none is registered */
	_Atomic uint64_t nopen;	  /* opens that were replied, not released */
	_Atomic uint64_t nwriters; /* those for writing among them */
	struct backing_handle handle;
	uint32_t mode;		  /* st_mode; without attributes S_IFMT of it */
	_Atomic uint32_t has_attr; /* what follows is what it was when it lost
				      its last name; never a regular file */
	int64_t seconds[3];	  /* of atime, mtime, ctime */
	uint32_t nanoseconds[3];
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint64_t size;
};

enum { TABLE_FREE = 0, TABLE_IN_USE = 1 };

/* Makes an empty table. Returns the memfd or a negative errno. For the keeper. */
int table_create(void);

/*
 * The version of the format: of everything in the file that this program does
 * not find out by itself, the journal and its ways included.
 */
#define TABLE_VERSION 2

/*
 * Looks whether this program can go on with the table of a memfd. Returns 0,
 * -EPROTONOSUPPORT for one of another version, which *version gets, -EUCLEAN
 * for a damaged or foreign one, or another negative errno.
 */
int table_check(int memfd, uint32_t *version);

/*
 * Maps the table of a memfd that passes table_check(), and whose journal can be
 * what a daemon has left (-EUCLEAN). Duplicates the fd. Returns 0 or a negative
 * errno.
 */
int table_open(struct table **out, int memfd);
void table_close(struct table *table);

/*
 * From here on until this process has ended the table is its alone: waits until
 * no other process has it so, not even one that is on its way out. Returns 0 or
 * a negative errno.
 */
int table_lock(struct table *table);

_Atomic uint64_t *table_counters(struct table *table);

/* JOURNAL_NR_SLOTS of them (journal.h). */
struct journal_slot *table_journal(struct table *table);

/*
 * Those from here on were never in use when the table was opened; to look at
 * them would give them memory.
 */
size_t table_nr_journal(const struct table *table);

/*
 * The first request of the kernel, which comes only once: saved by the daemon
 * that receives it, given to those that take over. Both return its length; 0
 * when there is none, or when it is too long to be saved.
 */
#define TABLE_INIT_BYTES 1024
size_t table_save_init(struct table *table, const void *request, size_t bytes);
size_t table_load_init(struct table *table, void *request);

/* Whether there is one: then a daemon takes over from one before. */
bool table_has_init(struct table *table);

/* Numbers that no two handles of directories have, whichever daemon asks. */
uint64_t table_next_handle(struct table *table);

/* An upper limit of the backing ids that were registered so far. */
_Atomic uint64_t *table_highest_id(struct table *table);

/* The record of a slot below table_nr_slots(). Never NULL, never moves. */
struct table_record *table_record(struct table *table, uint32_t slot);

/* Whether it is an inode's now. */
bool table_record_is_used(const struct table_record *record);

/* Whether it can be one that a daemon has left. */
bool table_record_is_sound(const struct table_record *record);

/* Slots that the file has room for now: a multiple of a chunk. */
uint32_t table_nr_slots(struct table *table);

/* Those from here on were never in use, which is found without a look at them. */
uint32_t table_nr_touched(struct table *table);

/*
 * Grows the file by a chunk of free slots. Callers serialise. Returns 0,
 * -ENOSPC at TABLE_NR_SLOTS, or another negative errno.
 */
int table_grow(struct table *table);

#endif

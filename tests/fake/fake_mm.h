/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel to test against: one file in memory with what the engine can see
 * of it, processes that map it, errors in the order a test wrote them down,
 * and a hook before each call for what happens beside it. Thread-safe.
 */
#ifndef FAKE_FAKE_MM_H
#define FAKE_FAKE_MM_H

#include <pthread.h>

#include "mm/mm.h"

#define FAKE_EXTENTS 1024
#define FAKE_MAPPERS 8
#define FAKE_SCRIPT  256
#define FAKE_NODES   4
#define FAKE_ANSWERS 64

enum fake_op {
	FAKE_LOOK,
	FAKE_WILLNEED,
	FAKE_POPULATE,
	FAKE_COLLAPSE,
	FAKE_OWNER,
	FAKE_BUSY,
	FAKE_MAPPERS_FIND,
	FAKE_MAPPER_VIEW,
	FAKE_MAPPER_COLLAPSE,
	FAKE_WINDOW_OPEN,
	FAKE_WATCH_OPEN,
	FAKE_WATCH_LIST,
	FAKE_WATCH_LOOK, /* index: of the mapper */
	FAKE_MACHINE,
	FAKE_PRESSURE,
	FAKE_FREE_BLOCKS,
	FAKE_COMPACT,
	FAKE_MIGRATE,
	FAKE_MIGRATE_AHEAD, /* index: the first */
	FAKE_MAPPER_MIGRATE,
	FAKE_NODES_ALLOWED,
	FAKE_MAPPER_NODES, /* index: of the mapper */
	FAKE_NODE_DISTANCES,
	FAKE_NODE_ROOM, /* index: of the node */
	FAKE_PLACE,
	FAKE_NR_OPS
};

#define FAKE_ANY UINT64_MAX

struct fake_extent {
	uint16_t pages;
	uint16_t resident;
	uint16_t swapped;
	uint16_t above;
	uint16_t on[FAKE_NODES]; /* resident on each but the first */
	bool huge;
	bool pinned;
	uint64_t owner;	    /* memory cgroup that pays for it, 0: not known */
	unsigned collapsed; /* how often it became huge */
	unsigned lost;	    /* how often its pages were punched */
};

/* A process; its mapping of extent i is at FAKE_ADDR + i * 2 MiB. */
struct fake_mapper {
	bool present; /* the search finds it */
	bool dead;
	bool misaligned;
	bool unmapped; /* it was there when it was looked at */
	uint64_t group; /* its memory cgroup */
	bool by_pte[FAKE_EXTENTS];
	bool by_pmd[FAKE_EXTENTS];
	unsigned collapses; /* that it paid for */
	unsigned threads[FAKE_NODES]; /* that run on each */
};

#define FAKE_ADDR UINT64_C(0x7f0000000000)
#define FAKE_INO  5 /* of the file */
#define FAKE_CONFINED 4711 /* a process that may use the first node alone */

struct fake_error {
	enum fake_op op;
	uint64_t index;
	int error;
	unsigned after; /* calls that are spared */
	unsigned times;
};

/* What migrations say of some of the pages that they are to move. */
struct fake_answer {
	uint64_t index;
	enum mm_moved moved;
	uint16_t pages;
	unsigned times;
};

/* What new pages were told to go to. */
struct fake_placed {
	uint64_t first;
	uint64_t nr;
	enum hugetmpfs_numa mode;
	unsigned long nodes;
};

#define FAKE_PLACED 16

struct fake_mm {
	struct mm_ops ops;
	pthread_mutex_t lock; /* all below but the hook */
	uint32_t nr;
	struct fake_extent extents[FAKE_EXTENTS];
	struct fake_mapper mappers[FAKE_MAPPERS];
	struct fake_error script[FAKE_SCRIPT];
	unsigned nr_script;
	unsigned absent; /* 1 << MM_* */
	unsigned nr_nodes; /* 1 until pages are put on another one */
	bool forbidden[FAKE_NODES];
	uint64_t node_room[FAKE_NODES]; /* less by what is moved there */
	bool no_huge[FAKE_NODES];	/* no block for a huge page there */
	int makes_on; /* node that huge pages are made on, -1: of most pages */
	struct fake_answer answers[FAKE_ANSWERS];
	unsigned nr_answers;
	struct fake_placed placed[FAKE_PLACED];
	unsigned nr_placed;
	uint64_t free_bytes;
	uint64_t room; /* less by what is brought in */
	struct mm_pressure pressure;
	uint32_t blocks;	/* free, of node 0 */
	uint32_t compactable;	/* that become so */
	bool together; /* calls for several extents do not fail at once */
	unsigned calls_together; /* that did not */
	bool denied; /* constant while the engine runs */
	unsigned called[FAKE_NR_OPS];
	struct mm_machine machine;
	unsigned windows;	/* open ones */
	unsigned watches;	/* the same */
	unsigned mappers_found; /* and not freed */
	/* before each call, without the lock */
	void (*hook)(void *arg, enum fake_op op, uint64_t index);
	void *hook_arg;
};

/* A file of nr whole extents, all in memory, in small pages. */
void fake_mm_init(struct fake_mm *fake, uint32_t nr);
void fake_mm_destroy(struct fake_mm *fake);

void fake_mm_set(struct fake_mm *fake, uint64_t index, uint16_t resident,
		 uint16_t swapped, bool huge);
/* The next times calls of op on the extent (or FAKE_ANY) fail with error. */
void fake_mm_fail(struct fake_mm *fake, enum fake_op op, uint64_t index,
		  int error, unsigned times);
/*
 * Puts pages of an extent that are in memory on a node that is not the first;
 * there are several from then on. And how many are on one.
 */
void fake_mm_put_on(struct fake_mm *fake, uint64_t index, int nid,
		    uint16_t pages);
uint16_t fake_mm_on(struct fake_mm *fake, uint64_t index, int nid);
/*
 * The next times migrations of the extent say this of so many pages that are
 * elsewhere, which stay there; all such answers at once.
 */
void fake_mm_answer(struct fake_mm *fake, uint64_t index, enum mm_moved moved,
		    uint16_t pages, unsigned times);
/* The same for all extents, after so many calls. */
void fake_mm_fail_after(struct fake_mm *fake, enum fake_op op, unsigned after,
			int error, unsigned times);
/* What a hole punch of the whole extent does. */
void fake_mm_punch(struct fake_mm *fake, uint64_t index);
/* Writes every page of it, small where it was not huge. */
void fake_mm_fill(struct fake_mm *fake, uint64_t index);
unsigned fake_mm_called(struct fake_mm *fake, enum fake_op op);

#endif

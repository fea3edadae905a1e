/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy follow: an extent goes where its mappers' threads run, once looks
 * in a row have found them on the same node. What was found is a belief; it is
 * forgotten when nobody looks any more, and with the process. Thread-safe,
 * never blocks. Times are in ticks of the caller's.
 */
#ifndef PLACEMENT_FOLLOW_H
#define PLACEMENT_FOLLOW_H

#include <stdint.h>

/* Looks that have to name the same node before an extent goes there. */
#define PLACEMENT_FOLLOW_LOOKS 2

/* Between looks that count; what is nearer can only take back a name. */
#define PLACEMENT_FOLLOW_GAP_TICKS 4

/* Looks that are farther apart are not in a row. */
#define PLACEMENT_FOLLOW_ROW_TICKS 120

/* Each move doubles the looks that the next one takes, this often ... */
#define PLACEMENT_FOLLOW_DOUBLINGS 6

/* ... until so many times as many looks have found it well where it is. */
#define PLACEMENT_FOLLOW_SETTLED 16

/* After a failed move, doubled with each in a row, this often: 1024 ticks. */
#define PLACEMENT_FOLLOW_BACKOFF_TICKS	   16
#define PLACEMENT_FOLLOW_BACKOFF_DOUBLINGS 6

/* The most extents that are remembered; beyond it they stay where they are. */
#define PLACEMENT_FOLLOW_EXTENTS 65536

/* One that no look has named a node for gives its place to another then. */
#define PLACEMENT_FOLLOW_MEMORY_TICKS 3600

struct placement_follow;

/* Returns 0 or -ENOMEM. */
int placement_follow_open(struct placement_follow **out);
void placement_follow_close(struct placement_follow *follow);

/*
 * The node on which three quarters of all threads run, -1 for none. Some may
 * run on no node below nr_nodes, or where their pages may not be.
 */
int16_t placement_follow_named(const uint32_t *threads, unsigned nr_nodes,
			       uint64_t all);

/*
 * Takes in a look at an extent that named a node, or none (-1). Returns the
 * node on which the extent is to be from now on, -1: where it is.
 */
int16_t placement_follow_look(struct placement_follow *follow, uint64_t ino,
			      uint64_t index, int16_t named, uint64_t now);

/* The same without a look. */
int16_t placement_follow_home(struct placement_follow *follow, uint64_t ino,
			      uint64_t index);

/* What came of moving the extent to the node. */
void placement_follow_moved(struct placement_follow *follow, uint64_t ino,
			    uint64_t index, int16_t nid);
void placement_follow_failed(struct placement_follow *follow, uint64_t ino,
			     uint64_t index, int16_t nid, uint64_t now);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA node each extent of a file belongs, and what of it is
 * elsewhere.
 */
#ifndef RECOVERY_HOMES_H
#define RECOVERY_HOMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/nodeset.h"
#include "placement/policy.h"

struct mm_extent;
struct recovery;
struct team_facts;

/* From one node to all others. */
struct recovery_distances {
	struct recovery_distances *next;
	int from;
	int to[NODESET_NODES];
};

/*
 * Where the extents of one file belong, as it is at one moment: its policy and
 * the nodes that there are. Used by one thread.
 */
struct recovery_homes {
	struct recovery *recovery;
	uint64_t ino;
	struct placement_policy *policy; /* NULL: wherever they are */
	struct placement_machine machine;
	struct recovery_distances *distances; /* that were asked for */
	int room_nid; /* node that was last asked for room, -1: none ... */
	uint64_t room_bytes; /* ... and how much does without asking again */
};

/* Nodes for one extent. */
struct recovery_reach {
	struct nodeset full; /* they had no room for it */
	struct nodeset home; /* its pages may stay there */
};

/* fd is of the file's backing, open for reading. Returns 0 or -ENOMEM. */
int recovery_homes_open(struct recovery *recovery, int fd, uint64_t ino,
			struct recovery_homes *homes);
void recovery_homes_close(struct recovery_homes *homes);
/* After an error that says that nodes are not there any more. */
void recovery_homes_refresh(struct recovery_homes *homes);
/*
 * What a look says of an extent. What is full in reach is no target, and home
 * is filled in; NULL: nothing is known to be full. Returns false when it has
 * to go to a node, and can go to none.
 */
bool recovery_facts(struct recovery_homes *homes, uint64_t index,
		    const struct mm_extent *extent,
		    struct recovery_reach *reach, struct team_facts *facts);
/* Whether a node has room for pages, and for what others move there too. */
bool recovery_homes_have_room(struct recovery_homes *homes, int nid,
			      uint32_t pages);

#endif

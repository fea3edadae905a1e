/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA node each extent of a file belongs: its policy, the nodes that
 * there are, and what a look has found, put together.
 *
 * With one node, or without a policy that says anything, there is nothing to
 * ask and nothing misplaced. Nodes come and go, and so does what the cpuset
 * allows: they are asked for anew for each request and each batch.
 */
#include "recovery/homes.h"

#include <errno.h>
#include <stdlib.h>

#include "recovery/follow.h"
#include "recovery/internal.h"

/* Other workers move pages to the same node, and go by the same answer. */
#define RECOVERY_ROOM_PART 8

#define RECOVERY_PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

static const struct recovery_distances *
recovery_homes_row(struct recovery_homes *homes, int from)
{
	const struct mm_ops *mm = homes->recovery->mm;
	struct recovery_distances *row;

	for (row = homes->distances; row; row = row->next) {
		if (row->from == from)
			return row;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	/* what is not known is 0, as farther than all */
	mm->node_distances(mm->context, from, row->to, NODESET_NODES);
	row->from = from;
	row->next = homes->distances;
	homes->distances = row;
	return row;
}

static int recovery_homes_distance(void *arg, int from, int to)
{
	const struct recovery_distances *row = recovery_homes_row(arg, from);

	return row ? row->to[to] : 0;
}

static void recovery_homes_forget(struct recovery_homes *homes)
{
	struct recovery_distances *row;

	while ((row = homes->distances)) {
		homes->distances = row->next;
		free(row);
	}
	homes->room_nid = -1;
}

void recovery_homes_refresh(struct recovery_homes *homes)
{
	const struct mm_ops *mm = homes->recovery->mm;

	recovery_homes_forget(homes);
	/* where not even that is told, nothing is there to go to */
	if (mm->nodes_allowed(mm->context, 0, &homes->machine.nodes))
		homes->machine.nodes = (struct nodeset){0};
}

int recovery_homes_open(struct recovery *recovery, int fd, uint64_t ino,
			struct recovery_homes *homes)
{
	const struct mm_ops *mm = recovery->mm;

	*homes = (struct recovery_homes){
		.recovery = recovery,
		.ino = ino,
		.machine = {.distance = recovery_homes_distance, .arg = homes},
		.room_nid = -1,
	};
	if (!mm->nodes_several(mm->context) ||
	    !mm->has(mm->context, MM_PAGE_NODES))
		return 0;
	homes->policy = malloc(sizeof(*homes->policy));
	if (!homes->policy)
		return -ENOMEM;
	recovery_placement(recovery, fd, homes->policy);
	if (placement_is_default(homes->policy)) {
		free(homes->policy);
		homes->policy = NULL;
		return 0;
	}
	recovery_homes_refresh(homes);
	return 0;
}

void recovery_homes_close(struct recovery_homes *homes)
{
	recovery_homes_forget(homes);
	free(homes->policy);
	homes->policy = NULL;
}

/* Pages that are on other nodes. */
static uint16_t recovery_homes_misplaced(const struct mm_extent *extent,
					 const struct nodeset *home)
{
	uint16_t misplaced = extent->resident;

	/* it is not known where they are */
	if (!extent->nr_nodes)
		return 0;
	for (unsigned i = 0; i < extent->nr_nodes; i++) {
		if (nodeset_has(home, extent->nodes[i].nid))
			misplaced -= extent->nodes[i].pages;
	}
	return misplaced;
}

/*
 * The first candidate that is not full becomes the target. What is on one that
 * is better, and has no room for the others, stays there. Returns false when
 * all are full; with prefer that is no trouble, and nothing is to go anywhere.
 */
static bool recovery_homes_choose(const struct placement_rule *rule,
				  const int16_t *nodes, int nr,
				  struct recovery_reach *reach,
				  struct team_facts *facts)
{
	int at = 0;

	for (; at < nr && nodeset_has(&reach->full, nodes[at]); at++)
		nodeset_add(&reach->home, nodes[at]);
	facts->target_nid = nodes[at < nr ? at : 0];
	nodeset_add(&reach->home, facts->target_nid);
	if (at < nr || rule->mode != HUGETMPFS_NUMA_PREFER)
		return at < nr;
	facts->target_nid = -1;
	return true;
}

/* The nodes that an extent may go to, as placement_candidates() gives them. */
static int recovery_homes_candidates(struct recovery_homes *homes,
				     const struct placement_rule *rule,
				     uint64_t index, int16_t majority_nid,
				     int16_t *nodes, unsigned nr)
{
	int16_t home;

	if (!rule || rule->mode != HUGETMPFS_NUMA_FOLLOW)
		return placement_candidates(rule, homes->ino, index,
					    majority_nid, &homes->machine,
					    nodes, nr);
	home = recovery_follow_home(homes->recovery, homes->ino, index);
	/* one that has gone since is none */
	if (!nodeset_has(&homes->machine.nodes, home))
		return 0;
	nodes[0] = home;
	return 1;
}

bool recovery_facts(struct recovery_homes *homes, uint64_t index,
		    const struct mm_extent *extent,
		    struct recovery_reach *reach, struct team_facts *facts)
{
	struct recovery_reach anywhere = {0};
	const struct placement_rule *rule;
	int16_t nodes[NODESET_NODES];
	bool reaches = false;
	int nr;

	*facts = (struct team_facts){
		.pages = extent->pages,
		.resident = extent->resident,
		.swapped = extent->swapped,
		.above = extent->above,
		.nid = extent->nid,
		.target_nid = -1,
		.huge = extent->huge,
	};
	if (!homes->policy)
		return true;
	rule = placement_rule_of(homes->policy, index);
	nr = recovery_homes_candidates(homes, rule, index, extent->nid, nodes,
				       NODESET_NODES);
	if (nr == 0)
		return true;
	reach = reach ? reach : &anywhere;
	reach->home = (struct nodeset){0};
	/* on any of its nodes it is at home */
	if (rule->mode == HUGETMPFS_NUMA_BIND)
		reach->home = rule->nodes;
	facts->no_node = nr < 0;
	if (nr > 0)
		reaches = recovery_homes_choose(rule, nodes, nr, reach, facts);
	facts->misplaced_pages = recovery_homes_misplaced(extent, &reach->home);
	return reaches;
}

bool recovery_homes_have_room(struct recovery_homes *homes, int nid,
			      uint32_t pages)
{
	uint64_t bytes, wanted = pages * RECOVERY_PAGE_BYTES;
	const struct mm_ops *mm = homes->recovery->mm;

	if (homes->room_nid == nid && homes->room_bytes >= wanted) {
		homes->room_bytes -= wanted;
		return true;
	}
	homes->room_nid = -1;
	/* what cannot be told is found out by moving pages there */
	if (mm->node_room(mm->context, nid, &bytes))
		return true;
	if (bytes < wanted)
		return false;
	homes->room_nid = nid;
	homes->room_bytes = (bytes - wanted) / RECOVERY_ROOM_PART;
	return true;
}

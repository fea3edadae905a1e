/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NUMA nodes of the model: where the pages of an extent are, and what comes of
 * moving them.
 */
#include "fake/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pages in memory on a node; what is on no other is on the first. */
static uint16_t fake_on(const struct fake_extent *extent, int nid)
{
	uint16_t others = 0;

	if (nid)
		return extent->on[nid];
	for (int i = 1; i < FAKE_NODES; i++)
		others += extent->on[i];
	return extent->resident - others;
}

static int fake_most(const struct fake_extent *extent)
{
	int most = 0;

	for (int nid = 1; nid < FAKE_NODES; nid++) {
		if (fake_on(extent, nid) > fake_on(extent, most))
			most = nid;
	}
	return most;
}

void fake_nodes_show(const struct fake_extent *from, struct mm_extent *extent)
{
	uint16_t on[FAKE_NODES];
	int most;

	extent->nid = from->resident ? (int16_t) fake_most(from) : -1;
	for (int nid = 0; nid < FAKE_NODES; nid++)
		on[nid] = fake_on(from, nid);
	for (int i = 0; i < FAKE_NODES; i++) {
		most = 0;
		for (int nid = 1; nid < FAKE_NODES; nid++)
			most = on[nid] > on[most] ? nid : most;
		if (!on[most])
			break;
		extent->nodes[extent->nr_nodes++] = (struct mm_node_pages){
			.nid = (int16_t) most,
			.pages = on[most],
		};
		on[most] = 0;
	}
}

int fake_nodes_collapse_locked(struct fake_mm *fake, struct fake_extent *extent)
{
	int nid = fake->makes_on >= 0 ? fake->makes_on : fake_most(extent);

	if (fake->no_huge[nid])
		return -ENOMEM;
	memset(extent->on, 0, sizeof(extent->on));
	if (nid)
		extent->on[nid] = extent->pages;
	return 0;
}

void fake_mm_put_on(struct fake_mm *fake, uint64_t index, int nid,
		    uint16_t pages)
{
	pthread_mutex_lock(&fake->lock);
	fake->nr_nodes = FAKE_NODES;
	fake->extents[index].on[nid] = pages;
	assert(fake_on(&fake->extents[index], 0) <=
	       fake->extents[index].resident);
	pthread_mutex_unlock(&fake->lock);
}

uint16_t fake_mm_on(struct fake_mm *fake, uint64_t index, int nid)
{
	uint16_t pages;

	pthread_mutex_lock(&fake->lock);
	pages = fake_on(&fake->extents[index], nid);
	pthread_mutex_unlock(&fake->lock);
	return pages;
}

void fake_mm_answer(struct fake_mm *fake, uint64_t index, enum mm_moved moved,
		    uint16_t pages, unsigned times)
{
	pthread_mutex_lock(&fake->lock);
	assert(fake->nr_answers < FAKE_ANSWERS);
	fake->answers[fake->nr_answers++] =
		(struct fake_answer){index, moved, pages, times};
	pthread_mutex_unlock(&fake->lock);
}

/* Some of the pages that are on other nodes go there. */
static void fake_move(struct fake_extent *extent, int nid,
		      const struct nodeset *home, uint16_t pages)
{
	uint16_t part;

	if (nid)
		extent->on[nid] += pages;
	for (int from = 1; from < FAKE_NODES && pages; from++) {
		if (from == nid || nodeset_has(home, from))
			continue;
		part = extent->on[from] < pages ? extent->on[from] : pages;
		extent->on[from] -= part;
		pages -= part;
	}
	/* the rest came from the first node */
}

/* What the script says of pages that are elsewhere; the rest is left. */
static uint16_t fake_answers_locked(struct fake_mm *fake, uint64_t index,
				    uint16_t pages,
				    struct mm_migrated *migrated)
{
	struct fake_answer *answer;
	uint16_t part;

	for (unsigned i = 0; i < fake->nr_answers; i++) {
		answer = &fake->answers[i];
		if (!answer->times || answer->index != index)
			continue;
		answer->times--;
		part = answer->pages < pages ? answer->pages : pages;
		migrated->pages[answer->moved] += part;
		pages -= part;
	}
	return pages;
}

static void fake_migrate_locked(struct fake_mm *fake, uint64_t index, int nid,
				const struct nodeset *home,
				struct mm_migrated *migrated)
{
	struct fake_extent *extent = &fake->extents[index];
	uint16_t pages = extent->resident;

	for (int from = 0; from < FAKE_NODES; from++) {
		if (from == nid || nodeset_has(home, from))
			pages -= fake_on(extent, from);
	}
	pages = fake_answers_locked(fake, index, pages, migrated);
	if (pages * UINT64_C(4096) > fake->node_room[nid]) {
		migrated->pages[MM_MOVED_NO_MEMORY] += pages;
		return;
	}
	fake->node_room[nid] -= pages * UINT64_C(4096);
	migrated->pages[MM_MOVED_THERE] += pages;
	/* a huge page goes as a whole or not at all */
	if (extent->huge && pages != extent->resident)
		return;
	fake_move(extent, nid, home, pages);
	if (fake->no_huge[nid])
		extent->huge = false;
}

static int fake_migrate(void *context, struct mm_window *window, uint64_t index,
			const struct mm_extent *extent, int nid,
			const struct nodeset *home, uint32_t latency_us,
			struct mm_migrated *migrated)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_MIGRATE, index);

	(void) extent;
	(void) latency_us;
	fake_window_check(window, index);
	*migrated = (struct mm_migrated){0};
	assert(nid >= 0 && nid < FAKE_NODES);
	if (!ret)
		fake_migrate_locked(fake, index, nid, home, migrated);
	return fake_leave(fake, ret);
}

/* Whether its next migration is to fail: then not by this way either. */
static bool fake_migrate_fails(const struct fake_mm *fake, uint64_t index)
{
	const struct fake_error *error = fake->script;

	for (unsigned i = 0; i < fake->nr_script; i++, error++) {
		if (error->op == FAKE_MIGRATE && error->times &&
		    !error->after &&
		    (error->index == FAKE_ANY || error->index == index))
			return true;
	}
	return false;
}

static void fake_migrate_ahead(void *context, struct mm_window *window,
			       const uint64_t *indexes, uint32_t nr, int nid,
			       bool *there)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_MIGRATE_AHEAD, indexes[0]);
	const struct nodeset nowhere = {0};
	struct mm_migrated migrated;

	assert(nid >= 0 && nid < FAKE_NODES && nr <= MM_AHEAD_EXTENTS);
	for (uint32_t i = 0; i < nr; i++) {
		fake_window_check(window, indexes[i]);
		migrated = (struct mm_migrated){0};
		if (!ret && !fake_migrate_fails(fake, indexes[i]))
			fake_migrate_locked(fake, indexes[i], nid, &nowhere,
					    &migrated);
		there[i] = migrated.pages[MM_MOVED_THERE] ==
			   fake->extents[indexes[i]].resident;
	}
	fake_leave(fake, 0);
}

static int fake_mapper_migrate(void *context, struct mm_window *window,
			       uint64_t index, const struct mm_mapper *mapper,
			       uint64_t addr, uint16_t nr, int nid,
			       uint32_t latency_us, uint16_t *there)
{
	struct fake_mm *fake = context;
	const struct fake_mapper *from = &fake->mappers[mapper->pid];
	int ret = fake_enter(fake, FAKE_MAPPER_MIGRATE, index);
	const struct nodeset nowhere = {0};
	struct mm_migrated migrated = {0};

	(void) latency_us;
	fake_window_check(window, index);
	assert(addr == FAKE_ADDR + index * HUGETMPFS_EXTENT_BYTES);
	assert(nr == fake->extents[index].pages);
	assert(nid >= 0 && nid < FAKE_NODES);
	if (!ret && from->dead)
		ret = -ESRCH;
	if (!ret && from->by_pte[index] && !from->unmapped)
		fake_migrate_locked(fake, index, nid, &nowhere, &migrated);
	*there = migrated.pages[MM_MOVED_THERE];
	return fake_leave(fake, ret);
}

static bool fake_nodes_several(void *context)
{
	struct fake_mm *fake = context;
	bool several;

	pthread_mutex_lock(&fake->lock);
	several = fake->nr_nodes > 1;
	pthread_mutex_unlock(&fake->lock);
	return several;
}

static int fake_nodes_allowed(void *context, pid_t pid, struct nodeset *nodes)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_NODES_ALLOWED, 0);

	if (!ret && pid < 0)
		ret = -ESRCH;
	*nodes = (struct nodeset){0};
	for (unsigned nid = 0; nid < fake->nr_nodes; nid++) {
		if (!fake->forbidden[nid] && !(pid == FAKE_CONFINED && nid))
			nodeset_add(nodes, (int) nid);
	}
	return fake_leave(fake, ret);
}

static int fake_mapper_nodes(void *context, pid_t pid, uint32_t *threads,
			     unsigned nr_nodes)
{
	struct fake_mm *fake = context;
	const struct fake_mapper *mapper = &fake->mappers[pid];
	int ret = fake_enter(fake, FAKE_MAPPER_NODES, (uint64_t) pid);

	memset(threads, 0, nr_nodes * sizeof(*threads));
	if (!ret && mapper->dead)
		ret = -ESRCH;
	for (unsigned nid = 0; !ret && nid < FAKE_NODES; nid++)
		threads[nid] = mapper->threads[nid];
	for (unsigned nid = 0; ret >= 0 && nid < FAKE_NODES; nid++)
		ret += (int) mapper->threads[nid];
	return fake_leave(fake, ret);
}

static void fake_nodes_present(void *context, struct nodeset *nodes)
{
	struct fake_mm *fake = context;

	*nodes = (struct nodeset){0};
	for (unsigned nid = 0; nid < fake->nr_nodes; nid++)
		nodeset_add(nodes, (int) nid);
}

/* They are in a row. */
static int fake_node_distances(void *context, int nid, int *distances, int nr)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_NODE_DISTANCES, 0);

	for (int to = 0; to < nr; to++)
		distances[to] = to < FAKE_NODES ? 10 + 10 * abs(to - nid) : 0;
	return fake_leave(fake, ret);
}

static int fake_place(void *context, int fd, uint64_t first, uint64_t nr,
		      enum hugetmpfs_numa mode, const struct nodeset *nodes)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_PLACE, first);

	assert(fd >= 0 && nr > 0);
	if (fake->nr_placed < FAKE_PLACED)
		fake->placed[fake->nr_placed++] = (struct fake_placed){
			.first = first,
			.nr = nr,
			.mode = mode,
			.nodes = nodes ? nodes->word[0] : 0,
		};
	return fake_leave(fake, ret);
}

static int fake_node_room(void *context, int nid, uint64_t *bytes)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_NODE_ROOM, (uint64_t) nid);

	*bytes = fake->node_room[nid];
	return fake_leave(fake, ret);
}

void fake_nodes_init(struct fake_mm *fake)
{
	fake->nr_nodes = 1;
	fake->makes_on = -1;
	for (int nid = 0; nid < FAKE_NODES; nid++)
		fake->node_room[nid] = UINT64_MAX / 2;
	fake->ops.migrate = fake_migrate;
	fake->ops.migrate_ahead = fake_migrate_ahead;
	fake->ops.mapper_migrate = fake_mapper_migrate;
	fake->ops.nodes_several = fake_nodes_several;
	fake->ops.nodes_allowed = fake_nodes_allowed;
	fake->ops.mapper_nodes = fake_mapper_nodes;
	fake->ops.nodes_present = fake_nodes_present;
	fake->ops.node_distances = fake_node_distances;
	fake->ops.place = fake_place;
	fake->ops.node_room = fake_node_room;
}

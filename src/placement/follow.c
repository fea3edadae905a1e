/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where threads run changes faster than pages can be moved, and a move costs
 * as much as many accesses from afar. So the filter errs towards staying.
 *
 * As with the kernel's NUMA hint faults one look proves nothing: only a second
 * one, some time after and naming the same node, does. That alone would still
 * follow mappers that alternate more slowly than that. So a move makes the next
 * one harder, by twice as many looks in a row, until the extent has been found
 * well placed for a long time: whatever the period, the extent comes to rest,
 * or stays long enough in one place to be worth the way.
 *
 * A look that names no node ends the row, as one that names another does. A
 * move that failed leaves the extent without a home, and for a time, doubled
 * with each failure, no look counts.
 *
 * What is remembered has a place in one of several ways of a set, as in a
 * cache, so that it is bounded. But a newer extent never drives out one that is
 * looked at, or, with more extents than places, none would ever see two looks.
 */
#include "placement/follow.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define FOLLOW_WAYS 8
#define FOLLOW_SETS (PLACEMENT_FOLLOW_EXTENTS / FOLLOW_WAYS)

struct follow_extent {
	uint64_t ino;
	uint64_t index;
	uint64_t looked_at; /* the last that counted and named one */
	uint64_t until;	    /* none counts before */
	int16_t named;	    /* by it, -1: none */
	int16_t home;	    /* -1: where it is */
	uint16_t row;	    /* looks in a row that named the same */
	uint8_t moves;	    /* doublings of the looks that a move takes */
	uint8_t fails;	    /* in a row */
	bool used;
};

struct placement_follow {
	pthread_mutex_t lock; /* all below */
	struct follow_extent extents[FOLLOW_SETS][FOLLOW_WAYS];
};

int placement_follow_open(struct placement_follow **out)
{
	/* pages that no extent has its place in are never touched */
	struct placement_follow *follow = calloc(1, sizeof(*follow));

	if (!follow)
		return -ENOMEM;
	pthread_mutex_init(&follow->lock, NULL);
	*out = follow;
	return 0;
}

void placement_follow_close(struct placement_follow *follow)
{
	if (!follow)
		return;
	pthread_mutex_destroy(&follow->lock);
	free(follow);
}

int16_t placement_follow_named(const uint32_t *threads, unsigned nr_nodes,
			       uint64_t all)
{
	for (unsigned i = 0; i < nr_nodes; i++) {
		if (threads[i] && threads[i] * UINT64_C(4) >= all * 3)
			return (int16_t) i;
	}
	return -1;
}

static struct follow_extent *follow_set(struct placement_follow *follow,
					uint64_t ino, uint64_t index)
{
	uint64_t hash =
		(ino * 0x9e3779b97f4a7c15u) ^ (index * 0xc2b2ae3d27d4eb4fu);

	return follow->extents[(hash >> 32) % FOLLOW_SETS];
}

static struct follow_extent *follow_find_locked(struct placement_follow *follow,
						uint64_t ino, uint64_t index)
{
	struct follow_extent *set = follow_set(follow, ino, index);

	for (int i = 0; i < FOLLOW_WAYS; i++) {
		if (set[i].used && set[i].ino == ino && set[i].index == index)
			return &set[i];
	}
	return NULL;
}

/* A place for one that has none, NULL when all of its set are in use. */
static struct follow_extent *follow_add_locked(struct placement_follow *follow,
					       uint64_t ino, uint64_t index,
					       uint64_t now)
{
	struct follow_extent *set = follow_set(follow, ino, index);

	for (int i = 0; i < FOLLOW_WAYS; i++) {
		if (set[i].used &&
		    now - set[i].looked_at < PLACEMENT_FOLLOW_MEMORY_TICKS)
			continue;
		set[i] = (struct follow_extent){
			.ino = ino,
			.index = index,
			.looked_at = now,
			.named = -1,
			.home = -1,
			.used = true,
		};
		return &set[i];
	}
	return NULL;
}

/* Looks in a row that a move takes. */
static unsigned follow_needs(const struct follow_extent *extent)
{
	return PLACEMENT_FOLLOW_LOOKS << extent->moves;
}

/* One more look in a row named the same node. */
static void follow_count(struct follow_extent *extent)
{
	unsigned needs = follow_needs(extent);

	extent->row++;
	if (extent->named == extent->home) {
		if (extent->row < needs * PLACEMENT_FOLLOW_SETTLED)
			return;
		extent->moves -= extent->moves > 0;
	} else {
		if (extent->row < needs)
			return;
		extent->moves += extent->home >= 0 &&
				 extent->moves < PLACEMENT_FOLLOW_DOUBLINGS;
		extent->home = extent->named;
	}
	extent->row = 1;
}

static void follow_take(struct follow_extent *extent, int16_t named,
			uint64_t now)
{
	if (now < extent->until)
		return;
	if (named != extent->named ||
	    now - extent->looked_at > PLACEMENT_FOLLOW_ROW_TICKS) {
		extent->named = named;
		extent->row = named >= 0;
		if (named >= 0)
			extent->looked_at = now;
	} else if (named >= 0 &&
		   now - extent->looked_at >= PLACEMENT_FOLLOW_GAP_TICKS) {
		extent->looked_at = now;
		follow_count(extent);
	}
}

int16_t placement_follow_look(struct placement_follow *follow, uint64_t ino,
			      uint64_t index, int16_t named, uint64_t now)
{
	struct follow_extent *extent;
	int16_t home = -1;

	pthread_mutex_lock(&follow->lock);
	extent = follow_find_locked(follow, ino, index);
	/* one that nobody maps needs no place */
	if (!extent && named >= 0)
		extent = follow_add_locked(follow, ino, index, now);
	if (extent) {
		follow_take(extent, named, now);
		home = extent->home;
	}
	pthread_mutex_unlock(&follow->lock);
	return home;
}

int16_t placement_follow_home(struct placement_follow *follow, uint64_t ino,
			      uint64_t index)
{
	const struct follow_extent *extent;
	int16_t home;

	pthread_mutex_lock(&follow->lock);
	extent = follow_find_locked(follow, ino, index);
	home = extent ? extent->home : -1;
	pthread_mutex_unlock(&follow->lock);
	return home;
}

void placement_follow_moved(struct placement_follow *follow, uint64_t ino,
			    uint64_t index, int16_t nid)
{
	struct follow_extent *extent;

	pthread_mutex_lock(&follow->lock);
	extent = follow_find_locked(follow, ino, index);
	if (extent && extent->home == nid)
		extent->fails = 0;
	pthread_mutex_unlock(&follow->lock);
}

void placement_follow_failed(struct placement_follow *follow, uint64_t ino,
			     uint64_t index, int16_t nid, uint64_t now)
{
	struct follow_extent *extent;

	pthread_mutex_lock(&follow->lock);
	extent = follow_find_locked(follow, ino, index);
	/* or it is to be elsewhere by now */
	if (extent && nid >= 0 && extent->home == nid) {
		extent->until = now + ((uint64_t) PLACEMENT_FOLLOW_BACKOFF_TICKS
				       << extent->fails);
		extent->fails +=
			extent->fails < PLACEMENT_FOLLOW_BACKOFF_DOUBLINGS;
		extent->home = extent->named = -1;
		extent->row = 0;
	}
	pthread_mutex_unlock(&follow->lock);
}

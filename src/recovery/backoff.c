/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hash of chains. It begins small and doubles while there are more extents
 * than buckets.
 */
#include "recovery/backoff.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define RECOVERY_BACKOFF_FIRST_BUCKETS 64

/* Ticks after its time until an extent is forgotten. */
#define RECOVERY_BACKOFF_MEMORY_TICKS 600

#define RECOVERY_BACKOFF_UNKNOWN UINT32_MAX

struct recovery_backoff_extent {
	struct recovery_backoff_extent *next;
	uint64_t ino;
	uint64_t index;
	uint64_t until;
	uint32_t evidence;
	uint8_t fails;
	uint8_t reason;
};

struct recovery_backoff {
	pthread_mutex_t lock; /* all below */
	struct recovery_backoff_extent **buckets;
	uint32_t nr_buckets; /* a power of two */
	uint32_t nr;
};

int recovery_backoff_open(struct recovery_backoff **out)
{
	struct recovery_backoff *backoff = calloc(1, sizeof(*backoff));

	if (!backoff)
		return -ENOMEM;
	backoff->nr_buckets = RECOVERY_BACKOFF_FIRST_BUCKETS;
	backoff->buckets =
		calloc(backoff->nr_buckets, sizeof(*backoff->buckets));
	if (!backoff->buckets) {
		free(backoff);
		return -ENOMEM;
	}
	pthread_mutex_init(&backoff->lock, NULL);
	*out = backoff;
	return 0;
}

typedef bool recovery_backoff_match_fn(const struct recovery_backoff_extent *extent,
			      uint64_t arg);

static void recovery_backoff_remove_locked(struct recovery_backoff *backoff,
				  recovery_backoff_match_fn *match, uint64_t arg)
{
	struct recovery_backoff_extent **at, *extent;

	for (uint32_t i = 0; i < backoff->nr_buckets; i++) {
		at = &backoff->buckets[i];
		while ((extent = *at)) {
			if (!match(extent, arg)) {
				at = &extent->next;
				continue;
			}
			*at = extent->next;
			free(extent);
			backoff->nr--;
		}
	}
}

static bool recovery_backoff_match_all(const struct recovery_backoff_extent *extent, uint64_t arg)
{
	(void) extent;
	(void) arg;
	return true;
}

void recovery_backoff_close(struct recovery_backoff *backoff)
{
	recovery_backoff_remove_locked(backoff, recovery_backoff_match_all, 0);
	pthread_mutex_destroy(&backoff->lock);
	free(backoff->buckets);
	free(backoff);
}

static struct recovery_backoff_extent **recovery_backoff_bucket(struct recovery_backoff_extent **buckets,
					      uint32_t nr, uint64_t ino,
					      uint64_t index)
{
	uint64_t hash =
		(ino * 0x9e3779b97f4a7c15u) ^ (index * 0xc2b2ae3d27d4eb4fu);

	return &buckets[(hash >> 32) & (nr - 1)];
}

/* What points at the extent, or at the end of its chain. */
static struct recovery_backoff_extent **recovery_backoff_find_locked(struct recovery_backoff *backoff,
						   uint64_t ino, uint64_t index)
{
	struct recovery_backoff_extent **at = recovery_backoff_bucket(
		backoff->buckets, backoff->nr_buckets, ino, index);

	while (*at && ((*at)->index != index || (*at)->ino != ino))
		at = &(*at)->next;
	return at;
}

static void recovery_backoff_forget_locked(struct recovery_backoff *backoff,
				  struct recovery_backoff_extent **at)
{
	struct recovery_backoff_extent *extent = *at;

	*at = extent->next;
	free(extent);
	backoff->nr--;
}

bool recovery_backoff_holds(struct recovery_backoff *backoff, uint64_t ino, uint64_t index,
		   uint32_t evidence, uint64_t now)
{
	struct recovery_backoff_extent **at;
	bool holds = false;

	pthread_mutex_lock(&backoff->lock);
	at = recovery_backoff_find_locked(backoff, ino, index);
	if (*at) {
		if ((*at)->evidence == RECOVERY_BACKOFF_UNKNOWN)
			(*at)->evidence = evidence;
		holds = now < (*at)->until;
		if ((*at)->evidence != evidence) {
			recovery_backoff_forget_locked(backoff, at);
			holds = false;
		}
	}
	pthread_mutex_unlock(&backoff->lock);
	return holds;
}

bool recovery_backoff_holds_still(struct recovery_backoff *backoff, uint64_t ino, uint64_t index,
			 uint64_t now)
{
	struct recovery_backoff_extent **at;
	bool holds;

	pthread_mutex_lock(&backoff->lock);
	at = recovery_backoff_find_locked(backoff, ino, index);
	holds = *at && now < (*at)->until;
	pthread_mutex_unlock(&backoff->lock);
	return holds;
}

/* Doubles the buckets. Without memory the chains just stay longer. */
static void recovery_backoff_grow_locked(struct recovery_backoff *backoff)
{
	uint32_t nr = backoff->nr_buckets * 2;
	struct recovery_backoff_extent **wider = calloc(nr, sizeof(*wider));
	struct recovery_backoff_extent **at, *extent;

	if (!wider)
		return;
	for (uint32_t i = 0; i < backoff->nr_buckets; i++) {
		while ((extent = backoff->buckets[i])) {
			backoff->buckets[i] = extent->next;
			at = recovery_backoff_bucket(wider, nr, extent->ino,
					    extent->index);
			extent->next = *at;
			*at = extent;
		}
	}
	free(backoff->buckets);
	backoff->buckets = wider;
	backoff->nr_buckets = nr;
}

static struct recovery_backoff_extent *recovery_backoff_add_locked(struct recovery_backoff *backoff,
						 uint64_t ino, uint64_t index)
{
	struct recovery_backoff_extent *extent, **at;

	if (backoff->nr == RECOVERY_BACKOFF_MAX_EXTENTS)
		return NULL;
	extent = calloc(1, sizeof(*extent));
	if (!extent)
		return NULL;
	extent->ino = ino;
	extent->index = index;
	if (++backoff->nr > backoff->nr_buckets)
		recovery_backoff_grow_locked(backoff);
	at = recovery_backoff_bucket(backoff->buckets, backoff->nr_buckets, ino, index);
	extent->next = *at;
	*at = extent;
	return extent;
}

void recovery_backoff_forget(struct recovery_backoff *backoff, uint64_t ino,
			     uint64_t index)
{
	struct recovery_backoff_extent **at;

	pthread_mutex_lock(&backoff->lock);
	at = recovery_backoff_find_locked(backoff, ino, index);
	if (*at)
		recovery_backoff_forget_locked(backoff, at);
	pthread_mutex_unlock(&backoff->lock);
}

/* For want of memory, as far as that can be told. */
static bool recovery_backoff_is_memory(unsigned reason)
{
	return reason == HUGETMPFS_REASON_NO_HUGE_PAGE ||
	       reason == HUGETMPFS_REASON_OVER_LIMIT ||
	       reason == HUGETMPFS_REASON_SWAP_FAILED ||
	       reason == HUGETMPFS_REASON_AGAIN;
}

/* Whether that may be over without anybody doing something to the extent. */
static bool recovery_backoff_passes(unsigned reason)
{
	return recovery_backoff_is_memory(reason) ||
	       reason == HUGETMPFS_REASON_PINNED ||
	       reason == HUGETMPFS_REASON_FAILED;
}

uint64_t recovery_backoff_until(struct recovery_backoff *backoff, uint64_t ino,
				uint64_t index)
{
	struct recovery_backoff_extent *extent;
	uint64_t until = 0;

	pthread_mutex_lock(&backoff->lock);
	extent = *recovery_backoff_find_locked(backoff, ino, index);
	if (extent && recovery_backoff_passes(extent->reason))
		until = extent->until;
	pthread_mutex_unlock(&backoff->lock);
	return until;
}

uint64_t recovery_backoff_store(struct recovery_backoff *backoff, uint64_t ino,
				uint64_t index, enum hugetmpfs_reason reason,
				uint64_t now)
{
	struct recovery_backoff_extent *extent;
	uint64_t until = now + RECOVERY_BACKOFF_FIRST_TICKS;

	pthread_mutex_lock(&backoff->lock);
	extent = *recovery_backoff_find_locked(backoff, ino, index);
	if (!extent)
		extent = recovery_backoff_add_locked(backoff, ino, index);
	if (extent) {
		extent->until = now + ((uint64_t) RECOVERY_BACKOFF_FIRST_TICKS
				       << extent->fails);
		extent->fails += extent->fails < RECOVERY_BACKOFF_DOUBLINGS;
		extent->evidence = RECOVERY_BACKOFF_UNKNOWN;
		extent->reason = (uint8_t) reason;
		until = extent->until;
	}
	pthread_mutex_unlock(&backoff->lock);
	return recovery_backoff_passes(reason) ? until : 0;
}

static bool recovery_backoff_match_memory(const struct recovery_backoff_extent *extent,
				 uint64_t arg)
{
	(void) arg;
	return recovery_backoff_is_memory(extent->reason);
}

void recovery_backoff_relent(struct recovery_backoff *backoff)
{
	pthread_mutex_lock(&backoff->lock);
	recovery_backoff_remove_locked(backoff, recovery_backoff_match_memory, 0);
	pthread_mutex_unlock(&backoff->lock);
}

static bool recovery_backoff_match_old(const struct recovery_backoff_extent *extent, uint64_t now)
{
	return now >= extent->until + RECOVERY_BACKOFF_MEMORY_TICKS;
}

void recovery_backoff_sweep(struct recovery_backoff *backoff, uint64_t now)
{
	pthread_mutex_lock(&backoff->lock);
	recovery_backoff_remove_locked(backoff, recovery_backoff_match_old, now);
	pthread_mutex_unlock(&backoff->lock);
}

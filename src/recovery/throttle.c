/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What holds up the background besides its budgets: pressure on memory, no
 * free huge page, and applications that wait for what a step holds.
 *
 * Bringing in swap is pressure by itself: the workers wait for memory as any
 * task does, and the kernel counts it. So the time in which some worker waits
 * is taken off what the kernel says; else recovery would stop itself.
 */
#include "recovery/internal.h"

#include <string.h>

#include "base/clock.h"

/* From one look at the pressure to the next. */
#define RECOVERY_PRESSURE_NS (250 * CLOCK_NS_PER_MS)

/* From one compaction of memory to the next. */
#define RECOVERY_COMPACT_NS (10 * CLOCK_NS_PER_S)

/* The part of the time of steps that a gap takes. */
#define RECOVERY_GAP_PART 16

/* That are tried ahead by one call. */
#define RECOVERY_AHEAD_EXTENTS 8

/* That one of them takes, about: a latency is to hold with all of them. */
#define RECOVERY_AHEAD_US 500

#define RECOVERY_NODES 64

static uint64_t recovery_read_ns_locked(const struct recovery *recovery,
					uint64_t now_ns)
{
	uint64_t ns = recovery->read_ns;

	return recovery->reading ? ns + now_ns - recovery->reading_ns : ns;
}

void recovery_read_begin(struct recovery *recovery)
{
	pthread_mutex_lock(&recovery->lock);
	if (!recovery->reading++)
		recovery->reading_ns = clock_now_ns();
	pthread_mutex_unlock(&recovery->lock);
}

void recovery_read_end(struct recovery *recovery)
{
	pthread_mutex_lock(&recovery->lock);
	if (!--recovery->reading)
		recovery->read_ns += clock_now_ns() - recovery->reading_ns;
	pthread_mutex_unlock(&recovery->lock);
}

static void recovery_pressure_look_locked(struct recovery *recovery)
{
	const struct mm_ops *mm = recovery->mm;
	struct mm_pressure seen = {0};
	uint64_t now_ns;
	int ret;

	recovery->looks_at_pressure = true;
	pthread_mutex_unlock(&recovery->lock);
	ret = mm->pressure(mm->context, &seen);
	pthread_mutex_lock(&recovery->lock);
	recovery->looks_at_pressure = false;
	now_ns = clock_now_ns();
	/* what cannot be seen holds up nothing */
	recovery_pressure_take(&recovery->pressure,
			       ret ? 0 : recovery->settings.pressure_percent,
			       now_ns, seen.avg10, seen.total_us,
			       recovery_read_ns_locked(recovery, now_ns));
}

uint64_t recovery_pressure_until_locked(struct recovery *recovery, bool *looked)
{
	const struct recovery_pressure *pressure = &recovery->pressure;
	const struct mm_ops *mm = recovery->mm;
	uint64_t next_ns;

	*looked = false;
	if (!recovery->settings.pressure_percent ||
	    !mm->has(mm->context, MM_PRESSURE))
		return 0;
	next_ns = pressure->seen_ns + RECOVERY_PRESSURE_NS;
	if (!recovery->looks_at_pressure &&
	    (!pressure->seen_ns || clock_now_ns() >= next_ns)) {
		recovery_pressure_look_locked(recovery);
		*looked = true;
		next_ns = pressure->seen_ns + RECOVERY_PRESSURE_NS;
	}
	return pressure->high ? next_ns : 0;
}

/* Whether it is this worker's to have memory compacted now. */
static bool recovery_compact_is_due(struct recovery *recovery)
{
	const struct mm_ops *mm = recovery->mm;
	uint64_t now_ns = clock_now_ns();
	bool due;

	if (!mm->has(mm->context, MM_COMPACT))
		return false;
	pthread_mutex_lock(&recovery->lock);
	due = recovery->settings.compact &&
	      (!recovery->compacted_ns ||
	       now_ns - recovery->compacted_ns >= RECOVERY_COMPACT_NS);
	if (due)
		recovery->compacted_ns = now_ns;
	pthread_mutex_unlock(&recovery->lock);
	return due;
}

/* Takes a block of the node, or of any where the node is not known. */
static bool recovery_block_take(uint32_t *blocks, int nid)
{
	if (nid >= RECOVERY_NODES)
		return true;
	for (int i = 0; nid < 0 && i < RECOVERY_NODES; i++) {
		if (blocks[i])
			nid = i;
	}
	if (nid < 0 || !blocks[nid])
		return false;
	blocks[nid]--;
	return true;
}

static bool recovery_block_find(struct recovery *recovery, uint32_t *blocks,
				int nid)
{
	const struct mm_ops *mm = recovery->mm;

	if (recovery_block_take(blocks, nid))
		return true;
	return recovery_compact_is_due(recovery) &&
	       !mm->compact(mm->context, nid) &&
	       !mm->free_blocks(mm->context, blocks, RECOVERY_NODES) &&
	       recovery_block_take(blocks, nid);
}

void recovery_batch_find_blocks(struct recovery_batch *batch)
{
	struct recovery *recovery = batch->recovery;
	const struct mm_ops *mm = recovery->mm;
	struct recovery_settings settings;
	uint32_t blocks[RECOVERY_NODES];
	struct recovery_item *item;
	int nid;

	batch->gap_ns = clock_now_ns();
	recovery_settings_get(recovery, &settings);
	if (!batch->background || !settings.free_block ||
	    !mm->has(mm->context, MM_BUDDYINFO) ||
	    mm->free_blocks(mm->context, blocks, RECOVERY_NODES))
		return;
	for (item = batch->items; item < batch->items + batch->nr; item++) {
		nid = item->team.now.target_nid;
		if (nid < 0)
			nid = item->team.now.nid;
		if (item->team.step != TEAM_END &&
		    item->team.todo & HUGETMPFS_PASS_COLLAPSE &&
		    !recovery_block_find(recovery, blocks, nid))
			team_give_up(&item->team,
				     HUGETMPFS_REASON_NO_HUGE_PAGE, 0);
	}
}

uint32_t recovery_batch_ahead(const struct recovery_batch *batch)
{
	struct recovery_settings settings;

	if (!batch->background)
		return RECOVERY_AHEAD_EXTENTS;
	recovery_settings_get(batch->recovery, &settings);
	if (settings.latency_us / RECOVERY_AHEAD_US < RECOVERY_AHEAD_EXTENTS)
		return settings.latency_us / RECOVERY_AHEAD_US;
	return RECOVERY_AHEAD_EXTENTS;
}

void recovery_batch_gap(struct recovery_batch *batch)
{
	struct recovery_settings settings;
	uint64_t latency_ns;

	if (!batch->background)
		return;
	recovery_settings_get(batch->recovery, &settings);
	latency_ns = settings.latency_us * UINT64_C(1000);
	if (clock_now_ns() - batch->gap_ns < latency_ns)
		return;
	recovery_batch_wait(batch, latency_ns / RECOVERY_GAP_PART);
	batch->gap_ns = clock_now_ns();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each budget is a bucket of tokens, kept as one number: the time at which it
 * will be full again but for what runs over after a slack. Whoever takes moves
 * that time by what it costs, and the next begins when it has been reached; a
 * bucket that was not used for long is no fuller than the slack. So what is
 * taken may cost any amount: it is paid for after, and never more is let go
 * than the rate and one slack, and one step.
 */
#include "recovery/budget.h"

#include <hugetmpfs/types.h>

#define NS_PER_SECOND	UINT64_C(1000000000)
#define BUDGET_SLACK_NS (NS_PER_SECOND / 20)

static uint64_t budget_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* amount * scale / rate, upwards; the largest number when it is larger. */
static uint64_t budget_scale(uint64_t amount, uint64_t scale, uint64_t rate)
{
	unsigned __int128 cost = (unsigned __int128) amount * scale;

	cost = (cost + rate - 1) / rate;
	return cost > UINT64_MAX ? UINT64_MAX : (uint64_t) cost;
}

static void budget_take(uint64_t *at_ns, uint64_t now_ns, uint64_t cost_ns)
{
	uint64_t least = now_ns > BUDGET_SLACK_NS ? now_ns - BUDGET_SLACK_NS : 0;

	*at_ns = budget_add(*at_ns > least ? *at_ns : least, cost_ns);
}

uint64_t recovery_budget_wait(const struct recovery_budget *budget,
			      const struct recovery_settings *settings,
			      uint64_t now_ns)
{
	uint64_t at_ns = 0;

	if (settings->bytes_per_second)
		at_ns = budget->bytes_at_ns;
	if (settings->cpu_percent && budget->cpu_at_ns > at_ns)
		at_ns = budget->cpu_at_ns;
	return at_ns > now_ns ? at_ns - now_ns : 0;
}

uint32_t recovery_budget_extents(const struct recovery_settings *settings,
				 uint32_t most)
{
	uint64_t extents;

	if (!settings->bytes_per_second)
		return most;
	extents = settings->bytes_per_second / (NS_PER_SECOND / BUDGET_SLACK_NS) /
		  HUGETMPFS_EXTENT_BYTES;
	if (extents == 0)
		return 1;
	return extents < most ? (uint32_t) extents : most;
}

void recovery_budget_take_extents(struct recovery_budget *budget,
				  const struct recovery_settings *settings,
				  uint64_t now_ns, uint32_t nr)
{
	if (settings->bytes_per_second)
		budget_take(&budget->bytes_at_ns, now_ns,
			    budget_scale(nr * HUGETMPFS_EXTENT_BYTES,
					 NS_PER_SECOND,
					 settings->bytes_per_second));
}

void recovery_budget_take_cpu(struct recovery_budget *budget,
			      const struct recovery_settings *settings,
			      uint64_t now_ns, uint64_t cpu_ns)
{
	if (settings->cpu_percent)
		budget_take(&budget->cpu_at_ns, now_ns,
			    budget_scale(cpu_ns, 100, settings->cpu_percent));
}

/* The average falls slowly: what was since the last look says when it ends. */
static bool pressure_lasts(const struct recovery_pressure *pressure,
			   uint32_t most_percent, uint64_t now_ns,
			   uint64_t total_us, uint64_t own_ns)
{
	uint64_t stalled_ns, ours_ns, window_ns = now_ns - pressure->seen_ns;

	/* looked at too long ago to say what is now */
	if (!pressure->seen_ns || window_ns > 2 * NS_PER_SECOND)
		return true;
	stalled_ns = budget_scale(total_us - pressure->total_us, 1000, 1);
	ours_ns = own_ns - pressure->own_ns;
	stalled_ns = stalled_ns > ours_ns ? stalled_ns - ours_ns : 0;
	return stalled_ns > budget_scale(window_ns, most_percent, 100);
}

void recovery_pressure_take(struct recovery_pressure *pressure,
			    uint32_t most_percent, uint64_t now_ns,
			    uint32_t avg10, uint64_t total_us, uint64_t own_ns)
{
	pressure->high = most_percent && avg10 > most_percent * 100 &&
			 pressure_lasts(pressure, most_percent, now_ns,
					total_us, own_ns);
	pressure->seen_ns = now_ns;
	pressure->total_us = total_us;
	pressure->own_ns = own_ns;
}

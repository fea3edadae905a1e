/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One step of a pass on one extent, and who hears of it.
 */
#include "recovery/internal.h"

#include "base/clock.h"

static const enum recovery_latency recovery_step_latencies[] = {
	[TEAM_SWAPIN] = RECOVERY_LATENCY_swapin,
	[TEAM_COLLAPSE] = RECOVERY_LATENCY_collapse,
	[TEAM_REMAP] = RECOVERY_LATENCY_remap,
};

void recovery_step_run(struct recovery_batch *batch, struct recovery_item *item,
		       recovery_step_fn *step)
{
	enum team_step which = item->team.step;
	uint64_t begun_ns = clock_now_ns();

	step(batch, item);
	recovery_latency_add(batch->recovery->config.latencies,
			     recovery_step_latencies[which],
			     clock_now_ns() - begun_ns + item->ahead_ns);
	item->ahead_ns = 0;
	recovery_batch_gap(batch);
}

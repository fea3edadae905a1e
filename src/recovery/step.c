/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One step of a pass on one extent, and who hears of it.
 */
#include "recovery/internal.h"

#include "base/clock.h"

static const enum recovery_latency recovery_step_latencies[] = {
	[TEAM_SWAPIN] = RECOVERY_LATENCY_swapin,
	[TEAM_MIGRATE] = RECOVERY_LATENCY_migrate,
	[TEAM_COLLAPSE] = RECOVERY_LATENCY_collapse,
	[TEAM_PLACE] = RECOVERY_LATENCY_migrate,
	[TEAM_REMAP] = RECOVERY_LATENCY_remap,
};

static void recovery_step_tell(struct recovery_batch *batch,
			       struct recovery_item *item,
			       struct recovery_trace_event *event,
			       const struct team_facts *before)
{
	const struct team *team = &item->team;

	if (!recovery_is_traced(batch->recovery))
		return;
	event->ino = batch->target->ino;
	event->index = team->index;
	event->pages = team->now.resident + team->now.swapped;
	if (team->now.huge)
		event->pages = HUGETMPFS_EXTENT_PAGES;
	event->before = (uint8_t) team_state(before);
	event->after = (uint8_t) team_state(&team->now);
	/* huge it may be before it is mapped so: the last step tells */
	item->told = HUGETMPFS_REASON_NOT_ASKED;
	if (team->step == TEAM_END)
		item->told = team->reason;
	event->reason = (uint8_t) item->told;
	recovery_trace_add(batch->recovery, event);
}

void recovery_step_run(struct recovery_batch *batch, struct recovery_item *item,
		       recovery_step_fn *step)
{
	enum team_step which = item->team.step;
	enum recovery_latency latency = recovery_step_latencies[which];
	struct recovery_trace_event event = {
		.pass = recovery_latency_names[latency],
	};
	struct team_facts before = item->team.now;
	uint64_t begun_ns = clock_now_ns();

	step(batch, item);
	event.duration_ns = clock_now_ns() - begun_ns + item->ahead_ns;
	item->ahead_ns = 0;
	recovery_latency_add(batch->recovery->config.latencies, latency,
			     event.duration_ns);
	if (which == TEAM_COLLAPSE && item->mm.addr)
		event.pid = item->mm.mapper->pid;
	/* it is to be tried again, or was given up; else it has done its part */
	if (item->team.step == which)
		event.error = (uint8_t) -item->error;
	else if (item->team.step == TEAM_END)
		event.error = item->team.error;
	recovery_step_tell(batch, item, &event, &before);
	recovery_batch_gap(batch);
}

void recovery_step_end(struct recovery_batch *batch, struct recovery_item *item)
{
	struct recovery_trace_event event = {
		.pass = "end",
		.error = item->team.error,
	};

	if (item->told != item->team.reason)
		recovery_step_tell(batch, item, &event, &item->team.begin);
}

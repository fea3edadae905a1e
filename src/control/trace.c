/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the engine's ring to lines of text. The ring is looked at some times a
 * second, which holds up nobody: the engine rings no bell.
 */
#include "control/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include <hugetmpfs/types.h>

#include "base/clock.h"
#include "control/answer.h"
#include "control/server.h"
#include "recovery/trace.h"

#define TRACE_LOOK_NS (50 * CLOCK_NS_PER_MS)
#define TRACE_ALIVE_NS CLOCK_NS_PER_S
#define TRACE_EVENTS 256 /* at a time */

static const char *const state_names[] = {
#define X(constant, name, meaning) [HUGETMPFS_##constant] = name,
	HUGETMPFS_STATES(X)
#undef X
};

static const char *const reason_names[] = {
#define X(constant, name, meaning) [HUGETMPFS_REASON_##constant] = name,
	HUGETMPFS_REASONS(X)
#undef X
};

struct trace {
	const struct control_config *config;
	uint64_t cursor;
	uint64_t looked_ns;
	uint64_t alive_ns; /* when the client heard something last */
	uint64_t ino;	   /* of the path, 0: none yet */
	char path[PATH_MAX];
	struct recovery_trace_event events[TRACE_EVENTS];
};

int trace_create(struct trace **out, const struct control_config *config)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int ret;

	if (!trace)
		return -ENOMEM;
	trace->config = config;
	ret = recovery_trace_begin(config->recovery, &trace->cursor);
	if (ret) {
		free(trace);
		return ret;
	}
	*out = trace;
	return 0;
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	recovery_trace_end(trace->config->recovery);
	free(trace);
}

uint64_t trace_due(const struct trace *trace)
{
	return trace->looked_ns + TRACE_LOOK_NS;
}

static void add_event(struct trace *trace, struct answer *answer,
		      const struct recovery_trace_event *event)
{
	const char *below = trace->config->mountpoint;

	/* steps on one file follow each other: asked for once in a row */
	if (event->ino != trace->ino) {
		trace->ino = event->ino;
		recovery_trace_path(trace->config->recovery, event->ino,
				    trace->path, sizeof(trace->path));
	}
	answer_line(answer, "trace",
		    "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s %s %u %" PRIu64
		    " %s %d %u %s%s",
		    event->time_ns, event->ino, event->index, event->pass,
		    state_names[event->before], state_names[event->after],
		    event->pages, event->duration_ns,
		    reason_names[event->reason], (int) event->pid,
		    event->error, trace->path[0] ? below : "", trace->path);
}

void trace_run(struct trace *trace, struct answer *answer)
{
	uint64_t now_ns = clock_now_ns(), lost;
	size_t nr;

	if (now_ns < trace_due(trace))
		return;
	trace->ino = 0; /* it may have been renamed */
	nr = recovery_trace_read(trace->config->recovery, &trace->cursor,
				 trace->events, TRACE_EVENTS, &lost);
	/* more at once when there may be more */
	trace->looked_ns = nr < TRACE_EVENTS ? now_ns : 0;
	if (lost)
		answer_line(answer, "lost", "%" PRIu64, lost);
	for (size_t i = 0; i < nr; i++)
		add_event(trace, answer, &trace->events[i]);
	if (now_ns - trace->alive_ns >= TRACE_ALIVE_NS) {
		answer_line(answer, "tracing", "%s", "");
		trace->alive_ns = now_ns;
	}
}

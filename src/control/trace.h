/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client that watches the engine: what has happened since it was told last,
 * as lines of its answer.
 */
#ifndef CONTROL_TRACE_H
#define CONTROL_TRACE_H

#include <stdint.h>

struct answer;
struct control_config;
struct trace;

/* Returns 0 or a negative errno, as recovery_trace_begin(). */
int trace_create(struct trace **out, const struct control_config *config);

/* NULL is allowed. */
void trace_destroy(struct trace *trace);

/*
 * Adds what is new to an answer that is empty, at most some packets of it, so
 * that memory does not depend on how fast the client reads.
 */
void trace_run(struct trace *trace, struct answer *answer);

/* When it should be run next, in ns. */
uint64_t trace_due(const struct trace *trace);

#endif

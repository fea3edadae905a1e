/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a trace, from the daemon's to those for people and programs, on
 * standard output.
 */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

#include <stdbool.h>

struct trace_output {
	bool json;
	bool begun; /* the heading is written */
};

/* Writes the heading, if there is one, before anything else. */
void trace_begin(struct trace_output *output);

/* The value of a line "trace" or "lost". Return 0 or -EPROTO. */
int trace_event(struct trace_output *output, const char *value);
int trace_lost(struct trace_output *output, const char *value);

#endif

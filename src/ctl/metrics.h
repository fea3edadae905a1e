/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a mount as metrics for a monitoring system: OpenMetrics 1.0
 * text, or the text format of Prometheus 0.0.4, which has other rules for the
 * names of counters and knows fewer types.
 */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* What is written, and about which mount. */
struct metrics {
	FILE *out;
	bool prometheus;
	const char *mountpoint; /* UTF-8 */
	json_t *status;	  /* of status_new(), filled by metrics_line() */
	json_t *meanings; /* an object: of counters, by name */
};

/* A hugetmpfs_line_fn for the answer to PROTOCOL_METRICS. */
int metrics_line(void *metrics, const char *key, const char *value);

/* Writes all there is to say of a mount whose daemon has answered. */
void metrics_write(struct metrics *metrics);

/* The same of one whose daemon is dead, or does not answer. */
void metrics_write_down(struct metrics *metrics);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often daemons die: whether to start another one. Who was killed from
 * outside may be relieved often; who dies by itself will soon die again of the
 * same, and who dies before it serves even if it takes its time.
 */
#ifndef KEEPER_DEATHS_H
#define KEEPER_DEATHS_H

#include <stdbool.h>
#include <stdint.h>

#define DEATHS_WINDOW_MS 10000
#define DEATHS_MAX	 5   /* within the window */
#define DEATHS_MAX_KILLS 200 /* by SIGKILL */
#define DEATHS_MAX_UNREADY 5 /* one after the other, at whatever time */

enum death {
	DEATH_BY_ITSELF,
	DEATH_KILLED,	/* by SIGKILL: from outside, or for want of memory */
	DEATH_UNREADY,	/* by itself, before it served */
};

struct deaths {
	uint64_t since_ms; /* when the window began */
	unsigned nr;
	unsigned nr_kills;
	unsigned nr_unready; /* since one was ready */
};

uint64_t deaths_now_ms(void);

/* Counts one. Returns true when there are too many. */
bool deaths_add(struct deaths *deaths, uint64_t now_ms, enum death death);

/* A daemon serves: those that died before it did not die of what they met. */
void deaths_end_unready(struct deaths *deaths);

#endif

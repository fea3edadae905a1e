/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often daemons die: whether to start another one. Who was killed from
 * outside may be relieved often; who dies by itself will soon die again of the
 * same.
 */
#ifndef KEEPER_DEATHS_H
#define KEEPER_DEATHS_H

#include <stdbool.h>
#include <stdint.h>

#define DEATHS_WINDOW_MS 10000
#define DEATHS_MAX	 5   /* within the window */
#define DEATHS_MAX_KILLS 200 /* by SIGKILL */

struct deaths {
	uint64_t since_ms; /* when the window began */
	unsigned nr;
	unsigned nr_kills;
};

uint64_t deaths_now_ms(void);

/* Counts one. Returns true when there are too many. */
bool deaths_add(struct deaths *deaths, uint64_t now_ms, bool was_killed);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counting deaths, in one window of time after the other.
 */
#include "keeper/deaths.h"

#include <time.h>

uint64_t deaths_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

bool deaths_add(struct deaths *deaths, uint64_t now_ms, enum death death)
{
	if (now_ms - deaths->since_ms >= DEATHS_WINDOW_MS) {
		deaths->since_ms = now_ms;
		deaths->nr = deaths->nr_kills = 0;
	}
	if (death == DEATH_KILLED)
		deaths->nr_kills++;
	else
		deaths->nr++;
	if (death == DEATH_UNREADY)
		deaths->nr_unready++;
	return deaths->nr > DEATHS_MAX || deaths->nr_kills > DEATHS_MAX_KILLS ||
	       deaths->nr_unready > DEATHS_MAX_UNREADY;
}

void deaths_end_unready(struct deaths *deaths)
{
	deaths->nr_unready = 0;
}

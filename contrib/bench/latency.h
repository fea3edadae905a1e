/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes the time of each of an application's reads at random places.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

struct latency;

/* NULL without memory. */
struct latency *latency_new(void);
void latency_free(struct latency *latency);

/*
 * Starts a thread that reads words of the memory until latency_stop(). Returns
 * 0 or a positive errno.
 */
int latency_start(struct latency *latency, const void *memory, size_t bytes);

/* What was counted up to now does not count. */
void latency_forget(struct latency *latency);

/* Returns the number of reads that count. Once stopped, only that. */
uint64_t latency_stop(struct latency *latency);

/* The time that a part of the reads (0 to 1) took at most; 3 % exact. */
uint64_t latency_ns(const struct latency *latency, double part);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the engine's steps take: a histogram each, in buckets whose upper
 * bounds are powers of two of microseconds.
 */
#ifndef RECOVERY_LATENCY_H
#define RECOVERY_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, what one duration is of) */
#define RECOVERY_LATENCIES(X)                                                  \
	X(look, "looks at the extents of one batch")                           \
	X(swapin, "waits for the swapped pages of one extent")                 \
	X(collapse, "tries to make one extent huge")                           \
	X(remap, "mappings of one huge extent in its other mappers")           \
	X(scan, "looks at all processes for extents used by small pages")      \
	X(migrate, "tries to move one extent to its NUMA node")

enum recovery_latency {
#define X(name, meaning) RECOVERY_LATENCY_##name,
	RECOVERY_LATENCIES(X)
#undef X
	RECOVERY_NR_LATENCIES
};

/* Bucket i: up to 2^i us, but not what fits the one before; the last: more. */
#define RECOVERY_LATENCY_BUCKETS 25

struct recovery_histogram {
	_Atomic uint64_t sum_ns;
	_Atomic uint64_t count[RECOVERY_LATENCY_BUCKETS];
};

/* May lie in shared memory and outlive the engine: part of a format. */
struct recovery_latencies {
	struct recovery_histogram histogram[RECOVERY_NR_LATENCIES];
};

extern const char *const recovery_latency_names[RECOVERY_NR_LATENCIES];
extern const char *const recovery_latency_meanings[RECOVERY_NR_LATENCIES];

/* The bucket that a duration belongs to. */
unsigned recovery_latency_bucket(uint64_t ns);

/* latencies NULL: nobody keeps them. */
void recovery_latency_add(struct recovery_latencies *latencies,
			  enum recovery_latency which, uint64_t ns);

#endif

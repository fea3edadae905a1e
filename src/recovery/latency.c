/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Histograms of durations.
 */
#include "recovery/latency.h"

#include <stddef.h>

const char *const recovery_latency_names[RECOVERY_NR_LATENCIES] = {
#define X(name, meaning) [RECOVERY_LATENCY_##name] = #name,
	RECOVERY_LATENCIES(X)
#undef X
};

const char *const recovery_latency_meanings[RECOVERY_NR_LATENCIES] = {
#define X(name, meaning) [RECOVERY_LATENCY_##name] = meaning,
	RECOVERY_LATENCIES(X)
#undef X
};

unsigned recovery_latency_bucket(uint64_t ns)
{
	uint64_t us = ns / 1000 + (ns % 1000 != 0);
	unsigned bucket;

	if (us <= 1)
		return 0;
	/* the power of two that is not below it */
	bucket = 64 - (unsigned) __builtin_clzll(us - 1);
	return bucket < RECOVERY_LATENCY_BUCKETS ? bucket :
						   RECOVERY_LATENCY_BUCKETS - 1;
}

void recovery_latency_add(struct recovery_latencies *latencies,
			  enum recovery_latency which, uint64_t ns)
{
	struct recovery_histogram *histogram;

	if (!latencies)
		return;
	histogram = &latencies->histogram[which];
	atomic_fetch_add_explicit(&histogram->sum_ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(
		&histogram->count[recovery_latency_bucket(ns)], 1,
		memory_order_relaxed);
}

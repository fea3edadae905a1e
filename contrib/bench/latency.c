/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread that reads and counts in buckets: 32 for each power of two.
 */
#include "latency.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define STEPS	   32
#define STEP_BITS  5
#define NR_BUCKETS (STEPS * 40)

struct latency {
	pthread_t thread;
	bool started;
	const volatile uint64_t *memory;
	size_t words;
	atomic_bool stop;
	atomic_bool forget;
	uint64_t count;
	uint64_t buckets[NR_BUCKETS];
};

struct latency *latency_new(void)
{
	return calloc(1, sizeof(struct latency));
}

void latency_free(struct latency *latency)
{
	latency_stop(latency);
	free(latency);
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned power, at;

	if (ns < STEPS)
		return (unsigned) ns;
	power = 63 - (unsigned) __builtin_clzll(ns);
	at = (power - STEP_BITS + 1) * STEPS +
	     (unsigned) ((ns >> (power - STEP_BITS)) % STEPS);
	return at < NR_BUCKETS ? at : NR_BUCKETS - 1;
}

static uint64_t bucket_ns(unsigned bucket)
{
	unsigned power = bucket / STEPS + STEP_BITS - 1;

	if (bucket < STEPS)
		return bucket;
	return (uint64_t) (STEPS + bucket % STEPS) << (power - STEP_BITS);
}

static void clear(struct latency *latency)
{
	latency->count = 0;
	memset(latency->buckets, 0, sizeof(latency->buckets));
}

static void *run(void *arg)
{
	struct latency *latency = arg;
	uint64_t state = 88172645463325252, before = clock_now_ns(), now;

	while (!atomic_load_explicit(&latency->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&latency->forget,
					 memory_order_relaxed)) {
			atomic_store(&latency->forget, false);
			clear(latency);
			before = clock_now_ns();
		}
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		/* the next place depends on what was read */
		state += latency->memory[state % latency->words] & 1;
		now = clock_now_ns();
		latency->buckets[bucket_of(now - before)]++;
		latency->count++;
		before = now;
	}
	return NULL;
}

int latency_start(struct latency *latency, const void *memory, size_t bytes)
{
	int ret;

	latency_stop(latency);
	clear(latency);
	latency->memory = memory;
	latency->words = bytes / sizeof(*latency->memory);
	atomic_store(&latency->stop, false);
	atomic_store(&latency->forget, false);
	ret = pthread_create(&latency->thread, NULL, run, latency);
	latency->started = !ret;
	return ret;
}

void latency_forget(struct latency *latency)
{
	atomic_store(&latency->forget, true);
}

uint64_t latency_stop(struct latency *latency)
{
	if (latency->started) {
		atomic_store(&latency->stop, true);
		pthread_join(latency->thread, NULL);
		latency->started = false;
	}
	return latency->count;
}

uint64_t latency_ns(const struct latency *latency, double part)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < NR_BUCKETS; i++) {
		below += latency->buckets[i];
		if (below && (double) below >= part * (double) latency->count)
			return bucket_ns(i);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine on a fake kernel, and a caller that waits for its answer: the
 * fixture of the unit tests of recovery/. A header, because each test is one
 * program.
 */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake/fake_mm.h"
#include "recovery/counters.h"
#include "recovery/recovery.h"

struct engine {
	struct fake_mm fake;
	struct recovery_counters counters;
	struct recovery_latencies *latencies; /* may be NULL */
	unsigned patience_ms;		      /* 0: no end of it */
	unsigned pause_us;		      /* 0: 1 us */
	struct recovery *recovery;
	struct recovery_file file;
};

struct caller {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned done; /* how often it was called */
	pthread_t thread; /* from which */
	int error;
	uint32_t nr;
	uint64_t size_bytes;
	struct hugetmpfs_extent extents[512];
};

/* fake_mm_init() must have been called; the file is an empty one in memory. */
static inline void engine_start(struct engine *engine, unsigned recoveries)
{
	struct recovery_config config = {.latencies = engine->latencies,
					 .patience_ms = engine->patience_ms};

	config.pause_us = engine->pause_us ? engine->pause_us : 1;
	/* a test that is slow is not stuck */
	if (!config.patience_ms)
		config.patience_ms = UINT32_MAX;

	recovery_settings_init(&config.settings);
	config.settings.recoveries = recoveries;
	memset(&engine->counters, 0, sizeof(engine->counters));
	engine->file.fd = memfd_create("test", MFD_CLOEXEC);
	engine->file.ino = FAKE_INO;
	assert_true(engine->file.fd >= 0);
	assert_int_equal(recovery_create(&engine->recovery, &config,
					 &engine->fake.ops, &engine->counters),
			 0);
	assert_int_equal(recovery_start(engine->recovery), 0);
}

static inline void engine_stop(struct engine *engine)
{
	unsigned left = recovery_destroy(engine->recovery);

	if (!engine->patience_ms)
		assert_int_equal(left, 0);
	close(engine->file.fd);
	fake_mm_destroy(&engine->fake);
}

static inline void caller_init(struct caller *caller)
{
	memset(caller, 0, sizeof(*caller));
	pthread_mutex_init(&caller->lock, NULL);
	pthread_cond_init(&caller->cond, NULL);
}

static inline void caller_done(void *arg, const struct recovery_result *result)
{
	struct caller *caller = arg;

	pthread_mutex_lock(&caller->lock);
	caller->done++;
	caller->thread = pthread_self();
	caller->error = result->error;
	caller->nr = result->nr;
	caller->size_bytes = result->size_bytes;
	memcpy(caller->extents, result->extents,
	       result->nr * sizeof(*result->extents));
	pthread_cond_broadcast(&caller->cond);
	pthread_mutex_unlock(&caller->lock);
}

static inline void caller_wait(struct caller *caller)
{
	pthread_mutex_lock(&caller->lock);
	while (!caller->done)
		pthread_cond_wait(&caller->cond, &caller->lock);
	pthread_mutex_unlock(&caller->lock);
}

/* Submits and waits for the answer. */
static inline void engine_recover(struct engine *engine, struct caller *caller,
				  uint64_t first, uint32_t nr, uint32_t flags)
{
	caller_init(caller);
	assert_int_equal(recovery_submit(engine->recovery, &engine->file, first,
					 nr, flags, caller_done, caller, NULL),
			 0);
	caller_wait(caller);
}

static inline void engine_offer(struct engine *engine, uint64_t first,
				uint32_t nr)
{
	assert_int_equal(recovery_offer(engine->recovery, &engine->file, first,
					nr), 0);
}

/* Changes the settings that text names. */
static inline void engine_set(struct engine *engine, const char *text)
{
	struct recovery_settings settings;
	char error[256];

	recovery_settings_get(engine->recovery, &settings);
	assert_int_equal(recovery_settings_parse(&settings, text, error,
						 sizeof(error)), 0);
	assert_int_equal(recovery_settings_set(engine->recovery, &settings), 0);
}

static inline void engine_wait_count(struct engine *engine,
				     enum recovery_counter which, uint64_t nr)
{
	while (atomic_load(&engine->counters.count[which]) < nr)
		sched_yield();
}

#define engine_count(engine, name) \
	atomic_load(&(engine)->counters.count[RECOVERY_COUNT_##name])
#define engine_ended(engine, reason)                                   \
	atomic_load(&(engine)->counters.count[RECOVERY_COUNT_reasons + \
					      HUGETMPFS_REASON_##reason])

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine on a fake kernel that looks for what to do by itself, and a test
 * that waits for it: the fixture of the unit tests of the scan. A header,
 * because each test is one program.
 */
#ifndef FAKE_BACKGROUND_H
#define FAKE_BACKGROUND_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>

#include "fake/engine.h"

#define TICK_MS 2

/* The scan may be slow on a busy machine, but it comes. */
#define PATIENCE_MS 20000

static struct engine engine;
static struct fake_mapper *mapper = engine.fake.mappers;

static inline int open_ino(void *arg, uint64_t ino, int flags)
{
	(void) arg;
	(void) flags;
	if (ino != FAKE_INO)
		return -ENOENT;
	return fcntl(engine.file.fd, F_DUPFD_CLOEXEC, 0);
}

static inline int next_ino(void *arg, uint64_t *cursor, uint64_t *ino)
{
	(void) arg;
	*ino = FAKE_INO;
	return (*cursor)++ ? -ENOENT : 0;
}

static inline void start(enum recovery_recover recover)
{
	struct recovery_config config = {
		.pause_us = 1,
		.tick_ms = TICK_MS,
		.open_ino = open_ino,
		.next_ino = next_ino,
	};

	recovery_settings_init(&config.settings);
	config.settings.recoveries = 2;
	config.settings.recover = recover;
	config.settings.pressure_percent = 0;
	config.settings.free_block = false;
	memset(&engine.counters, 0, sizeof(engine.counters));
	engine.file.fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(engine.file.fd,
				   8 * HUGETMPFS_EXTENT_BYTES), 0);
	assert_int_equal(recovery_create(&engine.recovery, &config,
					 &engine.fake.ops, &engine.counters),
			 0);
	assert_int_equal(recovery_start(engine.recovery), 0);
}

static inline void use(int who, uint64_t index)
{
	pthread_mutex_lock(&engine.fake.lock);
	mapper[who].present = true;
	mapper[who].by_pte[index] = true;
	pthread_mutex_unlock(&engine.fake.lock);
}

static inline bool is_huge(uint64_t index)
{
	bool huge;

	pthread_mutex_lock(&engine.fake.lock);
	huge = engine.fake.extents[index].huge;
	pthread_mutex_unlock(&engine.fake.lock);
	return huge;
}

static inline void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static atomic_bool stuck; /* process 1 is, for a look at it */

static inline void hold_stuck(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	while (op == FAKE_WATCH_LOOK && index == 1 && atomic_load(&stuck))
		nap();
}

static inline void wait_huge(uint64_t index)
{
	for (int i = 0; !is_huge(index); i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
}

/* Waits until so many more looks have ended. */
static inline void wait_looks(unsigned nr)
{
	uint64_t until = engine_count(&engine, scan_looks) + nr;

	for (int i = 0; engine_count(&engine, scan_looks) < until; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
}

#endif

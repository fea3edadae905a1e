/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What holds up the background and never who asks by name: pressure on memory,
 * no free huge page, gaps between steps, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <sched.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fake/engine.h"

static struct engine engine;
static struct caller caller;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 64);
	return 0;
}

static void ask(uint64_t index)
{
	engine_recover(&engine, &caller, index, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
}

/* Stalled all the time, until a test says that it is over. */
static atomic_bool stalled;

static void stall_hook(void *arg, enum fake_op op, uint64_t index)
{
	struct fake_mm *fake = arg;

	(void) index;
	if (op != FAKE_PRESSURE || !atomic_load(&stalled))
		return;
	pthread_mutex_lock(&fake->lock);
	fake->pressure.total_us += 10000000;
	pthread_mutex_unlock(&fake->lock);
}

static void start_stalled(void)
{
	atomic_store(&stalled, true);
	engine.fake.pressure.avg10 = 9000;
	engine.fake.hook = stall_hook;
	engine.fake.hook_arg = &engine.fake;
	engine_start(&engine, 2);
	engine_offer(&engine, 0, 4);
	while (fake_mm_called(&engine.fake, FAKE_PRESSURE) < 3)
		sched_yield();
	assert_int_equal(engine_count(&engine, work_queued), 0);
}

/* It goes on when nobody is stalled, though the average is still high. */
static void test_pressure(void **state)
{
	(void) state;
	start_stalled();
	ask(10);
	assert_int_equal(engine_count(&engine, recov_completed), 1);
	atomic_store(&stalled, false);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 5);
	engine_stop(&engine);
}

static void test_pressure_set(void **state)
{
	(void) state;
	start_stalled();
	engine_set(&engine, "pressure_percent=0");
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 4);
	engine_stop(&engine);
	/* nor does it keep the engine from its end, or from being off */
	fake_mm_init(&engine.fake, 64);
	start_stalled();
	engine_set(&engine, "recoveries=0");
	engine_stop(&engine);
	fake_mm_init(&engine.fake, 64);
	start_stalled();
	engine_stop(&engine);
}

/* What cannot be seen holds up nothing. */
static void test_pressure_blind(void **state)
{
	(void) state;
	engine.fake.pressure.avg10 = 9000;
	engine.fake.absent = 1u << MM_PRESSURE;
	engine_start(&engine, 1);
	engine_offer(&engine, 0, 2);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 2);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_PRESSURE), 0);
	engine_stop(&engine);
	fake_mm_init(&engine.fake, 64);
	engine.fake.pressure.avg10 = 9000;
	fake_mm_fail(&engine.fake, FAKE_PRESSURE, FAKE_ANY, -EIO, 100);
	engine_start(&engine, 1);
	engine_offer(&engine, 0, 2);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 2);
	engine_stop(&engine);
}

static void test_blocks(void **state)
{
	(void) state;
	engine.fake.blocks = 1;
	engine_start(&engine, 1);
	engine_offer(&engine, 0, 3);
	engine_wait_count(&engine, RECOVERY_COUNT_reasons + HUGETMPFS_REASON_NO_HUGE_PAGE, 2);
	assert_int_equal(engine_count(&engine, recov_completed), 1);
	assert_int_equal(engine_count(&engine, huge_failed), 2);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_FREE_BLOCKS), 1);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COMPACT), 0);
	/* whoever asks by name may have the kernel move memory for it */
	engine.fake.blocks = 0;
	ask(1);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_FREE_BLOCKS), 1);
	engine_set(&engine, "free_block=off");
	engine_offer(&engine, 2, 1);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 3);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_FREE_BLOCKS), 1);
	engine_stop(&engine);
}

/* Where the numbers cannot be read, the kernel is asked. */
static void test_blocks_blind(void **state)
{
	(void) state;
	engine.fake.blocks = 0;
	fake_mm_fail(&engine.fake, FAKE_FREE_BLOCKS, FAKE_ANY, -EIO, 1);
	engine_start(&engine, 1);
	engine_offer(&engine, 0, 3);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 3);
	engine_stop(&engine);
}

/* Once, and then not again for a while. */
static void test_compact(void **state)
{
	(void) state;
	engine.fake.blocks = 0;
	engine.fake.compactable = 2;
	engine_start(&engine, 1);
	engine_set(&engine, "compact=on");
	engine_offer(&engine, 0, 4);
	engine_wait_count(&engine, RECOVERY_COUNT_reasons + HUGETMPFS_REASON_NO_HUGE_PAGE, 2);
	assert_int_equal(engine_count(&engine, recov_completed), 2);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COMPACT), 1);
	engine_stop(&engine);
}

static void slow_hook(void *arg, enum fake_op op, uint64_t index)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000000};

	(void) arg;
	(void) index;
	if (op == FAKE_COLLAPSE || op == FAKE_POPULATE)
		nanosleep(&pause, NULL);
}

/* Steps of 50 ms with a latency of as much: a gap after each. */
static void test_gap(void **state)
{
	uint64_t begun_ns;

	(void) state;
	engine.fake.hook = slow_hook;
	engine_start(&engine, 1);
	engine_set(&engine, "latency_us=50000,cpu_percent=0");
	begun_ns = clock_now_ns();
	engine_offer(&engine, 0, 4);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 4);
	assert_true(clock_now_ns() - begun_ns >=
		    4 * 50 * CLOCK_NS_PER_MS + 3 * 3 * CLOCK_NS_PER_MS);
	engine_stop(&engine);
}

/* Those of every pass count. */
static void test_gap_swapin(void **state)
{
	uint64_t begun_ns;

	(void) state;
	engine.fake.hook = slow_hook;
	for (int i = 0; i < 2; i++)
		fake_mm_set(&engine.fake, i, 0, HUGETMPFS_EXTENT_PAGES, false);
	engine_start(&engine, 1);
	engine_set(&engine, "latency_us=50000,cpu_percent=0");
	begun_ns = clock_now_ns();
	engine_offer(&engine, 0, 2);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 2);
	assert_true(clock_now_ns() - begun_ns >=
		    4 * 50 * CLOCK_NS_PER_MS + 3 * 3 * CLOCK_NS_PER_MS);
	engine_stop(&engine);
}

/* Not faster than the rate, its slack and one step allow. */
static void test_rate(void **state)
{
	uint64_t begun_ns;

	(void) state;
	engine_start(&engine, 4);
	engine_set(&engine, "bytes_per_second=40m");
	begun_ns = clock_now_ns();
	engine_offer(&engine, 0, 12);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 12);
	/* 24 MiB, of which 4 MiB go at once */
	assert_true(clock_now_ns() - begun_ns >= 450 * CLOCK_NS_PER_MS);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pressure, setup),
		cmocka_unit_test_setup(test_pressure_set, setup),
		cmocka_unit_test_setup(test_pressure_blind, setup),
		cmocka_unit_test_setup(test_blocks, setup),
		cmocka_unit_test_setup(test_blocks_blind, setup),
		cmocka_unit_test_setup(test_compact, setup),
		cmocka_unit_test_setup(test_gap, setup),
		cmocka_unit_test_setup(test_gap_swapin, setup),
		cmocka_unit_test_setup(test_rate, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

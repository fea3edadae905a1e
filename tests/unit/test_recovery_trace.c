/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is told to who watches: each step, and the end of what has none; and
 * the ring that it goes through.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/engine.h"
#include "recovery/internal.h"

#define MAX 64

static struct engine engine;
static struct caller caller;
static struct recovery_trace_event events[RECOVERY_TRACE_EVENTS + 1];
static uint64_t cursor, lost;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 4);
	engine_start(&engine, 1);
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	engine_stop(&engine);
	return 0;
}

static void expect(size_t i, const char *pass, uint64_t index,
		   enum hugetmpfs_state before, enum hugetmpfs_state after,
		   enum hugetmpfs_reason reason)
{
	assert_string_equal(events[i].pass, pass);
	assert_int_equal(events[i].ino, FAKE_INO);
	assert_int_equal(events[i].index, index);
	assert_int_equal(events[i].before, before);
	assert_int_equal(events[i].after, after);
	assert_int_equal(events[i].reason, reason);
	assert_true(events[i].time_ns > UINT64_C(1600000000) * 1000000000);
}

static size_t read_all(void)
{
	return recovery_trace_read(engine.recovery, &cursor, events, MAX,
				   &lost);
}

static void test_steps(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, 500, 12, false);
	for (int i = 1; i < 3; i++) {
		engine.fake.mappers[i].present = true;
		engine.fake.mappers[i].by_pte[0] = true;
	}
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor), 0);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(read_all(), 3);
	assert_int_equal(lost, 0);
	expect(0, "swapin", 0, HUGETMPFS_SWAPPED, HUGETMPFS_SMALL,
	       HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(events[0].pid, 0);
	expect(1, "collapse", 0, HUGETMPFS_SMALL, HUGETMPFS_HUGE,
	       HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(events[1].pid, 1);
	assert_int_equal(events[1].pages, 512);
	expect(2, "remap", 0, HUGETMPFS_HUGE, HUGETMPFS_HUGE,
	       HUGETMPFS_REASON_DONE);
	assert_int_equal(read_all(), 0);
	recovery_trace_end(engine.recovery);
}

/* Each try, and the end when they are used up. */
static void test_busy(void **state)
{
	(void) state;
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 1, -EAGAIN, 1000);
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor), 0);
	engine_recover(&engine, &caller, 1, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_AGAIN);
	assert_int_equal(read_all(), 2 * TEAM_TRIES + 1);
	for (size_t i = 0; i < 2 * TEAM_TRIES; i++)
		expect(i, "collapse", 1, HUGETMPFS_SMALL, HUGETMPFS_SMALL,
		       HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(events[0].error, EAGAIN);
	expect(2 * TEAM_TRIES, "end", 1, HUGETMPFS_SMALL, HUGETMPFS_SMALL,
	       HUGETMPFS_REASON_AGAIN);
	recovery_trace_end(engine.recovery);
}

/* What ends without a step. */
static void test_no_step(void **state)
{
	(void) state;
	engine.fake.room = HUGETMPFS_EXTENT_BYTES - 1;
	for (int i = 0; i < 4; i++)
		engine.fake.extents[i].owner = 100;
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor), 0);
	engine_recover(&engine, &caller, 2, 1, 0);
	assert_int_equal(read_all(), 1);
	expect(0, "end", 2, HUGETMPFS_SMALL, HUGETMPFS_SMALL,
	       HUGETMPFS_REASON_OVER_LIMIT);
	recovery_trace_end(engine.recovery);
}

static void add(uint64_t index)
{
	struct recovery_trace_event event = { .pass = "end", .index = index };

	recovery_trace_add(engine.recovery, &event);
}

/* One that is too slow loses the oldest, another one none. */
static void test_slow_reader(void **state)
{
	uint64_t quick;

	(void) state;
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor), 0);
	assert_int_equal(recovery_trace_begin(engine.recovery, &quick), 0);
	for (uint64_t i = 0; i < RECOVERY_TRACE_EVENTS + 5; i++) {
		add(i);
		assert_int_equal(recovery_trace_read(engine.recovery, &quick,
						     events, MAX, &lost), 1);
		assert_int_equal(lost, 0);
		assert_int_equal(events[0].index, i);
	}
	assert_int_equal(recovery_trace_read(engine.recovery, &cursor, events,
					     RECOVERY_TRACE_EVENTS + 1, &lost),
			 RECOVERY_TRACE_EVENTS);
	assert_int_equal(lost, 5);
	assert_int_equal(events[0].index, 5);
	recovery_trace_end(engine.recovery);
	recovery_trace_end(engine.recovery);
}

static void test_readers(void **state)
{
	uint64_t cursors[RECOVERY_TRACE_READERS];

	(void) state;
	add(1);
	for (int i = 0; i < RECOVERY_TRACE_READERS; i++)
		assert_int_equal(recovery_trace_begin(engine.recovery,
						      &cursors[i]), 0);
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor),
			 -EBUSY);
	/* what was before, with nobody there, is not told */
	assert_int_equal(recovery_trace_read(engine.recovery, &cursors[0],
					     events, MAX, &lost), 0);
	for (int i = 0; i < RECOVERY_TRACE_READERS; i++)
		recovery_trace_end(engine.recovery);
	assert_null(engine.recovery->trace.events);
	add(2);
	assert_int_equal(recovery_trace_begin(engine.recovery, &cursor), 0);
	assert_int_equal(read_all(), 0);
	recovery_trace_end(engine.recovery);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_busy), TEST(test_no_step),	 TEST(test_readers),
		TEST(test_slow_reader), TEST(test_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

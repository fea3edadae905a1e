/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Works that pause because pages are busy: meanwhile others work in their
 * place, and all come to an end whatever is set in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"

#define EXTENTS 512
#define CALLERS (EXTENTS / 4)

static struct engine engine;

static void submit(struct caller *who, uint64_t first, uint32_t nr)
{
	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, 0, caller_done, who, NULL),
			 0);
}

/* One place, and a pinned page that has it pause for minutes. */
static void test_place_is_free(void **state)
{
	static struct caller pinned, other;

	(void) state;
	fake_mm_init(&engine.fake, 64);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EAGAIN, 1000);
	engine.pause_us = 60 * 1000000;
	engine_start(&engine, 1);
	submit(&pinned, 0, 1);
	engine_wait_count(&engine, RECOVERY_COUNT_page_off_lru, 1);
	submit(&other, 10, 4);
	caller_wait(&other);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(other.extents[i].reason,
				 HUGETMPFS_REASON_DONE);
	/* the pause of the first one is not over: it is ended by this */
	recovery_release(engine.recovery, FAKE_INO, 0, 1);
	caller_wait(&pinned);
	assert_int_equal(pinned.extents[0].reason, HUGETMPFS_REASON_TOO_LATE);
	engine_stop(&engine);
}

/* One that pauses does not hold up the end of the engine either. */
static void test_end(void **state)
{
	static struct caller pinned;

	(void) state;
	fake_mm_init(&engine.fake, 4);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EAGAIN, 1000);
	engine.pause_us = 60 * 1000000;
	engine_start(&engine, 1);
	submit(&pinned, 0, 1);
	engine_wait_count(&engine, RECOVERY_COUNT_page_off_lru, 1);
	engine_stop(&engine);
	caller_wait(&pinned);
	assert_int_equal(pinned.extents[0].reason, HUGETMPFS_REASON_CANCELLED);
}

/* Every fourth is busy some times; the number of places goes up and down. */
static void test_places_change(void **state)
{
	static const char *const settings[] = {
		"recoveries=8", "recoveries=1", "recoveries=3", "recoveries=2",
	};
	static struct caller callers[CALLERS];

	(void) state;
	fake_mm_init(&engine.fake, EXTENTS);
	for (uint64_t i = 0; i < CALLERS; i++)
		fake_mm_fail(&engine.fake, FAKE_COLLAPSE, i * 4, -EAGAIN, 3);
	engine.pause_us = 100;
	engine_start(&engine, 4);
	for (uint32_t i = 0; i < CALLERS; i++) {
		submit(&callers[i], i * 4, 4);
		engine_set(&engine, settings[i % 4]);
	}
	for (uint32_t i = 0; i < CALLERS; i++) {
		caller_wait(&callers[i]);
		for (uint32_t j = 0; j < 4; j++)
			assert_int_equal(callers[i].extents[j].reason,
					 HUGETMPFS_REASON_DONE);
	}
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_is_free),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_places_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

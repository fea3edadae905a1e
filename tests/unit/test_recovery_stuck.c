/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker that another process keeps for as long as it likes, at each of the
 * calls where that may be: others do its work, and the engine ends without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"
#include "fake/gate.h"

static struct engine engine;
static struct caller caller, second;

/* Where it is kept. */
static const struct place {
	enum fake_op op;
	unsigned pass; /* calls before it */
	bool huge;     /* as the extent is before: it is only remapped then */
} places[] = {
	{FAKE_MAPPERS_FIND, 0, false},
	{FAKE_MAPPER_VIEW, 0, false}, /* by the request ... */
	{FAKE_MAPPER_VIEW, 1, false}, /* ... and by the batch */
	{FAKE_MAPPER_COLLAPSE, 0, false},
	{FAKE_MAPPER_COLLAPSE, 0, true},
};

#define NR_PLACES (sizeof(places) / sizeof(*places))

static void submit(struct caller *who, uint64_t first, uint32_t nr)
{
	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, 0, caller_done, who, NULL),
			 0);
}

/* Asks for extent 0; comes back when the worker is kept. */
static void begin(const struct place *place)
{
	fake_mm_init(&engine.fake, 64);
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[0].by_pte[0] = true;
	fake_mm_set(&engine.fake, 0, HUGETMPFS_EXTENT_PAGES, 0, place->huge);
	engine.patience_ms = 5;
	engine_start(&engine, 1);
	gate_close_for_one(&engine.fake, place->op, 0, place->pass);
	submit(&caller, 0, 1);
	gate_wait();
}

static void end(void)
{
	gate_open();
	engine_stop(&engine);
}

/* What is asked for meanwhile is done, and then what it had. */
static void test_replaced(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR_PLACES; i++) {
		begin(&places[i]);
		submit(&second, 10, 2);
		caller_wait(&second);
		assert_int_equal(second.extents[0].reason,
				 HUGETMPFS_REASON_DONE);
		assert_int_equal(second.extents[1].reason,
				 HUGETMPFS_REASON_DONE);
		caller_wait(&caller);
		assert_int_equal(caller.error, 0);
		assert_int_equal(caller.extents[0].reason,
				 HUGETMPFS_REASON_DONE);
		assert_int_equal(gate_waiting(), 1);
		assert_true(engine_count(&engine, worker_stuck) >= 1);
		end();
		assert_int_equal(caller.done, 1);
		assert_true(engine.fake.extents[0].huge);
	}
}

/* It was only slow: whoever is first answers, and once. */
static void test_slow(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR_PLACES; i++) {
		begin(&places[i]);
		engine_wait_count(&engine, RECOVERY_COUNT_worker_stuck, 1);
		gate_open();
		caller_wait(&caller);
		assert_int_equal(caller.extents[0].reason,
				 HUGETMPFS_REASON_DONE);
		end();
		assert_int_equal(caller.done, 1);
	}
}

/* The works of a batch are taken over in their order, with all who wait. */
static void test_batch(void **state)
{
	static const struct place place = {FAKE_MAPPER_COLLAPSE, 0, false};

	(void) state;
	begin(&place);
	submit(&second, 0, 32);
	caller_wait(&second);
	caller_wait(&caller);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(second.extents[i].reason,
				 HUGETMPFS_REASON_DONE);
	end();
}

static void test_destroy(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR_PLACES; i++) {
		begin(&places[i]);
		/* another worker may be slow, and so be taken for stuck ... */
		assert_true(recovery_destroy(engine.recovery) >= 1);
		caller_wait(&caller);
		/* ... or faster than the end */
		assert_true(caller.error == -EINTR ||
			    caller.extents[0].reason == HUGETMPFS_REASON_DONE);
		assert_int_equal(gate_waiting(), 1);
		gate_open();
		close(engine.file.fd);
		/* waits until the thread has given back all it had */
		fake_mm_destroy(&engine.fake);
		assert_int_equal(caller.done, 1);
	}
}

/* Turned off, nobody waits for it; turned on again, others work. */
static void test_off(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR_PLACES; i++) {
		begin(&places[i]);
		engine_set(&engine, "recoveries=0");
		caller_wait(&caller);
		assert_true(caller.extents[0].reason ==
				    HUGETMPFS_REASON_POLICY ||
			    caller.extents[0].reason == HUGETMPFS_REASON_DONE);
		engine_set(&engine, "recoveries=1");
		submit(&second, 10, 1);
		caller_wait(&second);
		assert_int_equal(second.extents[0].reason,
				 HUGETMPFS_REASON_DONE);
		end();
		assert_int_equal(caller.done, 1);
	}
}

/* Nor does one that has rested wait for the place of one that is stuck. */
static void test_resting(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 64);
	engine.fake.mappers[0].present = true;
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 0, -EAGAIN, 1000);
	engine.patience_ms = 5;
	engine.pause_us = 60 * 1000000;
	gate_close_for_one(&engine.fake, FAKE_MAPPER_COLLAPSE, 10, 0);
	engine_start(&engine, 1);
	submit(&caller, 0, 1);
	engine_wait_count(&engine, RECOVERY_COUNT_page_off_lru, 1);
	submit(&second, 10, 1);
	gate_wait();
	/* ends the pause */
	recovery_release(engine.recovery, FAKE_INO, 0, 1);
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_TOO_LATE);
	caller_wait(&second);
	assert_int_equal(second.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(gate_waiting(), 1);
	end();
	engine.pause_us = 0;
}

/* Who is known to be stuck is gone around. */
static void test_gone_around(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 4);
	engine.patience_ms = 0;
	engine.fake.mappers[0].present = true;
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 0, -ETIMEDOUT, 1);
	fake_mm_fail(&engine.fake, FAKE_MAPPER_VIEW, 1, -ETIMEDOUT, 2);
	engine_start(&engine, 1);
	for (uint64_t i = 0; i < 2; i++) {
		engine_recover(&engine, &caller, i, 1, 0);
		assert_int_equal(caller.extents[0].reason,
				 HUGETMPFS_REASON_DONE);
	}
	assert_int_equal(engine.fake.mappers[0].collapses, 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 2);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_resting),
		cmocka_unit_test(test_gone_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

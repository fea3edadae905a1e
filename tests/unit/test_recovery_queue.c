/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of works: its order, what joins what, its bounds, and settings
 * that change while works wait and run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <sched.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"
#include "fake/gate.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

static struct engine engine;
static struct caller caller, second;

/* The extents in the order in which their collapse was begun. */
static uint64_t order[64];
static unsigned nr_order;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 1024);
	nr_order = 0;
	return 0;
}

static void submit_as(struct caller *who, uint64_t first, uint32_t nr,
		      uint32_t flags)
{
	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, flags, caller_done, who, NULL),
			 0);
}

static void submit(struct caller *who, uint64_t first, uint32_t nr)
{
	submit_as(who, first, nr, 0);
}

static void wait_load(unsigned queued, unsigned running)
{
	struct recovery_load load;

	for (;;) {
		recovery_load(engine.recovery, &load);
		if (load.queued == queued && load.running == running)
			return;
		sched_yield();
	}
}

static void order_hook(void *arg, enum fake_op op, uint64_t index)
{
	gate_hook(arg, op, index);
	/* one worker: nobody else writes here */
	if (op == FAKE_COLLAPSE || op == FAKE_MAPPER_COLLAPSE)
		order[nr_order++] = index;
}

/* By name, used by small pages, gone on with, the rest. */
static void test_order(void **state)
{
	static const uint64_t expected[] = {0, 30, 11, 10, 41, 20, 21};
	struct fake_mapper *mapper = &engine.fake.mappers[0];

	(void) state;
	mapper->present = true;
	mapper->by_pte[10] = true;
	mapper->by_pte[11] = true;
	engine_start(&engine, 1);
	/* brought in, and then no huge page: partial */
	fake_mm_set(&engine.fake, 11, PAGES - 9, 9, false);
	fake_mm_set(&engine.fake, 41, PAGES - 9, 9, false);
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, FAKE_ANY, -ENOMEM, 2);
	engine_recover(&engine, &caller, 11, 1, 0);
	engine_recover(&engine, &caller, 41, 1, 0);
	assert_int_equal(engine_count(&engine, recov_partial), 2);
	gate_close(&engine.fake, FAKE_MAPPER_COLLAPSE, 0);
	engine.fake.hook = order_hook;
	submit(&caller, 0, 1);
	gate_wait();
	engine_offer(&engine, 20, 2);
	engine_offer(&engine, 41, 1);
	engine_offer(&engine, 10, 1);
	engine_offer(&engine, 11, 1);
	submit(&second, 30, 1);
	gate_open();
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 7);
	wait_load(0, 0);
	assert_int_equal(nr_order, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(order[i], expected[i]);
	assert_int_equal(engine_count(&engine, resume_teamed), 2);
	engine_stop(&engine);
}

static void test_dedupe(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	submit(&caller, 0, 1);
	gate_wait();
	engine_offer(&engine, 5, 2);
	engine_offer(&engine, 6, 2);
	engine_offer(&engine, 5, 2);
	gate_open();
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 4);
	wait_load(0, 0);
	assert_int_equal(engine_count(&engine, work_queued), 4);
	assert_int_equal(engine_count(&engine, work_already), 3);
	for (uint64_t i = 5; i < 8; i++)
		assert_int_equal(engine.fake.extents[i].collapsed, 1);
	engine_stop(&engine);
}

/* One that waits for a budget, and then is asked for by name. */
static void test_raise(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	engine_set(&engine, "bytes_per_second=1");
	engine_offer(&engine, 6, 3);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 1);
	wait_load(2, 0);
	submit(&caller, 7, 1);
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(engine_count(&engine, work_already), 1);
	wait_load(1, 0);
	assert_int_equal(engine.fake.extents[8].collapsed, 0);
	/* the wait ends with the limit */
	engine_set(&engine, "bytes_per_second=0");
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 3);
	engine_stop(&engine);
}

/* One of the background that is under way is not for who asks by name. */
static void test_ask_running(void **state)
{
	(void) state;
	engine_start(&engine, 2);
	fake_mm_set(&engine.fake, 3, PAGES - 2, 2, false);
	gate_close(&engine.fake, FAKE_WILLNEED, 3);
	engine_offer(&engine, 3, 1);
	gate_wait();
	/* from here on it has more holes than the background may fill */
	fake_mm_set(&engine.fake, 3, PAGES - 200, 0, false);
	submit(&caller, 3, 1);
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(engine_count(&engine, work_queued), 2);
	assert_int_equal(engine_count(&engine, work_already), 0);
	gate_open();
	wait_load(0, 0);
	assert_int_equal(engine.fake.extents[3].collapsed, 1);
	engine_stop(&engine);
}

static void test_max_holes(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	fake_mm_set(&engine.fake, 1, PAGES - 64, 0, false);
	fake_mm_set(&engine.fake, 2, PAGES - 65, 0, false);
	engine_offer(&engine, 1, 3);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 2);
	wait_load(0, 0);
	assert_int_equal(engine.fake.extents[1].collapsed, 1);
	assert_int_equal(engine.fake.extents[2].collapsed, 0);
	engine_set(&engine, "max_holes=65");
	engine_offer(&engine, 2, 1);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 3);
	fake_mm_set(&engine.fake, 4, 1, 0, false);
	engine_recover(&engine, &caller, 4, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

/*
 * Asks for extent 3, which has few holes, and holds the worker before its second
 * look; then another may ask, and it has more than max_holes.
 */
static void check_bounded(uint32_t flags, const uint32_t *second_flags,
			  enum hugetmpfs_reason reason)
{
	engine_start(&engine, 2);
	fake_mm_set(&engine.fake, 3, PAGES - 10, 0, false);
	gate_close_for_one(&engine.fake, FAKE_LOOK, 3, 1);
	submit_as(&caller, 3, 1, flags);
	gate_wait();
	if (second_flags) {
		submit_as(&second, 3, 1, *second_flags);
		engine_wait_count(&engine, RECOVERY_COUNT_work_already, 1);
	}
	fake_mm_set(&engine.fake, 3, PAGES - 100, 0, false);
	gate_open();
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, reason);
	if (second_flags) {
		caller_wait(&second);
		assert_int_equal(second.extents[0].reason, reason);
	}
	wait_load(0, 0);
	engine_stop(&engine);
}

/* max_holes holds to the end, unless somebody wants any number filled. */
static void test_bounded(void **state)
{
	const uint32_t any = 0, bounded = HUGETMPFS_RECOVER_BOUNDED;

	(void) state;
	check_bounded(bounded, NULL, HUGETMPFS_REASON_TOO_MANY_HOLES);
	setup(NULL);
	check_bounded(bounded, &bounded, HUGETMPFS_REASON_TOO_MANY_HOLES);
	setup(NULL);
	check_bounded(any, NULL, HUGETMPFS_REASON_DONE);
	setup(NULL);
	check_bounded(any, &bounded, HUGETMPFS_REASON_DONE);
}

/* One that is under way with max_holes is begun anew for who has none. */
static void test_unbounded_joins(void **state)
{
	(void) state;
	engine_start(&engine, 2);
	fake_mm_set(&engine.fake, 3, PAGES - 10, 0, false);
	gate_close_for_one(&engine.fake, FAKE_LOOK, 3, 1);
	submit_as(&caller, 3, 1, HUGETMPFS_RECOVER_BOUNDED);
	gate_wait();
	fake_mm_set(&engine.fake, 3, PAGES - 100, 0, false);
	submit(&second, 3, 1);
	caller_wait(&second);
	caller_wait(&caller);
	assert_int_equal(second.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	gate_open();
	wait_load(0, 0);
	assert_int_equal(engine_count(&engine, work_queued), 2);
	engine_stop(&engine);
}

/* The background is bounded, and leaves room for who asks. */
static void test_full(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	engine_set(&engine, "bytes_per_second=1");
	engine_offer(&engine, 0, 2);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 1);
	wait_load(1, 0);
	for (int i = 0; i < 32; i++)
		engine_offer(&engine, 512, 500);
	engine_offer(&engine, 1, 16384 - 2 - 32 * 500);
	assert_int_equal(engine_count(&engine, work_too_many), 0);
	assert_int_equal(recovery_offer(engine.recovery, &engine.file, 1, 3),
			 -EAGAIN);
	assert_int_equal(engine_count(&engine, work_too_many), 3);
	engine_recover(&engine, &caller, 600, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

/* Off: who waits is told at once, though a worker is stuck. */
static void test_off(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	submit(&caller, 0, 40);
	gate_wait();
	submit(&second, 100, 2);
	engine_offer(&engine, 200, 100);
	engine_set(&engine, "recoveries=0");
	caller_wait(&second);
	assert_int_equal(second.error, 0);
	assert_int_equal(second.nr, 2);
	assert_int_equal(second.extents[1].reason, HUGETMPFS_REASON_POLICY);
	assert_int_equal(second.extents[1].state, HUGETMPFS_SMALL);
	assert_int_equal(recovery_offer(engine.recovery, &engine.file, 1, 1),
			 -EPERM);
	engine_recover(&engine, &second, 300, 1, 0);
	assert_int_equal(second.extents[0].reason, HUGETMPFS_REASON_POLICY);
	gate_open();
	caller_wait(&caller);
	/* what was in the kernel's hands is done, the rest is not begun */
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	for (unsigned i = 1; i < 40; i++)
		assert_int_equal(caller.extents[i].reason,
				 HUGETMPFS_REASON_POLICY);
	wait_load(0, 0);
	engine_set(&engine, "recoveries=2");
	engine_recover(&engine, &second, 300, 10, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(second.extents[i].reason,
				 HUGETMPFS_REASON_DONE);
	for (unsigned i = 200; i < 300; i++)
		assert_int_equal(engine.fake.extents[i].collapsed, 0);
	engine_stop(&engine);
}

/* As many works at a time as are set, whatever was set before. */
static void test_limit(void **state)
{
	(void) state;
	engine_start(&engine, 3);
	gate_close(&engine.fake, FAKE_LOOK, 0);
	for (int i = 0; i < 3; i++)
		engine_offer(&engine, 0, 1);
	while (gate_waiting() != 3)
		sched_yield();
	submit(&caller, 5, 1);
	engine_set(&engine, "recoveries=4");
	caller_wait(&caller);
	engine_set(&engine, "recoveries=1");
	submit(&second, 6, 1);
	gate_open();
	caller_wait(&second);
	wait_load(0, 0);
	assert_int_equal(engine.fake.extents[0].collapsed, 1);
	engine_stop(&engine);
}

static void *change_settings(void *arg)
{
	static const char *const texts[] = {
		"recoveries=1", "recoveries=8", "recoveries=0",
		"recoveries=3,bytes_per_second=1g", "recoveries=256",
		"recoveries=2,bytes_per_second=0,cpu_percent=1",
		"cpu_percent=0",
	};
	atomic_bool *stop = arg;

	for (unsigned i = 0; !atomic_load(stop); i++)
		engine_set(&engine, texts[i % (sizeof(texts) / sizeof(texts[0]))]);
	return NULL;
}

/* Nothing is lost, whatever the settings do meanwhile. */
static void test_change(void **state)
{
	atomic_bool stop = false;
	pthread_t thread;

	(void) state;
	engine_start(&engine, 2);
	assert_int_equal(pthread_create(&thread, NULL, change_settings, &stop),
			 0);
	for (unsigned i = 0; i < 200; i++) {
		recovery_offer(engine.recovery, &engine.file, i % 500, 64);
		engine_recover(&engine, &caller, i, 16, 0);
		assert_int_equal(caller.error, 0);
		assert_int_equal(caller.nr, 16);
		for (unsigned j = 0; j < 16; j++)
			assert_true(caller.extents[j].reason ==
					    HUGETMPFS_REASON_DONE ||
				    caller.extents[j].reason ==
					    HUGETMPFS_REASON_POLICY);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	engine_set(&engine, "recoveries=8,cpu_percent=0,bytes_per_second=0");
	engine_recover(&engine, &caller, 0, HUGETMPFS_IOC_EXTENTS, 0);
	for (unsigned i = 0; i < HUGETMPFS_IOC_EXTENTS; i++) {
		assert_int_equal(caller.extents[i].reason,
				 HUGETMPFS_REASON_DONE);
		assert_int_equal(engine.fake.extents[i].collapsed, 1);
	}
	engine_stop(&engine);
}

static uint64_t completed_of(uint64_t ino)
{
	struct recovery_tally tally;

	recovery_file_tally(engine.recovery, ino, &tally);
	assert_int_equal(tally.ino, ino);
	return tally.completed;
}

/* What came of each file's works; of the last files only. */
static void test_tally(void **state)
{
	const uint64_t files = 2 * RECOVERY_TALLIES;
	struct recovery_tally tally;
	uint64_t kept = 0;

	(void) state;
	engine_start(&engine, 1);
	engine.fake.extents[1].pinned = true;
	engine_recover(&engine, &caller, 0, 4, 0);
	recovery_file_tally(engine.recovery, FAKE_INO, &tally);
	assert_int_equal(tally.completed, 3);
	assert_int_equal(tally.ended[HUGETMPFS_REASON_DONE], 3);
	assert_int_equal(tally.ended[HUGETMPFS_REASON_PINNED], 1);
	assert_int_equal(completed_of(FAKE_INO + 1), 0);
	for (uint64_t i = 1; i <= files; i++) {
		engine.file.ino = FAKE_INO + i;
		fake_mm_set(&engine.fake, 9, PAGES, 0, false);
		engine_recover(&engine, &caller, 9, 1, 0);
		assert_int_equal(completed_of(FAKE_INO + i), 1);
	}
	for (uint64_t i = 1; i <= files; i++)
		kept += completed_of(FAKE_INO + i);
	assert_in_range(kept, RECOVERY_TALLIES / 4, RECOVERY_TALLIES);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_dedupe, setup),
		cmocka_unit_test_setup(test_raise, setup),
		cmocka_unit_test_setup(test_ask_running, setup),
		cmocka_unit_test_setup(test_max_holes, setup),
		cmocka_unit_test_setup(test_bounded, setup),
		cmocka_unit_test_setup(test_unbounded_joins, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_change, setup),
		cmocka_unit_test_setup(test_tally, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

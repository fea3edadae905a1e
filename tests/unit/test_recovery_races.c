/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens beside a recovery: releases, cancelled requests, the same
 * extent asked for twice, a full queue, the end of the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"
#include "fake/gate.h"
#include "recovery/internal.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

static struct engine engine;
static struct caller caller, second;

static struct recovery_request *submit(struct caller *who, uint64_t first,
				       uint32_t nr)
{
	struct recovery_request *request;

	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, 0, caller_done, who, &request),
			 0);
	return request;
}

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 64);
	return 0;
}

static void wait_load(unsigned queued, unsigned running)
{
	struct recovery_load load;

	do {
		recovery_load(engine.recovery, &load);
	} while (load.queued != queued || load.running != running);
}

/* Released in the middle of the passes: ends at the next step. */
static void test_release_running(void **state)
{
	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EAGAIN, 1);
	engine_start(&engine, 1);
	submit(&caller, 0, 1);
	gate_wait();
	recovery_release(engine.recovery, 5, 0, 1);
	gate_open();
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_TOO_LATE);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 1);
	assert_int_equal(engine_count(&engine, huge_too_late), 1);
	assert_int_equal(engine_ended(&engine, TOO_LATE), 1);
	assert_int_equal(engine_count(&engine, recov_failed), 0);
	engine_stop(&engine);
}

/* Only what lies in the range of the right file is released. */
static void test_release_range(void **state)
{
	bool released;

	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine_start(&engine, 1);
	submit(&caller, 0, 64);
	gate_wait();
	/* the first 32 are in the worker's batch, the others queued */
	recovery_release(engine.recovery, 6, 0, UINT64_MAX);
	recovery_release(engine.recovery, 5, 10, 1);
	recovery_release(engine.recovery, 5, 40, 2);
	recovery_release(engine.recovery, 5, 60, UINT64_MAX);
	gate_open();
	caller_wait(&caller);
	for (uint32_t i = 0; i < 64; i++) {
		released = i == 10 || i == 40 || i == 41 || i >= 60;
		assert_int_equal(caller.extents[i].reason,
				 released ? HUGETMPFS_REASON_TOO_LATE
					  : HUGETMPFS_REASON_DONE);
		assert_int_equal(engine.fake.extents[i].collapsed, !released);
	}
	assert_int_equal(engine_count(&engine, work_too_late), 6);
	assert_int_equal(engine_ended(&engine, TOO_LATE), 7);
	engine_stop(&engine);
}

/* A request after a release is not answered by the work that was released. */
static void test_release_again(void **state)
{
	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine_start(&engine, 2);
	submit(&caller, 0, 1);
	gate_wait();
	recovery_release(engine.recovery, 5, 0, 1);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EAGAIN, 1);
	submit(&second, 0, 1);
	while (fake_mm_called(&engine.fake, FAKE_LOOK) < 4)
		;
	gate_open();
	caller_wait(&caller);
	caller_wait(&second);
	assert_int_equal(second.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(engine_count(&engine, work_already), 0);
	engine_stop(&engine);
}

static void punch_hook(void *arg, enum fake_op op, uint64_t index)
{
	const enum fake_op *at = arg;

	if (op == *at && index == 0)
		fake_mm_punch(&engine.fake, 0);
}

/* Punched without a word (a process did it through its own mapping). */
static void test_punched(void **state)
{
	static enum fake_op at[] = {FAKE_WILLNEED, FAKE_POPULATE,
				    FAKE_COLLAPSE};

	(void) state;
	fake_mm_destroy(&engine.fake);
	for (int i = 0; i < 3; i++) {
		fake_mm_init(&engine.fake, 2);
		fake_mm_set(&engine.fake, 0, PAGES - 7, 7, false);
		engine.fake.hook = punch_hook;
		engine.fake.hook_arg = &at[i];
		engine_start(&engine, 1);
		engine_recover(&engine, &caller, 0, 2, 0);
		assert_int_equal(caller.extents[0].reason,
				 HUGETMPFS_REASON_TOO_LATE);
		assert_int_equal(caller.extents[0].state, HUGETMPFS_HOLE);
		assert_int_equal(caller.extents[1].reason,
				 HUGETMPFS_REASON_DONE);
		assert_int_equal(engine_count(&engine, swap_gone),
				 at[i] == FAKE_COLLAPSE ? 0 : 7);
		assert_int_equal(engine.fake.extents[0].collapsed, 0);
		engine_stop(&engine);
	}
}

static void collapse_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	if (op == FAKE_COLLAPSE && index == 0)
		fake_mm_set(&engine.fake, 0, PAGES, 0, true);
}

static void populate_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	if (op == FAKE_POPULATE && index == 0)
		fake_mm_set(&engine.fake, 0, PAGES, 0, true);
}

/* Somebody else makes it huge, and our call fails for that. */
static void test_raced(void **state)
{
	(void) state;
	engine.fake.hook = collapse_hook;
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EINVAL, 1);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(caller.extents[0].passes, 0);
	assert_int_equal(engine_count(&engine, page_raced), 1);
	assert_int_equal(engine_count(&engine, recov_completed), 0);
	engine_stop(&engine);
}

/* What comes back from swap as one page is mapped as after a collapse. */
static void test_raced_swapin(void **state)
{
	(void) state;
	engine.fake.mappers[0].present = true;
	engine.fake.hook = populate_hook;
	fake_mm_set(&engine.fake, 0, 0, PAGES, false);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(engine_count(&engine, page_raced), 1);
	assert_int_equal(engine_count(&engine, recov_completed), 0);
	assert_true(engine.fake.mappers[0].by_pmd[0]);
	engine_stop(&engine);
}

/* Beside us, but for others: what they used has to be mapped huge again. */
static void test_raced_remap(void **state)
{
	(void) state;
	for (int i = 0; i < 2; i++) {
		engine.fake.mappers[i].present = true;
		engine.fake.mappers[i].by_pte[0] = true;
	}
	engine.fake.hook = populate_hook;
	fake_mm_set(&engine.fake, 0, PAGES - 1, 1, false);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(caller.extents[0].passes, HUGETMPFS_PASS_REMAP);
	assert_int_equal(engine_count(&engine, page_raced), 1);
	assert_int_equal(engine_count(&engine, remap_another), 2);
	assert_true(engine.fake.mappers[0].by_pmd[0]);
	assert_true(engine.fake.mappers[1].by_pmd[0]);
	engine_stop(&engine);
}

static void split_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	/* the third look of the batch is that of the remap */
	if (op == FAKE_LOOK && index == 0 && engine.fake.extents[0].huge &&
	    fake_mm_called(&engine.fake, FAKE_LOOK) == 3)
		fake_mm_set(&engine.fake, 0, PAGES - 1, 0, false);
}

/* Split between collapse and remap: not done, and not collapsed by a remap. */
static void test_split_before_remap(void **state)
{
	(void) state;
	for (int i = 0; i < 2; i++) {
		engine.fake.mappers[i].present = true;
		engine.fake.mappers[i].by_pte[0] = true;
	}
	engine.fake.hook = split_hook;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_TOO_LATE);
	assert_int_equal(caller.extents[0].state, HUGETMPFS_PARTIAL);
	assert_int_equal(engine_count(&engine, remap_another), 0);
	assert_int_equal(engine.fake.extents[0].collapsed, 1);
	engine_stop(&engine);
}

/* The second request for an extent joins the work of the first. */
static void test_joined(void **state)
{
	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine_start(&engine, 4);
	submit(&caller, 0, 4);
	gate_wait();
	submit(&second, 0, 4);
	while (engine_count(&engine, work_already) == 0)
		;
	gate_open();
	caller_wait(&caller);
	caller_wait(&second);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(caller.extents[i].state, HUGETMPFS_HUGE);
		assert_int_equal(second.extents[i].state, HUGETMPFS_HUGE);
		assert_int_equal(engine.fake.extents[i].collapsed, 1);
	}
	engine_stop(&engine);
}

/* Of what was not begun nothing is done. */
static void test_cancel_queued(void **state)
{
	struct recovery_request *request;

	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine_start(&engine, 1);
	request = submit(&caller, 0, 64);
	gate_wait();
	recovery_cancel(engine.recovery, request, &second); /* wrong arg */
	recovery_cancel(engine.recovery, request, &caller);
	/* though the worker is stuck, and never from within the call */
	caller_wait(&caller);
	assert_false(pthread_equal(caller.thread, pthread_self()));
	assert_int_equal(caller.error, -EINTR);
	gate_open();
	recovery_cancel(engine.recovery, request, &caller); /* it is gone */
	wait_load(0, 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 1);
	assert_int_equal(engine_ended(&engine, CANCELLED), 63);
	engine_stop(&engine);
	assert_int_equal(caller.done, 1);
}

/* What nobody waits for any more ends early, what another wants goes on. */
static void test_cancel_running(void **state)
{
	struct recovery_request *request;

	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 1);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 1, -EAGAIN, 1);
	engine.fake.extents[3].pinned = true;
	engine_start(&engine, 2);
	request = submit(&caller, 0, 4);
	gate_wait();
	submit(&second, 1, 1);
	while (engine_count(&engine, work_already) == 0)
		;
	recovery_cancel(engine.recovery, request, &caller);
	caller_wait(&caller);
	assert_int_equal(caller.error, -EINTR);
	gate_open();
	caller_wait(&second);
	assert_int_equal(second.error, 0);
	assert_int_equal(second.extents[0].state, HUGETMPFS_HUGE);
	wait_load(0, 0);
	assert_int_equal(engine_count(&engine, work_queued), 4);
	engine_stop(&engine);
}

static void test_cancel_preparing(void **state)
{
	struct recovery_request *request;

	(void) state;
	gate_close(&engine.fake, FAKE_LOOK, 0);
	engine_start(&engine, 1);
	request = submit(&caller, 0, 4);
	gate_wait();
	recovery_cancel(engine.recovery, request, &caller);
	assert_int_equal(caller.done, 0); /* the worker has it */
	gate_open();
	caller_wait(&caller);
	assert_int_equal(caller.error, -EINTR);
	assert_int_equal(engine_count(&engine, work_queued), 0);
	engine_stop(&engine);
}

/* A pause between tries does not keep a cancelled request. */
static void test_cancel_pause(void **state)
{
	struct recovery_config config = {.pause_us = 3600u * 1000000u};
	struct recovery_request *request;

	(void) state;
	recovery_settings_init(&config.settings);
	engine.fake.extents[0].pinned = true;
	engine_start(&engine, 1);
	recovery_destroy(engine.recovery);
	assert_int_equal(recovery_create(&engine.recovery, &config,
					 &engine.fake.ops, &engine.counters),
			 0);
	assert_int_equal(recovery_start(engine.recovery), 0);
	request = submit(&caller, 0, 1);
	while (engine_count(&engine, page_off_lru) == 0)
		;
	recovery_cancel(engine.recovery, request, &caller);
	caller_wait(&caller);
	assert_int_equal(caller.error, -EINTR);
	/* nor a release, nor the end of the engine */
	submit(&caller, 0, 1);
	while (engine_count(&engine, page_off_lru) == 1)
		;
	recovery_release(engine.recovery, 5, 0, 1);
	caller_wait(&caller);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_TOO_LATE);
	submit(&caller, 0, 1);
	while (engine_count(&engine, page_off_lru) == 2)
		;
	engine_stop(&engine);
	assert_int_equal(caller.done, 1);
}

/* Asked for before the engine is started: done after, and nothing before. */
static void test_before_the_start(void **state)
{
	struct recovery_config config = {.patience_ms = UINT32_MAX};

	(void) state;
	recovery_settings_init(&config.settings);
	engine_start(&engine, 1);
	recovery_destroy(engine.recovery);
	assert_int_equal(recovery_create(&engine.recovery, &config,
					 &engine.fake.ops, &engine.counters),
			 0);
	recovery_closed(engine.recovery, FAKE_INO);
	submit(&caller, 0, 2);
	assert_int_equal(engine.fake.called[FAKE_LOOK], 0);
	assert_int_equal(recovery_start(engine.recovery), 0);
	caller_wait(&caller);
	assert_int_equal(caller.error, 0);
	assert_int_equal(caller.extents[1].reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

/*
 * Allocated anew beside works: what they have in hand is looked at before that
 * is answered, so that it is clear when they collapse it; nothing else is.
 */
static void test_allocated(void **state)
{
	struct engine *e = &engine;
	unsigned looks;

	(void) state;
	gate_close(&e->fake, FAKE_COLLAPSE, 1);
	engine_start(e, 1);
	submit(&caller, 0, 3);
	gate_wait();
	looks = e->fake.called[FAKE_LOOK];
	recovery_release(e->recovery, FAKE_INO, 1, 1);
	recovery_allocated(e->recovery, &e->file, 1, UINT64_MAX - 1);
	assert_int_equal(e->fake.called[FAKE_LOOK], looks + 2);
	recovery_allocated(e->recovery, &e->file, 3, 1);
	e->file.ino++;
	recovery_allocated(e->recovery, &e->file, 0, 64);
	e->file.ino--;
	assert_int_equal(e->fake.called[FAKE_LOOK], looks + 2);
	gate_open();
	caller_wait(&caller);
	wait_load(0, 0);
	looks = e->fake.called[FAKE_LOOK];
	recovery_allocated(e->recovery, &e->file, 0, 64);
	assert_int_equal(e->fake.called[FAKE_LOOK], looks);
	engine_stop(e);
}

static void test_destroy(void **state)
{
	static struct caller many[40];

	(void) state;
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine_start(&engine, 1);
	submit(&caller, 0, 64);
	gate_wait();
	for (int i = 0; i < 40; i++)
		submit(&many[i], (uint64_t) i, 2);
	gate_open();
	engine_stop(&engine);
	/* each was told, one way or the other */
	assert_int_equal(caller.done, 1);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(many[i].done, 1);
		assert_true(many[i].error == 0 || many[i].error == -EINTR);
	}
}

static void test_queue_full(void **state)
{
	const int most = RECOVERY_QUEUE_EXTENTS / HUGETMPFS_IOC_EXTENTS;
	static struct caller many[RECOVERY_QUEUE_EXTENTS /
				  HUGETMPFS_IOC_EXTENTS + 1];
	int nr = 0, ret;

	(void) state;
	gate_close(&engine.fake, FAKE_LOOK, 0);
	engine_start(&engine, 1);
	for (ret = 0; !ret && nr <= most; nr += !ret) {
		caller_init(&many[nr]);
		ret = recovery_submit(engine.recovery, &engine.file, 0,
				      HUGETMPFS_IOC_EXTENTS, 0, caller_done,
				      &many[nr], NULL);
	}
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(nr, most);
	assert_int_equal(engine_count(&engine, work_too_many),
			 HUGETMPFS_IOC_EXTENTS);
	gate_open();
	for (int i = 0; i < nr; i++) {
		caller_wait(&many[i]);
		assert_int_equal(many[i].nr, 64);
	}
	/* and there is room again */
	engine_recover(&engine, &caller, 0, HUGETMPFS_IOC_EXTENTS, 0);
	engine_stop(&engine);
}

#define unit(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_release_running), unit(test_release_range),
		unit(test_release_again),   unit(test_punched),
		unit(test_raced),	    unit(test_raced_swapin),
		unit(test_raced_remap),
		unit(test_split_before_remap),
		unit(test_before_the_start),
		unit(test_allocated),	    unit(test_joined),
		unit(test_cancel_queued),
		unit(test_cancel_running),  unit(test_cancel_preparing),
		unit(test_cancel_pause),    unit(test_destroy),
		unit(test_queue_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

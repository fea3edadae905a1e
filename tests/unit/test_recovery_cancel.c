/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery that nobody waits for, and cancelling what was asked for.
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
#include "recovery/internal.h"

#define NO_WAIT HUGETMPFS_RECOVER_NO_WAIT

static struct engine engine;
static struct caller caller, second;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 1024);
	engine.file.ticket = 0;
	return 0;
}

/* Nothing is collapsed while the gate is closed, whichever extent it is. */
static void any_hook(void *arg, enum fake_op op, uint64_t index)
{
	gate_hook(arg, op, op == gate.op ? gate.index : index);
}

static void hold_collapses(void)
{
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	engine.fake.hook = any_hook;
}

static struct recovery_request *submit(struct caller *who, uint64_t first,
				       uint32_t nr, uint32_t flags)
{
	struct recovery_request *request;

	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, flags, caller_done, who, &request),
			 0);
	return request;
}

static void wait_completed(uint64_t nr)
{
	while (engine_count(&engine, recov_completed) < nr)
		sched_yield();
}

static void wait_idle(void)
{
	struct recovery_load load;

	do {
		sched_yield();
		recovery_load(engine.recovery, &load);
	} while (load.queued || load.running);
}

static void wait_huge(uint64_t index)
{
	struct hugetmpfs_extent extent;
	uint64_t size;

	do {
		sched_yield();
		assert_int_equal(recovery_map(engine.recovery, &engine.file,
					      index, 1, &extent, &size), 1);
	} while (extent.state != HUGETMPFS_HUGE);
}

static void assert_all(const struct caller *who, uint32_t nr,
		       enum hugetmpfs_reason reason, int error)
{
	assert_int_equal(who->error, 0);
	assert_int_equal(who->nr, nr);
	for (uint32_t i = 0; i < nr; i++) {
		assert_int_equal(who->extents[i].reason, reason);
		assert_int_equal(who->extents[i].error, error);
	}
}

static unsigned nr_collapsed(uint64_t first, uint64_t nr)
{
	unsigned collapsed = 0;

	for (uint64_t i = first; i < first + nr; i++)
		collapsed += engine.fake.extents[i].collapsed != 0;
	return collapsed;
}

/* Two workers get stuck with the first eight; the third queues what comes. */
static void test_no_wait(void **state)
{
	struct recovery_request *request;
	struct hugetmpfs_extent extents[8];
	uint64_t size;

	(void) state;
	engine_start(&engine, 3);
	hold_collapses();
	request = submit(&caller, 0, 8, NO_WAIT);
	caller_wait(&caller);
	assert_all(&caller, 8, HUGETMPFS_REASON_QUEUED, 0);
	assert_int_equal(caller.size_bytes, 1024 * HUGETMPFS_EXTENT_BYTES);
	while (gate_waiting() != 2)
		sched_yield();
	submit(&second, 0, 9, NO_WAIT);
	caller_wait(&second);
	assert_int_equal(second.nr, 9);
	for (uint32_t i = 0; i < 9; i++) {
		assert_int_equal(second.extents[i].reason,
				 HUGETMPFS_REASON_QUEUED);
		assert_int_equal(second.extents[i].error, i < 8 ? EALREADY : 0);
	}
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 8,
				      extents, &size), 8);
	assert_int_equal(extents[3].reason, HUGETMPFS_REASON_QUEUED);
	/* who has been answered has nothing left to interrupt */
	recovery_cancel(engine.recovery, request, &caller);
	gate_open();
	wait_completed(9);
	wait_idle();
	assert_int_equal(caller.done, 1);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 8,
				      extents, &size), 8);
	assert_int_equal(extents[3].reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

/* What needs no work is answered as it is; turned off, nothing is queued. */
static void test_no_wait_nothing(void **state)
{
	struct recovery_settings settings;

	(void) state;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 5, 1, 0);
	engine_recover(&engine, &caller, 5, 1, NO_WAIT);
	assert_all(&caller, 1, HUGETMPFS_REASON_DONE, 0);
	engine_recover(&engine, &caller, 6, 1,
		       NO_WAIT | HUGETMPFS_RECOVER_DRY_RUN);
	assert_all(&caller, 1, HUGETMPFS_REASON_NOT_ASKED, 0);
	engine_recover(&engine, &caller, 2000, 1, NO_WAIT);
	assert_int_equal(caller.nr, 0);
	recovery_settings_get(engine.recovery, &settings);
	settings.recoveries = 0;
	recovery_settings_set(engine.recovery, &settings);
	engine_recover(&engine, &caller, 6, 2, NO_WAIT);
	assert_all(&caller, 2, HUGETMPFS_REASON_POLICY, 0);
	assert_int_equal(nr_collapsed(0, 100), 1);
	engine_stop(&engine);
}

static void count_done(void *arg, const struct recovery_result *result)
{
	(void) result;
	atomic_fetch_add((atomic_uint *) arg, 1);
}

/* Those that do not wait leave room for those that do. */
static void no_wait_until_full(uint32_t extents_each, unsigned nr)
{
	atomic_uint done = 0;

	engine_start(&engine, 1);
	hold_collapses();
	submit(&caller, 0, 1, 0);
	gate_wait();
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(recovery_submit(engine.recovery, &engine.file,
						 512, extents_each, NO_WAIT,
						 count_done, &done, NULL), 0);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 512,
					 extents_each, NO_WAIT, count_done,
					 &done, NULL), -EAGAIN);
	submit(&second, 600, 1, 0);
	gate_open();
	caller_wait(&second);
	assert_int_equal(second.extents[0].reason, HUGETMPFS_REASON_DONE);
	while (atomic_load(&done) < nr)
		sched_yield();
	wait_idle();
	assert_int_equal(nr_collapsed(512, extents_each), extents_each);
	/* and there is room again */
	engine_recover(&engine, &caller, 0, HUGETMPFS_IOC_EXTENTS, NO_WAIT);
	engine_stop(&engine);
}

static void test_no_wait_full(void **state)
{
	(void) state;
	no_wait_until_full(HUGETMPFS_IOC_EXTENTS,
			   (RECOVERY_NO_WAIT_EXTENTS - 1) /
				   HUGETMPFS_IOC_EXTENTS);
}

static void test_no_wait_many(void **state)
{
	(void) state;
	no_wait_until_full(1, RECOVERY_NO_WAIT_REQUESTS);
}

/* One under way, one not yet prepared, one that nobody asked for. */
static void test_cancel(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	submit(&caller, 0, 40, 0);
	gate_wait();
	submit(&second, 100, 2, 0);
	assert_int_equal(recovery_offer(engine.recovery, &engine.file, 200, 1),
			 0);
	assert_int_equal(recovery_cancel_asked(engine.recovery, 4711), 0);
	assert_int_equal(recovery_cancel_asked(engine.recovery, FAKE_INO), 42);
	caller_wait(&caller);
	assert_all(&caller, 40, HUGETMPFS_REASON_CANCELLED, 0);
	assert_int_equal(recovery_cancel_asked(engine.recovery, 0), 2);
	gate_open();
	caller_wait(&second);
	assert_all(&second, 2, HUGETMPFS_REASON_CANCELLED, 0);
	wait_huge(200);
	wait_idle();
	assert_int_equal(nr_collapsed(1, 150), 0);
	/* nothing of it stays */
	engine_recover(&engine, &caller, 0, 40, 0);
	assert_all(&caller, 40, HUGETMPFS_REASON_DONE, 0);
	engine_stop(&engine);
}

static void test_cancel_no_wait(void **state)
{
	(void) state;
	engine_start(&engine, 2);
	gate_close(&engine.fake, FAKE_COLLAPSE, 0);
	submit(&caller, 0, 1, 0);
	gate_wait();
	engine.fake.hook = any_hook;
	submit(&second, 10, 30, NO_WAIT);
	caller_wait(&second);
	assert_all(&second, 30, HUGETMPFS_REASON_QUEUED, 0);
	assert_int_equal(recovery_cancel_asked(engine.recovery, 0), 31);
	caller_wait(&caller);
	gate_open();
	wait_idle();
	/* but for what may have been in the kernel's hands */
	assert_in_range(nr_collapsed(10, 30), 0, 1);
	assert_int_equal(second.done, 1);
	engine_stop(&engine);
}

static void recover_with(uint64_t ticket, enum hugetmpfs_reason reason)
{
	engine.file.ticket = ticket;
	fake_mm_set(&engine.fake, 7, HUGETMPFS_EXTENT_PAGES, 0, false);
	engine_recover(&engine, &caller, 7, 1, 0);
	assert_all(&caller, 1, reason, 0);
}

/* A cancel between two requests of one undertaking. */
static void test_tickets(void **state)
{
	uint64_t ticket;

	(void) state;
	engine_start(&engine, 1);
	ticket = recovery_ticket(engine.recovery);
	recover_with(ticket, HUGETMPFS_REASON_DONE);
	for (uint64_t ino = 1; ino < 100; ino++)
		recovery_cancel_asked(engine.recovery, FAKE_INO + ino);
	recover_with(ticket, HUGETMPFS_REASON_DONE);
	recovery_cancel_asked(engine.recovery, FAKE_INO);
	recover_with(ticket, HUGETMPFS_REASON_CANCELLED);
	recover_with(0, HUGETMPFS_REASON_DONE);
	ticket = recovery_ticket(engine.recovery);
	recover_with(ticket, HUGETMPFS_REASON_DONE);
	recovery_cancel_asked(engine.recovery, 0);
	recover_with(ticket, HUGETMPFS_REASON_CANCELLED);
	engine.file.ticket = recovery_ticket(engine.recovery) + 1;
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 1, 0,
					 caller_done, &caller, NULL), -EINVAL);
	engine.file.ticket = 1;
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 1, 0,
					 caller_done, &caller, NULL), -EINVAL);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_cancel_no_wait, setup),
		cmocka_unit_test_setup(test_no_wait, setup),
		cmocka_unit_test_setup(test_no_wait_full, setup),
		cmocka_unit_test_setup(test_no_wait_many, setup),
		cmocka_unit_test_setup(test_no_wait_nothing, setup),
		cmocka_unit_test_setup(test_tickets, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

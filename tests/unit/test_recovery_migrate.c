/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine on a fake machine with four nodes in a row: pages that are not
 * where their policy says, and whatever the kernel may answer when they are to
 * be moved there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/nodes.h"

#define ALWAYS 1000000 /* times */

static void test_small(void **state)
{
	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, 200);
	fake_mm_put_on(&engine.fake, 0, 3, 12);
	start("bind:1");
	recover(1);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_MIGRATE), 1);
	/* moved to the node, and into the huge page */
	assert_int_equal(engine_count(&engine, page_migrate), 312 + PAGES);
	assert_int_equal(engine_count(&engine, page_off_lru), 0);
	assert_int_equal(engine_count(&engine, page_unmigrated), 0);
	assert_int_equal(engine_count(&engine, recov_completed), 1);
}

static void test_huge(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, PAGES, 0, true);
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[0].by_pte[0] = true;
	start("bind:1");
	recover(1);
	expect_home(0, 1, MIGRATE | HUGETMPFS_PASS_REMAP);
	assert_int_equal(called(FAKE_COLLAPSE), 0);
	assert_int_equal(engine_count(&engine, page_migrate), PAGES);
	assert_int_equal(engine_count(&engine, recov_completed), 1);
	assert_int_equal(engine_count(&engine, huge_alloced), 0);
}

/* What is where it belongs, or belongs nowhere, costs nothing. */
static void test_at_home(void **state)
{
	static const char *const policies[] = {"bind:0-3", "prefer:0",
					       "default", "follow"};

	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	start("bind:0");
	recover(2);
	expect_home(0, 0, COLLAPSE);
	expect_home(1, 0, 0);
	for (int i = 0; i < 4; i++) {
		char text[64];

		snprintf(text, sizeof(text), "numa=%s", policies[i]);
		engine_set(&engine, text);
		recover(2);
		expect(0, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, 0);
	}
	assert_int_equal(called(FAKE_MIGRATE), 0);
	assert_int_equal(called(FAKE_NODE_ROOM), 0);
}

static void test_one_node(void **state)
{
	(void) state;
	start("bind:1");
	engine.fake.nr_nodes = 1;
	recover(8);
	for (int i = 0; i < 8; i++) {
		expect(i, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, COLLAPSE);
		assert_int_equal(caller.extents[i].target_nid, -1);
	}
	assert_int_equal(called(FAKE_MIGRATE), 0);
	assert_int_equal(called(FAKE_NODES_ALLOWED), 0);
	assert_int_equal(called(FAKE_NODE_DISTANCES), 0);
	assert_int_equal(called(FAKE_NODE_ROOM), 0);
}

/* Everything is left as it was: small, huge, in part or as a whole on swap. */
static void test_bind_full(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	fake_mm_set(&engine.fake, 2, 500, 12, false);
	fake_mm_set(&engine.fake, 3, 0, PAGES, false);
	fake_mm_put_on(&engine.fake, 4, 1, PAGES);
	engine.fake.node_room[1] = 0;
	start("bind:1");
	recover(5);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_NODE_FULL, 0);
	expect(1, HUGETMPFS_HUGE, HUGETMPFS_REASON_NODE_FULL, 0);
	expect(2, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_NODE_FULL, 0);
	expect(3, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_NODE_FULL, 0);
	/* no more has to go there than there is */
	expect_home(4, 1, COLLAPSE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(caller.extents[i].target_nid, 1);
		assert_int_equal(caller.extents[i].misplaced_pages,
				 caller.extents[i].data_pages -
					 caller.extents[i].swapped_pages);
		assert_int_equal(fake_mm_on(&engine.fake, i, 1), 0);
	}
	assert_int_equal(called(FAKE_MIGRATE), 0);
	assert_int_equal(called(FAKE_POPULATE), 0);
	assert_int_equal(engine_ended(&engine, NODE_FULL), 4);
	assert_int_equal(engine_count(&engine, recov_failed), 4);
}

/* Of several nodes the nearest that has room. */
static void test_bind_several(void **state)
{
	(void) state;
	start("bind:1-3");
	engine.fake.node_room[1] = 3 * UINT64_C(4096);
	fake_mm_put_on(&engine.fake, 1, 3, 10);
	recover(2);
	expect_home(0, 2, MIGRATE | COLLAPSE);
	expect_home(1, 2, MIGRATE | COLLAPSE);
	/* on any of them it is where it belongs */
	fake_mm_set(&engine.fake, 2, PAGES, 0, false);
	fake_mm_put_on(&engine.fake, 2, 1, 300);
	fake_mm_put_on(&engine.fake, 2, 3, 212);
	engine_recover(&engine, &caller, 2, 1, 0);
	expect(0, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, COLLAPSE);
	assert_int_equal(fake_mm_on(&engine.fake, 2, 1), PAGES);
}

static void test_prefer(void **state)
{
	(void) state;
	start("prefer:2");
	fake_mm_put_on(&engine.fake, 1, 2, 300);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	recover(1);
	expect_home(0, 2, MIGRATE | COLLAPSE);
	/* full: what is there stays, the others go to the next */
	engine.fake.node_room[2] = 0;
	recover(3);
	expect(1, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, MIGRATE | COLLAPSE);
	assert_int_equal(fake_mm_on(&engine.fake, 1, 2), PAGES);
	expect_home(2, 1, MIGRATE);
	/* all are full: where it is */
	for (int nid = 0; nid < FAKE_NODES; nid++)
		engine.fake.node_room[nid] = 0;
	fake_mm_set(&engine.fake, 4, PAGES, 0, true);
	engine_recover(&engine, &caller, 3, 2, 0);
	expect(0, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, COLLAPSE);
	expect(1, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, 0);
	assert_int_equal(fake_mm_on(&engine.fake, 3, 0), PAGES);
	assert_int_equal(fake_mm_on(&engine.fake, 4, 0), PAGES);
}

static void test_interleave(void **state)
{
	(void) state;
	start("interleave:1,3");
	recover(8);
	for (uint32_t i = 0; i < 8; i++)
		expect_home(i, (FAKE_INO + i) % 2 ? 3 : 1, MIGRATE | COLLAPSE);
}

static void test_no_node(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	start("bind:3");
	engine.fake.forbidden[3] = true;
	recover(2);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_NO_NODE, 0);
	expect(1, HUGETMPFS_HUGE, HUGETMPFS_REASON_NO_NODE, 0);
	assert_int_equal(called(FAKE_MIGRATE), 0);
	assert_int_equal(called(FAKE_COLLAPSE), 0);
}

/* What each outcome of 100 of 512 pages comes to. */
static const struct {
	enum mm_moved moved;
	unsigned tries; /* of small ones */
	bool collapsed;
	unsigned taken;	  /* pages counted, in one try */
	unsigned off_lru; /* the same */
	enum hugetmpfs_reason huge; /* when all of a huge page is so */
} outcomes[] = {
	/* the kernel says so, and a look does not: there is one at the end */
	{MM_MOVED_THERE, 1, true, 100, 0, HUGETMPFS_REASON_AGAIN},
	{MM_MOVED_HOLE, 10, true, 0, 0, HUGETMPFS_REASON_AGAIN},
	{MM_MOVED_SHARED, 1, true, 0, 100, HUGETMPFS_REASON_DENIED},
	{MM_MOVED_NO_MEMORY, 1, false, 100, 0, HUGETMPFS_REASON_NODE_FULL},
	{MM_MOVED_OFF_LRU, 10, true, 0, 100, HUGETMPFS_REASON_AGAIN},
	{MM_MOVED_BUSY, 10, true, 100, 0, HUGETMPFS_REASON_AGAIN},
	{MM_MOVED_UNKNOWN, 10, true, 0, 0, HUGETMPFS_REASON_AGAIN},
};

#define NR_OUTCOMES (sizeof(outcomes) / sizeof(outcomes[0]))

/* Pages that stay behind for ever, of an extent in small ones. */
static void try_outcome_small(size_t i)
{
	bool collapsed = outcomes[i].collapsed;
	unsigned tries = outcomes[i].tries;

	fake_mm_init(&engine.fake, 1);
	fake_mm_answer(&engine.fake, 0, outcomes[i].moved, 100, ALWAYS);
	start("bind:1");
	recover(1);
	assert_int_equal(called(FAKE_MIGRATE), tries);
	if (collapsed) {
		expect_home(0, 1, MIGRATE | COLLAPSE);
	} else {
		expect(0, HUGETMPFS_SMALL, outcomes[i].huge, MIGRATE);
		assert_int_equal(caller.extents[0].misplaced_pages, 100);
		assert_int_equal(engine_count(&engine, recov_partial), 1);
	}
	assert_int_equal(engine_count(&engine, page_migrate),
			 412 + outcomes[i].taken * tries +
				 (collapsed ? PAGES : 0));
	assert_int_equal(engine_count(&engine, page_off_lru),
			 outcomes[i].off_lru * tries);
	engine_stop(&engine);
}

static void try_outcome_huge(size_t i)
{
	fake_mm_init(&engine.fake, 1);
	fake_mm_set(&engine.fake, 0, PAGES, 0, true);
	fake_mm_answer(&engine.fake, 0, outcomes[i].moved, PAGES, ALWAYS);
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[0].by_pte[0] = true;
	start("bind:1");
	recover(1);
	assert_int_equal(called(FAKE_MIGRATE),
			 outcomes[i].moved == MM_MOVED_THERE
				 ? 10
				 : outcomes[i].tries);
	assert_int_equal(caller.extents[0].state, HUGETMPFS_HUGE);
	assert_int_equal(caller.extents[0].reason, outcomes[i].huge);
	assert_int_equal(caller.extents[0].misplaced_pages, PAGES);
	/* it is mapped so where it is */
	assert_true(engine.fake.mappers[0].by_pmd[0]);
	assert_int_equal(engine_count(&engine, recov_completed), 0);
	engine_stop(&engine);
}

static void test_outcomes(void **state)
{
	(void) state;
	assert_int_equal(NR_OUTCOMES, MM_NR_MOVED);
	for (size_t i = 0; i < NR_OUTCOMES; i++) {
		try_outcome_small(i);
		try_outcome_huge(i);
	}
}

/* Busy for a time is no failure, pinned is a reason. */
static void test_heals(void **state)
{
	(void) state;
	for (int i = 0; i < 3; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, i > 0);
	fake_mm_answer(&engine.fake, 0, MM_MOVED_BUSY, 100, 3);
	fake_mm_answer(&engine.fake, 0, MM_MOVED_OFF_LRU, 50, 5);
	fake_mm_answer(&engine.fake, 1, MM_MOVED_BUSY, PAGES, 9);
	fake_mm_answer(&engine.fake, 2, MM_MOVED_BUSY, PAGES, ALWAYS);
	engine.fake.extents[2].pinned = true;
	start("bind:1");
	recover(3);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	expect_home(1, 1, MIGRATE);
	expect(2, HUGETMPFS_HUGE, HUGETMPFS_REASON_PINNED, 0);
	/* both huge ones were tried together before that */
	assert_int_equal(called(FAKE_MIGRATE_AHEAD), 1);
	assert_int_equal(called(FAKE_MIGRATE), 6 + 9 + 10);
	assert_int_equal(engine_count(&engine, recov_failed), 1);
	/* those of the tries, and the one that was given up */
	assert_int_equal(engine_count(&engine, page_unmigrated),
			 3 * 100 + 8 * PAGES + 10 * PAGES + PAGES);
}

/* Answers about the call: for how many tries, and what comes of it. */
static const struct {
	int error;
	unsigned times;
	unsigned tries;
	enum hugetmpfs_reason reason; /* of a huge one */
	bool collapsed;
} errors[] = {
	{-ENODEV, 2, 3, HUGETMPFS_REASON_DONE, true},
	{-EACCES, 9, 10, HUGETMPFS_REASON_DONE, true},
	{-ENODEV, ALWAYS, 10, HUGETMPFS_REASON_NO_NODE, true},
	{-EPERM, ALWAYS, 1, HUGETMPFS_REASON_DENIED, false},
	{-ENOSYS, ALWAYS, 1, HUGETMPFS_REASON_DENIED, false},
	{-EAGAIN, 1, 2, HUGETMPFS_REASON_DONE, true},
	{-EINTR, 1, 2, HUGETMPFS_REASON_DONE, true},
	{-ENOMEM, ALWAYS, 10, HUGETMPFS_REASON_NO_HUGE_PAGE, true},
	{-EFAULT, ALWAYS, 1, HUGETMPFS_REASON_FAILED, false},
	{-ESRCH, ALWAYS, 1, HUGETMPFS_REASON_FAILED, false},
	{-EINVAL, ALWAYS, 1, HUGETMPFS_REASON_FAILED, false},
};

static void try_error(size_t i, bool huge)
{
	unsigned tries = errors[i].tries;

	fake_mm_init(&engine.fake, 1);
	fake_mm_set(&engine.fake, 0, PAGES, 0, huge);
	fake_mm_fail(&engine.fake, FAKE_MIGRATE, 0, errors[i].error,
		     errors[i].times);
	start("bind:1");
	recover(1);
	/* after the collapse once more, as a huge page that is elsewhere */
	if (!huge && errors[i].collapsed && errors[i].times == ALWAYS)
		tries *= 2;
	assert_int_equal(called(FAKE_MIGRATE), tries);
	assert_int_equal(caller.extents[0].reason, errors[i].reason);
	assert_int_equal(caller.extents[0].state,
			 huge || errors[i].collapsed ? HUGETMPFS_HUGE
						     : HUGETMPFS_SMALL);
	if (errors[i].reason != HUGETMPFS_REASON_DONE)
		assert_int_equal(caller.extents[0].error, -errors[i].error);
	engine_stop(&engine);
}

static void test_errors(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		try_error(i, false);
		try_error(i, true);
	}
}

/* The node goes away between the look and the move. */
static void node_goes(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op == FAKE_MIGRATE) {
		pthread_mutex_lock(&engine.fake.lock);
		engine.fake.forbidden[1] = true;
		pthread_mutex_unlock(&engine.fake.lock);
	}
}

static void test_node_goes(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	fake_mm_fail(&engine.fake, FAKE_MIGRATE, FAKE_ANY, -ENODEV, 1);
	engine.fake.hook = node_goes;
	start("bind:1");
	recover(2);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_NO_NODE, 0);
	expect(1, HUGETMPFS_HUGE, HUGETMPFS_REASON_NO_NODE, 0);
	assert_int_equal(called(FAKE_MIGRATE), 1);
	/* another node of the policy takes its place */
	engine.fake.forbidden[1] = false;
	fake_mm_fail(&engine.fake, FAKE_MIGRATE, FAKE_ANY, -ENODEV, 1);
	engine_set(&engine, "numa=bind:1-2");
	recover(2);
	expect_home(0, 2, MIGRATE | COLLAPSE);
	expect_home(1, 2, MIGRATE);
}

/* The node fills up while pages are on their way. */
static void test_fills_up(void **state)
{
	(void) state;
	fake_mm_answer(&engine.fake, 0, MM_MOVED_NO_MEMORY, 100, 1);
	fake_mm_answer(&engine.fake, 1, MM_MOVED_NO_MEMORY, PAGES, 1);
	start("bind:1-2");
	recover(2);
	/* what has got there is at home there */
	expect(0, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, MIGRATE | COLLAPSE);
	assert_int_equal(fake_mm_on(&engine.fake, 0, 1), PAGES);
	expect_home(1, 2, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_MIGRATE), 4);
}

/* The kernel makes the huge page on another node than most pages are on. */
static void test_place(void **state)
{
	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, PAGES);
	fake_mm_put_on(&engine.fake, 1, 1, 100);
	engine.fake.makes_on = 0;
	start("bind:1");
	recover(2);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	expect_home(1, 1, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_MIGRATE), 1);
	assert_int_equal(called(FAKE_MIGRATE_AHEAD), 1);
	assert_int_equal(engine_count(&engine, recov_completed), 2);
}

/* It cannot be moved after: it is huge, and not where it belongs. */
static void test_place_fails(void **state)
{
	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, PAGES);
	fake_mm_answer(&engine.fake, 0, MM_MOVED_BUSY, PAGES, ALWAYS);
	engine.fake.makes_on = 0;
	for (int i = 0; i < 2; i++) {
		engine.fake.mappers[i].present = true;
		engine.fake.mappers[i].by_pte[0] = true;
	}
	start("bind:1");
	recover(1);
	expect(0, HUGETMPFS_HUGE, HUGETMPFS_REASON_AGAIN,
	       COLLAPSE | HUGETMPFS_PASS_REMAP);
	assert_true(engine.fake.mappers[1].by_pmd[0]);
	assert_int_equal(called(FAKE_MIGRATE), 10);
	assert_int_equal(engine_count(&engine, recov_partial), 1);
	assert_int_equal(engine_count(&engine, huge_alloced), 1);
}

static void punch(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	if (op == FAKE_MIGRATE)
		fake_mm_punch(&engine.fake, index);
}

static void test_punched(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	engine.fake.hook = punch;
	start("bind:1");
	recover(2);
	expect(0, HUGETMPFS_HOLE, HUGETMPFS_REASON_TOO_LATE, 0);
	expect(1, HUGETMPFS_HOLE, HUGETMPFS_REASON_TOO_LATE, 0);
}

/* What is swapped in is misplaced only then. */
static void test_swapped(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, 400, 112, false);
	fake_mm_put_on(&engine.fake, 0, 2, 400);
	start("bind:2");
	engine_recover(&engine, &caller, 0, 1, HUGETMPFS_RECOVER_DRY_RUN);
	assert_int_equal(caller.extents[0].passes,
			 HUGETMPFS_PASS_SWAPIN | COLLAPSE);
	recover(1);
	expect_home(0, 2, HUGETMPFS_PASS_SWAPIN | MIGRATE | COLLAPSE);
}

static void test_map(void **state)
{
	struct hugetmpfs_extent extents[3];
	uint64_t size_bytes;

	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, 12);
	fake_mm_put_on(&engine.fake, 1, 1, PAGES);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	start("bind:1");
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 3,
				      extents, &size_bytes), 3);
	assert_int_equal(extents[0].nid, 0);
	assert_int_equal(extents[0].target_nid, 1);
	assert_int_equal(extents[0].misplaced_pages, 500);
	assert_int_equal(extents[0].reason, HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(extents[1].misplaced_pages, 0);
	assert_int_equal(extents[2].misplaced_pages, PAGES);
	assert_int_equal(extents[2].reason, HUGETMPFS_REASON_MISPLACED);
	/* and why it stayed there */
	engine.fake.node_room[1] = 0;
	recover(3);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 3,
				      extents, &size_bytes), 3);
	assert_int_equal(extents[0].reason, HUGETMPFS_REASON_NODE_FULL);
	assert_int_equal(extents[2].reason, HUGETMPFS_REASON_NODE_FULL);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small),	 TEST(test_huge),
		TEST(test_at_home),	 TEST(test_one_node),
		TEST(test_bind_full),	 TEST(test_bind_several),
		TEST(test_prefer),	 TEST(test_interleave),
		TEST(test_no_node),	 cmocka_unit_test(test_outcomes),
		TEST(test_heals),	 cmocka_unit_test(test_errors),
		TEST(test_node_goes),	 TEST(test_fills_up),
		TEST(test_place),	 TEST(test_place_fails),
		TEST(test_punched),	 TEST(test_swapped),
		TEST(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

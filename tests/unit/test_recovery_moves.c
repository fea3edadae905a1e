/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ways in which pages are moved to another node, on a fake machine: in the
 * eyes of who has them mapped or in our own, one extent or several by a call,
 * whole or in pieces; and that no more is looked at after it than must be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/nodes.h"

static void map(int mapper, uint64_t index)
{
	engine.fake.mappers[mapper].present = true;
	engine.fake.mappers[mapper].by_pte[index] = true;
}

/* What all has gone where it belongs is not looked at before the collapse. */
static void test_looks(void **state)
{
	unsigned looks;

	(void) state;
	fake_mm_put_on(&engine.fake, 1, 1, 1);
	start("bind:1");
	recover(1);
	looks = called(FAKE_LOOK);
	engine_recover(&engine, &caller, 1, 1, 0);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_LOOK) - looks, looks + 1);
}

/* In the eyes of who has it mapped, and only what he has not in our own. */
static void test_mapped(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < 5; i++)
		map(0, i);
	fake_mm_put_on(&engine.fake, 1, 1, 1);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	fake_mm_answer(&engine.fake, 3, MM_MOVED_BUSY, 100, 1);
	fake_mm_fail(&engine.fake, FAKE_MAPPER_MIGRATE, 4, -EACCES, 1);
	start("bind:1");
	recover(1);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_MAPPER_MIGRATE), 1);
	assert_int_equal(called(FAKE_MIGRATE), 0);
	assert_int_equal(engine_count(&engine, page_migrate), PAGES + PAGES);
	/* one is there already; and a huge one has but one place to change */
	engine_recover(&engine, &caller, 1, 2, 0);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	expect_home(1, 1, MIGRATE | HUGETMPFS_PASS_REMAP);
	assert_int_equal(called(FAKE_MAPPER_MIGRATE), 1);
	assert_int_equal(called(FAKE_MIGRATE), 2);
	/* some are busy, or he may not have them there */
	engine_recover(&engine, &caller, 3, 2, 0);
	expect_home(0, 1, MIGRATE | COLLAPSE);
	expect_home(1, 1, MIGRATE | COLLAPSE);
	assert_int_equal(called(FAKE_MAPPER_MIGRATE), 3);
	assert_int_equal(called(FAKE_MIGRATE), 4);
	assert_int_equal(engine_count(&engine, page_migrate),
			 PAGES + 511 + PAGES + PAGES + PAGES + 4 * PAGES);
}

/* Huge ones go together as long as nothing speaks against it. */
static void test_ahead(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < 8; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, i != 3);
	fake_mm_put_on(&engine.fake, 5, 1, PAGES);
	start("bind:1");
	recover(8);
	for (uint32_t i = 0; i < 8; i++) {
		if (i != 3 && i != 5)
			expect_home(i, 1, MIGRATE);
	}
	expect_home(3, 1, MIGRATE | COLLAPSE);
	expect_home(5, 1, 0);
	/* before the small one, and after it */
	assert_int_equal(called(FAKE_MIGRATE_AHEAD), 2);
	assert_int_equal(called(FAKE_MIGRATE), 1);
	assert_int_equal(engine_count(&engine, page_migrate), 8 * PAGES);
}

/* Those that stay behind are tried alone, and the others are not. */
static void test_ahead_fails(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < 4; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	fake_mm_answer(&engine.fake, 1, MM_MOVED_BUSY, PAGES, 3);
	start("bind:1");
	recover(4);
	for (uint32_t i = 0; i < 4; i++)
		expect_home(i, 1, MIGRATE);
	assert_int_equal(called(FAKE_MIGRATE_AHEAD), 1);
	assert_int_equal(called(FAKE_MIGRATE), 3);
	/* two tries were answered so, and are counted */
	assert_int_equal(engine_count(&engine, page_unmigrated), 2 * PAGES);
	assert_int_equal(engine_count(&engine, page_migrate), 6 * PAGES);
}

/* On a node that has room for these and no more, each is where it belongs. */
static void test_ahead_room(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < 4; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	start("bind:1");
	engine.fake.node_room[1] = 2 * HUGETMPFS_EXTENT_BYTES;
	recover(4);
	expect_home(0, 1, MIGRATE);
	expect_home(1, 1, MIGRATE);
	for (uint32_t i = 2; i < 4; i++)
		expect(i, HUGETMPFS_HUGE, HUGETMPFS_REASON_NODE_FULL, 0);
}

/* In the background no more by one call than the latency has time for. */
static void test_ahead_latency(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < 4; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	start("bind:1");
	engine_set(&engine, "latency_us=900,free_block=off");
	engine_offer(&engine, 0, 4);
	engine_wait_count(&engine, RECOVERY_COUNT_recov_completed, 4);
	assert_int_equal(called(FAKE_MIGRATE_AHEAD), 0);
	assert_int_equal(called(FAKE_MIGRATE), 4);
}

/* No huge page is free there: it goes in pieces, and is whole again later. */
static void test_pieces(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	engine.fake.no_huge[1] = true;
	start("bind:1");
	recover(2);
	for (int i = 0; i < 2; i++) {
		expect(i, HUGETMPFS_SMALL, HUGETMPFS_REASON_NO_HUGE_PAGE,
		       MIGRATE);
		assert_int_equal(fake_mm_on(&engine.fake, i, 1), PAGES);
	}
	assert_int_equal(engine_count(&engine, recov_partial), 2);
	engine.fake.no_huge[1] = false;
	recover(2);
	expect_home(0, 1, COLLAPSE);
	expect_home(1, 1, COLLAPSE);
	assert_int_equal(engine_count(&engine, resume_teamed), 2);
}

/* The same of the huge page that the collapse has made elsewhere. */
static void test_place_pieces(void **state)
{
	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, PAGES);
	engine.fake.makes_on = 0;
	engine.fake.no_huge[1] = true;
	start("bind:1");
	recover(1);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_NO_HUGE_PAGE,
	       MIGRATE | COLLAPSE);
	assert_int_equal(engine_count(&engine, recov_completed), 0);
	assert_int_equal(engine_count(&engine, recov_partial), 1);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_looks),      TEST(test_mapped),
		TEST(test_ahead),      TEST(test_ahead_fails),
		TEST(test_ahead_room), TEST(test_ahead_latency),
		TEST(test_pieces),     TEST(test_place_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

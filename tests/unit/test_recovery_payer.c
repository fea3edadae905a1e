/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who pays for a recovery: the cgroup that pays for the extent already, within
 * its limit, and for holes only if it asked or an admin did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/engine.h"

#define OWNER	 UINT64_C(100)
#define STRANGER UINT64_C(200)

static struct engine engine;
static struct caller caller;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 4);
	for (int i = 0; i < 4; i++)
		engine.fake.extents[i].owner = OWNER;
	engine.file.payer = 0;
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	engine_stop(&engine);
	return 0;
}

static void add_mapper(int i, uint64_t group)
{
	engine.fake.mappers[i].present = true;
	engine.fake.mappers[i].group = group;
	for (int extent = 0; extent < 4; extent++)
		engine.fake.mappers[i].by_pte[extent] = true;
}

static void assert_all(enum hugetmpfs_reason reason)
{
	assert_int_equal(caller.nr, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(caller.extents[i].reason, reason);
}

static void test_the_owners_mapper(void **state)
{
	(void) state;
	add_mapper(0, STRANGER);
	add_mapper(1, OWNER);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
	assert_int_equal(engine.fake.mappers[0].collapses, 0);
	assert_int_equal(engine.fake.mappers[1].collapses, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(engine.fake.extents[i].owner, OWNER);
		/* the other one has it mapped huge as well */
		assert_true(engine.fake.mappers[0].by_pmd[i]);
	}
}

static void test_no_mapper_of_the_owner(void **state)
{
	(void) state;
	add_mapper(0, STRANGER);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
	assert_int_equal(engine.fake.mappers[0].collapses, 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(engine.fake.extents[i].owner, OWNER);
		assert_true(engine.fake.mappers[0].by_pmd[i]);
	}
}

static void test_no_mapper_at_all(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(engine.fake.extents[i].owner, OWNER);
}

/* Nobody knows who pays: then the mapper does, as before. */
static void test_owner_unknown(void **state)
{
	(void) state;
	for (int i = 0; i < 4; i++)
		engine.fake.extents[i].owner = 0;
	add_mapper(0, STRANGER);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
	assert_int_equal(engine.fake.mappers[0].collapses, 4);
}

static void test_owner_at_its_limit(void **state)
{
	(void) state;
	engine.fake.room = HUGETMPFS_EXTENT_BYTES - 1;
	add_mapper(0, OWNER);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_OVER_LIMIT);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPER_COLLAPSE), 0);
}

static void test_holes_at_anothers_expense(void **state)
{
	(void) state;
	for (int i = 0; i < 4; i++)
		fake_mm_set(&engine.fake, i, 400, 0, false);
	engine_start(&engine, 1);
	engine.file.payer = STRANGER;
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_TOO_MANY_HOLES);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 0);

	engine.file.payer = OWNER;
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
}

static void test_an_admin_may_fill_holes(void **state)
{
	(void) state;
	for (int i = 0; i < 4; i++)
		fake_mm_set(&engine.fake, i, 400, 0, false);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
}

/* Without holes it costs nobody anything: a stranger may ask. */
static void test_a_stranger_may_ask(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	engine.file.payer = STRANGER;
	engine_recover(&engine, &caller, 0, 4, 0);
	assert_all(HUGETMPFS_REASON_DONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(engine.fake.extents[i].owner, OWNER);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_owners_mapper),
		TEST(test_no_mapper_of_the_owner),
		TEST(test_no_mapper_at_all),
		TEST(test_owner_unknown),
		TEST(test_owner_at_its_limit),
		TEST(test_holes_at_anothers_expense),
		TEST(test_an_admin_may_fill_holes),
		TEST(test_a_stranger_may_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

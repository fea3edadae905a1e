/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Neighbours are collapsed by one call, and each alone when that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "fake/engine.h"

#define EXTENTS 16
#define GROUP	UINT64_C(100)

static struct engine engine;
static struct caller caller;

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, EXTENTS);
	engine.fake.together = true;
	engine.file.payer = 0;
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	engine_stop(&engine);
	return 0;
}

static void add_mapper(int i, unsigned first, unsigned nr)
{
	engine.fake.mappers[i].present = true;
	engine.fake.mappers[i].group = GROUP;
	for (unsigned extent = first; extent < first + nr; extent++)
		engine.fake.mappers[i].by_pte[extent] = true;
}

static void recover_all(void)
{
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, EXTENTS, 0);
	assert_int_equal(caller.nr, EXTENTS);
}

static void assert_done(unsigned nr)
{
	unsigned done = 0;

	for (int i = 0; i < EXTENTS; i++)
		done += caller.extents[i].reason == HUGETMPFS_REASON_DONE;
	assert_int_equal(done, nr);
	assert_int_equal(engine_count(&engine, huge_alloced),
			 nr);
	assert_int_equal(engine_count(&engine, page_raced), 0);
}

static void test_through_a_mapper(void **state)
{
	(void) state;
	add_mapper(0, 0, EXTENTS);
	recover_all();
	assert_done(EXTENTS);
	assert_int_equal(engine.fake.calls_together, 2);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPER_COLLAPSE),
			 EXTENTS);
	assert_int_equal(engine.fake.mappers[0].collapses, EXTENTS);
}

/* All at the expense of the owner, in one go. */
static void test_without_mapper(void **state)
{
	(void) state;
	for (int i = 0; i < EXTENTS; i++)
		engine.fake.extents[i].owner = GROUP;
	recover_all();
	assert_done(EXTENTS);
	assert_int_equal(engine.fake.calls_together, 1);
	for (int i = 0; i < EXTENTS; i++)
		assert_int_equal(engine.fake.extents[i].owner, GROUP);
}

/* Who pays for one does not pay for its neighbour. */
static void test_several_owners(void **state)
{
	(void) state;
	for (int i = 0; i < EXTENTS; i++)
		engine.fake.extents[i].owner = GROUP + i / 4;
	recover_all();
	assert_done(EXTENTS);
	assert_int_equal(engine.fake.calls_together, 4);
	for (int i = 0; i < EXTENTS; i++)
		assert_int_equal(engine.fake.extents[i].owner, GROUP + i / 4);
}

/* Each through the mapper that uses it. */
static void test_several_mappers(void **state)
{
	(void) state;
	add_mapper(0, 0, 5);
	add_mapper(1, 5, EXTENTS - 5);
	recover_all();
	assert_done(EXTENTS);
	assert_int_equal(engine.fake.mappers[0].collapses, 5);
	assert_int_equal(engine.fake.mappers[1].collapses, EXTENTS - 5);
}

static void test_one_is_pinned(void **state)
{
	(void) state;
	add_mapper(0, 0, EXTENTS);
	engine.fake.extents[3].pinned = true;
	recover_all();
	assert_done(EXTENTS - 1);
	assert_int_equal(caller.extents[3].state, HUGETMPFS_SMALL);
	assert_int_equal(engine.fake.calls_together, 2);
}

/* It is tried alone, and then without the mapper. */
static void test_one_fails(void **state)
{
	(void) state;
	add_mapper(0, 0, EXTENTS);
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 12, -EINVAL, 2);
	recover_all();
	assert_done(EXTENTS);
	assert_int_equal(engine.fake.mappers[0].collapses, EXTENTS - 1);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 1);
}

static void release_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	if (op == FAKE_MAPPER_COLLAPSE && index == 0)
		recovery_release(engine.recovery, FAKE_INO, 0, 4);
}

/* Those that were given up meanwhile end so, and none of them is stepped. */
static void test_released_meanwhile(void **state)
{
	(void) state;
	add_mapper(0, 0, EXTENTS);
	engine.fake.hook = release_hook;
	recover_all();
	for (int i = 0; i < EXTENTS; i++)
		assert_int_equal(caller.extents[i].reason,
				 i > 0 && i < 4 ? HUGETMPFS_REASON_TOO_LATE
						: HUGETMPFS_REASON_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_through_a_mapper, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_without_mapper, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_several_owners, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_several_mappers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_is_pinned, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_fails, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_released_meanwhile, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

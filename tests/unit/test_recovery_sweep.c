/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is on the wrong node, on a model of the kernel with several: found in
 * the background and moved, and looked for no more often than it is worth;
 * and the policy follow, which says anew where that is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/background.h"

#define PAGES	HUGETMPFS_EXTENT_PAGES
#define EXTENTS 8

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, EXTENTS);
	return 0;
}

/* A file that is huge, on the first of several nodes. */
static void make_huge(void)
{
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	fake_mm_put_on(&engine.fake, 0, 1, 0);
}

static void start_with(enum recovery_recover recover, const char *settings)
{
	start(recover);
	for (int i = 0; i < EXTENTS; i++)
		assert_int_equal(pwrite(engine.file.fd, "x", 1,
					i * (off_t) HUGETMPFS_EXTENT_BYTES),
				 1);
	engine_set(&engine, settings);
}

static bool is_on(uint64_t index, int nid)
{
	return fake_mm_on(&engine.fake, index, nid) == PAGES;
}

static void wait_on(uint64_t index, int nid)
{
	for (int i = 0; !is_on(index, nid); i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
}

static void wait_called(enum fake_op op, unsigned more)
{
	unsigned until = fake_mm_called(&engine.fake, op) + more;

	for (int i = 0; fake_mm_called(&engine.fake, op) < until; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
}

/* Calls that were to move something. */
static unsigned moves(void)
{
	return fake_mm_called(&engine.fake, FAKE_MIGRATE) +
	       fake_mm_called(&engine.fake, FAKE_MIGRATE_AHEAD);
}

/* Each tick reads the machine's counters once. */
static void wait_ticks(unsigned nr)
{
	wait_called(FAKE_MACHINE, nr);
}

static void run_threads(int who, int nid, unsigned nr)
{
	pthread_mutex_lock(&engine.fake.lock);
	mapper[who].present = true;
	memset(mapper[who].threads, 0, sizeof(mapper[who].threads));
	mapper[who].threads[nid] = nr;
	pthread_mutex_unlock(&engine.fake.lock);
}

/* Huge, used by nobody or by huge entries: nothing else would find it. */
static void test_bind(void **state)
{
	(void) state;
	make_huge();
	mapper[0].present = true;
	mapper[0].by_pmd[3] = true;
	start_with(RECOVERY_RECOVER_MAPPED, "numa=bind:1");
	for (uint64_t i = 0; i < EXTENTS; i++)
		wait_on(i, 1);
	for (uint64_t i = 0; i < EXTENTS; i++)
		assert_true(is_huge(i));
	/* another policy, another home */
	engine_set(&engine, "numa=bind:2");
	for (uint64_t i = 0; i < EXTENTS; i++)
		wait_on(i, 2);
	engine_stop(&engine);
}

/* Small pages that nobody uses stay where they are, until all is wanted. */
static void test_small(void **state)
{
	unsigned offered;

	(void) state;
	fake_mm_put_on(&engine.fake, 0, 1, 0);
	fake_mm_set(&engine.fake, 5, PAGES, 0, true);
	use(0, 2);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=bind:1");
	wait_on(2, 1);
	wait_on(5, 1);
	wait_huge(2);
	/* it is seen there, and not even offered */
	offered = fake_mm_called(&engine.fake, FAKE_MAPPERS_FIND);
	wait_ticks(80);
	assert_true(is_on(0, 0));
	assert_false(is_huge(0));
	assert_in_range(fake_mm_called(&engine.fake, FAKE_MAPPERS_FIND),
			offered, offered + 4);
	engine_set(&engine, "recover=all");
	for (uint64_t i = 0; i < EXTENTS; i++) {
		wait_on(i, 1);
		wait_huge(i);
	}
	engine_stop(&engine);
}

/* With one node, or without a policy, no file is so much as looked at. */
static void test_no_cost(void **state)
{
	(void) state;
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	run_threads(0, 1, 1);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_looks(4);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_LOOK), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPER_NODES), 0);
	engine_set(&engine, "numa=default");
	make_huge();
	wait_looks(4);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_LOOK), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPER_NODES), 0);
	engine_stop(&engine);
}

static void test_off(void **state)
{
	(void) state;
	make_huge();
	run_threads(0, 1, 1);
	start_with(RECOVERY_RECOVER_OFF, "numa=bind:1");
	for (int i = 0; i < 20 * TICK_MS; i++)
		nap();
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_LOOK), 0);
	engine_set(&engine, "recover=mapped");
	wait_on(7, 1);
	engine_stop(&engine);
}

static void hook_close(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	/* once a tick: the next one hears of it */
	if (op == FAKE_MACHINE)
		recovery_closed(engine.recovery, FAKE_INO);
}

/* A file that was written is closed in each tick, and may have its own policy. */
static void test_closed_always(void **state)
{
	(void) state;
	make_huge();
	engine.fake.hook = hook_close;
	start_with(RECOVERY_RECOVER_MAPPED, "numa=bind:0");
	recovery_policy_changed(engine.recovery);
	wait_ticks(4);
	engine_set(&engine, "numa=bind:1");
	for (uint64_t i = 0; i < EXTENTS; i++)
		wait_on(i, 1);
	engine_stop(&engine);
}

static atomic_uint ticks; /* since the file was looked at */
static atomic_uint longest;

static void hook_pause(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op == FAKE_MACHINE)
		atomic_fetch_add(&ticks, 1);
	if (op != FAKE_LOOK)
		return;
	if (atomic_load(&ticks) > atomic_load(&longest))
		atomic_store(&longest, atomic_load(&ticks));
	atomic_store(&ticks, 0);
}

/* Where all is well it is looked at ever more seldom, but it is. */
static void test_pauses(void **state)
{
	unsigned before;

	(void) state;
	make_huge();
	engine.fake.hook = hook_pause;
	start_with(RECOVERY_RECOVER_MAPPED, "numa=bind:0");
	for (int i = 0; atomic_load(&longest) < 160; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
	before = atomic_load(&longest);
	wait_called(FAKE_LOOK, 2);
	assert_in_range(before, 160, 1000);
	/* a change is seen to at once */
	engine_set(&engine, "numa=bind:3");
	wait_on(0, 3);
	wait_on(7, 3);
	engine_stop(&engine);
}

/* What cannot be moved is tried ever more seldom; the rest is not held up. */
static void test_backoff(void **state)
{
	unsigned tried;

	(void) state;
	make_huge();
	fake_mm_fail(&engine.fake, FAKE_MIGRATE, 2, -ENODEV, UINT32_MAX);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=bind:1");
	for (uint64_t i = 0; i < EXTENTS; i++) {
		if (i != 2)
			wait_on(i, 1);
	}
	tried = moves();
	wait_ticks(160);
	/* 5, 10, 20, 40 and 80 ticks after the first time, some tries each */
	assert_in_range(moves(), tried, tried + 6 * 20);
	assert_true(is_on(2, 0));
	assert_true(is_huge(2));
	engine_stop(&engine);
}

static atomic_uint looks; /* that have begun to ask where threads run */
static atomic_uint moved_after;

static void hook_follow(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op == FAKE_MAPPER_NODES)
		atomic_fetch_add(&looks, 1);
	if ((op == FAKE_MIGRATE || op == FAKE_MIGRATE_AHEAD) &&
	    !atomic_load(&moved_after))
		atomic_store(&moved_after, atomic_load(&looks));
}

/* Two looks, and it moves; then to another node, and back. */
static void test_follow(void **state)
{
	static const int nodes[] = {1, 2, 1, 0};

	(void) state;
	make_huge();
	engine.fake.hook = hook_follow;
	run_threads(0, 0, 3);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_looks(4);
	assert_int_equal(moves(), 0);
	for (int i = 0; i < 4; i++) {
		atomic_store(&moved_after, 0);
		atomic_store(&looks, 0);
		run_threads(0, nodes[i], 3);
		for (uint64_t j = 0; j < EXTENTS; j++)
			wait_on(j, nodes[i]);
		assert_true(atomic_load(&moved_after) >= 2);
	}
	engine_stop(&engine);
}

static void hook_alternate(void *arg, enum fake_op op, uint64_t index)
{
	static int nid;

	(void) arg;
	(void) index;
	/* each look asks once: none of them sees what the one before saw */
	if (op != FAKE_MAPPER_NODES)
		return;
	nid = !nid;
	run_threads(0, nid, 3);
}

/* Mappers that alternate, and mappers that run everywhere: it stays. */
static void test_follow_stays(void **state)
{
	(void) state;
	make_huge();
	engine.fake.hook = hook_alternate;
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_looks(20);
	assert_int_equal(moves(), 0);
	engine_stop(&engine);

	setup(state);
	make_huge();
	run_threads(0, 1, 2);
	run_threads(1, 0, 1);
	run_threads(2, 2, 1);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_looks(8);
	assert_int_equal(moves(), 0);
	/* a clear majority, as one of them has gone */
	pthread_mutex_lock(&engine.fake.lock);
	mapper[1].dead = mapper[2].dead = true;
	pthread_mutex_unlock(&engine.fake.lock);
	wait_on(0, 1);
	wait_on(7, 1);
	engine_stop(&engine);
}

static atomic_uint asked; /* for the threads of one that has ended */

static void hook_stuck(void *arg, enum fake_op op, uint64_t index)
{
	hold_stuck(arg, op, index);
	if (op == FAKE_MAPPER_NODES && index == 2)
		atomic_fetch_add(&asked, 1);
}

/* One whose address space is locked cannot be looked at, but counts. */
static void test_follow_stuck(void **state)
{
	(void) state;
	make_huge();
	engine.fake.hook = hook_stuck;
	run_threads(0, 1, 2);
	run_threads(1, 0, 2);
	run_threads(2, 0, 1);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_looks(2);
	atomic_store(&stuck, true);
	pthread_mutex_lock(&engine.fake.lock);
	mapper[2].dead = true;
	pthread_mutex_unlock(&engine.fake.lock);
	wait_looks(2);
	atomic_store(&asked, 0);
	wait_looks(8);
	/* it is not remembered with the one that is stuck */
	assert_int_equal(atomic_load(&asked), 0);
	assert_true(engine_count(&engine, scan_stuck) >= 2);
	assert_int_equal(moves(), 0);
	/* it runs elsewhere now, which can be seen all the same */
	run_threads(1, 1, 2);
	wait_on(0, 1);
	wait_on(7, 1);
	atomic_store(&stuck, false);
	engine_stop(&engine);
}

/* The node goes between the look and the move: it stays, and goes elsewhere. */
static void test_follow_node_gone(void **state)
{
	(void) state;
	make_huge();
	fake_mm_fail(&engine.fake, FAKE_MIGRATE, FAKE_ANY, -ENODEV, UINT32_MAX);
	run_threads(0, 1, 1);
	start_with(RECOVERY_RECOVER_MAPPED, "numa=follow");
	wait_called(FAKE_MIGRATE, EXTENTS);
	wait_looks(2);
	for (uint64_t i = 0; i < EXTENTS; i++)
		assert_true(is_on(i, 0) && is_huge(i));
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.forbidden[1] = true;
	for (unsigned i = 0; i < engine.fake.nr_script; i++)
		engine.fake.script[i].times = 0;
	pthread_mutex_unlock(&engine.fake.lock);
	run_threads(0, 2, 1);
	for (uint64_t i = 0; i < EXTENTS; i++)
		wait_on(i, 2);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bind, setup),
		cmocka_unit_test_setup(test_small, setup),
		cmocka_unit_test_setup(test_no_cost, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_closed_always, setup),
		cmocka_unit_test_setup(test_pauses, setup),
		cmocka_unit_test_setup(test_backoff, setup),
		cmocka_unit_test_setup(test_follow, setup),
		cmocka_unit_test_setup(test_follow_stays, setup),
		cmocka_unit_test_setup(test_follow_stuck, setup),
		cmocka_unit_test_setup(test_follow_node_gone, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

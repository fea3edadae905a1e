/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scan on a model of the kernel: what it finds, when it looks, what it
 * leaves alone, and that a process that is stuck does not hold it up.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "fake/background.h"
#include "recovery/backoff.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 8);
	return 0;
}

/* What two processes use is made huge, and nothing else. */
static void test_mapped(void **state)
{
	(void) state;
	use(0, 1);
	use(2, 1);
	use(2, 6);
	start(RECOVERY_RECOVER_MAPPED);
	wait_huge(1);
	wait_huge(6);
	wait_looks(2);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(is_huge(i), i == 1 || i == 6);
	assert_int_equal(engine.fake.extents[1].collapsed, 1);
	/* both had it in one look, and that is one piece of evidence */
	assert_int_equal(engine_count(&engine, scan_evidence), 2);
	assert_int_equal(engine_count(&engine, work_queued), 2);
	/* one that begins to use it later is found as well */
	use(3, 7);
	wait_huge(7);
	engine_stop(&engine);
}

/* Swapped out but for a page that is used: all of it comes back. */
static void test_swapped(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, 1, PAGES - 1, false);
	fake_mm_set(&engine.fake, 1, 0, PAGES, false);
	use(0, 0);
	start(RECOVERY_RECOVER_MAPPED);
	wait_huge(0);
	wait_looks(2);
	assert_false(is_huge(1));
	engine_stop(&engine);
}

static void test_off(void **state)
{
	struct recovery_settings settings;

	(void) state;
	use(0, 0);
	start(RECOVERY_RECOVER_OFF);
	for (int i = 0; i < 20 * TICK_MS; i++)
		nap();
	assert_int_equal(engine_count(&engine, scan_looks), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_WATCH_LIST), 0);
	assert_false(is_huge(0));
	/* and on again */
	recovery_settings_get(engine.recovery, &settings);
	settings.recover = RECOVERY_RECOVER_MAPPED;
	assert_int_equal(recovery_settings_set(engine.recovery, &settings), 0);
	wait_huge(0);
	settings.recoveries = 0;
	assert_int_equal(recovery_settings_set(engine.recovery, &settings), 0);
	use(0, 1);
	for (int i = 0; i < 20 * TICK_MS; i++)
		nap();
	assert_false(is_huge(1));
	engine_stop(&engine);
}

/* A file that is closed, without any mapper; what is cold stays out. */
static void test_all(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 3, 0, PAGES, false);
	fake_mm_set(&engine.fake, 4, 100, 0, false);
	start(RECOVERY_RECOVER_ALL);
	/* data, so that SEEK_DATA finds it */
	for (int i = 0; i < 8; i++)
		assert_int_equal(pwrite(engine.file.fd, "x", 1,
					i * (off_t) HUGETMPFS_EXTENT_BYTES),
				 1);
	recovery_closed(engine.recovery, FAKE_INO);
	recovery_closed(engine.recovery, FAKE_INO + 1);
	wait_huge(0);
	wait_huge(7);
	wait_looks(2);
	assert_false(is_huge(3));
	assert_false(is_huge(4));
	engine_stop(&engine);
}

/* After the machine has moved pages all files are looked at, too. */
static void test_all_moved(void **state)
{
	(void) state;
	start(RECOVERY_RECOVER_ALL);
	assert_int_equal(pwrite(engine.file.fd, "x", 1, 0), 1);
	wait_looks(1);
	assert_false(is_huge(0));
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.machine.moved++;
	pthread_mutex_unlock(&engine.fake.lock);
	wait_huge(0);
	engine_stop(&engine);
}

/* Gives the file its own policy; skips where a kernel has none. */
static void set_own(const char *word)
{
	if (fsetxattr(engine.file.fd, HUGETMPFS_XATTR_RECOVER, word,
		      strlen(word), 0)) {
		engine_stop(&engine);
		skip();
	}
	recovery_policy_changed(engine.recovery);
}

/* The file says mapped where the mount says nothing, and then off. */
static void test_own_mapped(void **state)
{
	(void) state;
	start(RECOVERY_RECOVER_OFF);
	use(0, 1);
	set_own("mapped");
	wait_huge(1);
	assert_false(is_huge(2));
	set_own("off");
	wait_looks(2);
	use(0, 2);
	wait_looks(4);
	assert_false(is_huge(2));
	engine_stop(&engine);
}

/* The file says off where the mount says all. */
static void test_own_off(void **state)
{
	struct hugetmpfs_extent extent;
	struct hugetmpfs_policy policy;
	uint64_t size;

	(void) state;
	start(RECOVERY_RECOVER_ALL);
	set_own("off");
	assert_int_equal(pwrite(engine.file.fd, "x", 1, 0), 1);
	use(0, 0);
	recovery_closed(engine.recovery, FAKE_INO);
	wait_looks(4);
	assert_false(is_huge(0));
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 1,
				      &extent, &size), 1);
	assert_int_equal(extent.reason, HUGETMPFS_REASON_POLICY);
	recovery_file_policy(engine.recovery, &engine.file, &policy);
	assert_int_equal(policy.background, HUGETMPFS_BACKGROUND_OFF);
	assert_int_equal(policy.background_file, HUGETMPFS_BACKGROUND_OFF);
	assert_int_equal(policy.background_mount, HUGETMPFS_BACKGROUND_ALL);
	/* then all, and not a word from the mount */
	set_own("all");
	recovery_closed(engine.recovery, FAKE_INO);
	wait_huge(0);
	engine_stop(&engine);
}

/* The file says all where the mount takes only what is mapped. */
static void test_own_all(void **state)
{
	(void) state;
	start(RECOVERY_RECOVER_MAPPED);
	assert_int_equal(pwrite(engine.file.fd, "x", 1, 0), 1);
	set_own("all");
	recovery_closed(engine.recovery, FAKE_INO);
	wait_huge(0);
	engine_stop(&engine);
}

static void test_own_words(void **state)
{
	(void) state;
	assert_int_equal(recovery_policy_parse("off", 3),
			 HUGETMPFS_BACKGROUND_OFF);
	assert_int_equal(recovery_policy_parse("mapped", 6),
			 HUGETMPFS_BACKGROUND_MAPPED);
	assert_int_equal(recovery_policy_parse("all", 3),
			 HUGETMPFS_BACKGROUND_ALL);
	assert_int_equal(recovery_policy_parse("all", 4),
			 HUGETMPFS_BACKGROUND_UNSET);
	assert_int_equal(recovery_policy_parse("offf", 4),
			 HUGETMPFS_BACKGROUND_UNSET);
	assert_int_equal(recovery_policy_parse("of", 2),
			 HUGETMPFS_BACKGROUND_UNSET);
	assert_int_equal(recovery_policy_parse("", 0),
			 HUGETMPFS_BACKGROUND_UNSET);
}

/* A pinned extent is tried less and less often, and again when it changes. */
static void test_backoff(void **state)
{
	unsigned tried;

	(void) state;
	engine.fake.extents[2].pinned = true;
	use(0, 2);
	start(RECOVERY_RECOVER_MAPPED);
	wait_looks(12);
	tried = (unsigned) engine_count(&engine, work_queued);
	/* 12 looks are 120 ticks: after 0, 5, 15, 35, 75 ticks at the most */
	assert_in_range(tried, 1, 6);
	assert_false(is_huge(2));
	engine.fake.extents[2].pinned = false;
	wait_huge(2);
	engine_stop(&engine);
}

static atomic_uint ticks;    /* since the last look */
static atomic_uint shortest; /* between two looks */
static atomic_bool moving;

static void hook_ticks(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op == FAKE_MACHINE) {
		atomic_fetch_add(&ticks, 1);
		pthread_mutex_lock(&engine.fake.lock);
		engine.fake.machine.moved += atomic_load(&moving);
		pthread_mutex_unlock(&engine.fake.lock);
	} else if (op == FAKE_WATCH_LIST) {
		if (atomic_load(&ticks) < atomic_load(&shortest))
			atomic_store(&shortest, atomic_load(&ticks));
		atomic_store(&ticks, 0);
	}
}

/* At rest a look each ten ticks, sooner while the machine's counters move. */
static void test_adaptive(void **state)
{
	(void) state;
	engine.fake.hook = hook_ticks;
	start(RECOVERY_RECOVER_MAPPED);
	wait_looks(2);
	atomic_store(&shortest, UINT_MAX);
	wait_looks(3);
	assert_true(atomic_load(&shortest) >= 10);
	atomic_store(&moving, true);
	while (atomic_load(&shortest) >= 10)
		nap();
	atomic_store(&moving, false);
	engine_stop(&engine);
}

/* One whose address space is locked is passed over, by all later looks, too. */
static void test_stuck(void **state)
{
	(void) state;
	atomic_store(&stuck, true);
	engine.fake.hook = hold_stuck;
	use(0, 0);
	use(1, 1);
	use(2, 2);
	start(RECOVERY_RECOVER_MAPPED);
	wait_huge(0);
	wait_huge(2);
	wait_looks(3);
	assert_true(engine_count(&engine, scan_stuck) >= 2);
	atomic_store(&stuck, false);
	/* nothing else than the stuck process itself being looked at again */
	use(1, 7);
	wait_huge(7);
	engine_stop(&engine);
}

/* The engine ends while a look is stuck; the look ends when it can. */
static void test_stuck_at_the_end(void **state)
{
	unsigned watches = 1;

	(void) state;
	atomic_store(&stuck, true);
	engine.fake.hook = hold_stuck;
	use(0, 0);
	use(1, 1);
	start(RECOVERY_RECOVER_MAPPED);
	wait_huge(0);
	recovery_destroy(engine.recovery);
	close(engine.file.fd);
	atomic_store(&stuck, false);
	for (int i = 0; watches; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
		pthread_mutex_lock(&engine.fake.lock);
		watches = engine.fake.watches;
		pthread_mutex_unlock(&engine.fake.lock);
	}
	/* the thread may still be on its way out of the close */
	for (int i = 0; i < 20; i++)
		nap();
	fake_mm_destroy(&engine.fake);
}

/* Errors of looks are no end of it. */
static void test_errors(void **state)
{
	(void) state;
	use(0, 0);
	use(1, 1);
	mapper[1].dead = true;
	fake_mm_fail(&engine.fake, FAKE_WATCH_LIST, FAKE_ANY, -EMFILE, 2);
	fake_mm_fail(&engine.fake, FAKE_MACHINE, FAKE_ANY, -ENOENT, 5);
	fake_mm_fail(&engine.fake, FAKE_WATCH_LOOK, 0, -EACCES, 2);
	start(RECOVERY_RECOVER_MAPPED);
	wait_huge(0);
	assert_false(is_huge(1));
	engine_stop(&engine);
}

/* Where small entries cannot be seen, what is asked for still works. */
static void test_unsupported(void **state)
{
	struct caller caller;

	(void) state;
	fake_mm_fail(&engine.fake, FAKE_WATCH_OPEN, FAKE_ANY, -EOPNOTSUPP, 1);
	start(RECOVERY_RECOVER_MAPPED);
	recovery_closed(engine.recovery, FAKE_INO);
	engine.file.ino = FAKE_INO;
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.extents[0].reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

static void test_backoff_times(void **state)
{
	struct recovery_backoff *backoff;
	uint64_t now = 100, ticks = RECOVERY_BACKOFF_FIRST_TICKS;

	(void) state;
	assert_int_equal(recovery_backoff_open(&backoff), 0);
	assert_false(recovery_backoff_holds(backoff, 1, 2, 7, now));
	for (int i = 0; i < 10; i++) {
		recovery_backoff_store(backoff, 1, 2, HUGETMPFS_REASON_PINNED,
				       now);
		assert_true(recovery_backoff_holds(backoff, 1, 2, 7,
						   now + ticks - 1));
		assert_false(recovery_backoff_holds(backoff, 1, 3, 7, now));
		assert_false(recovery_backoff_holds(backoff, 2, 2, 7, now));
		now += ticks;
		assert_false(recovery_backoff_holds_still(backoff, 1, 2, now));
		if (i < RECOVERY_BACKOFF_DOUBLINGS)
			ticks *= 2;
	}
	assert_int_equal(ticks, 320);
	/* other evidence */
	recovery_backoff_store(backoff, 1, 2, HUGETMPFS_REASON_PINNED, now);
	assert_true(recovery_backoff_holds(backoff, 1, 2, 7, now));
	assert_false(recovery_backoff_holds(backoff, 1, 2, 8, now));
	assert_false(recovery_backoff_holds_still(backoff, 1, 2, now));
	/* memory again: but a pin is a pin */
	recovery_backoff_store(backoff, 1, 1, HUGETMPFS_REASON_OVER_LIMIT, now);
	recovery_backoff_store(backoff, 1, 2, HUGETMPFS_REASON_PINNED, now);
	recovery_backoff_relent(backoff);
	assert_false(recovery_backoff_holds_still(backoff, 1, 1, now));
	assert_true(recovery_backoff_holds_still(backoff, 1, 2, now));
	recovery_backoff_forget(backoff, 1, 2);
	assert_false(recovery_backoff_holds_still(backoff, 1, 2, now));
	recovery_backoff_close(backoff);
}

/* Many extents: all are kept, up to the limit, and swept away when old. */
static void test_backoff_many(void **state)
{
	struct recovery_backoff *backoff;
	uint64_t n = RECOVERY_BACKOFF_MAX_EXTENTS;

	(void) state;
	assert_int_equal(recovery_backoff_open(&backoff), 0);
	for (uint64_t i = 0; i < n + 10; i++)
		recovery_backoff_store(backoff, i % 7, i,
				       HUGETMPFS_REASON_AGAIN, 0);
	for (uint64_t i = 0; i < n + 10; i++)
		assert_int_equal(recovery_backoff_holds_still(backoff, i % 7, i,
							      1),
				 i < n);
	recovery_backoff_sweep(backoff, 604);
	assert_true(recovery_backoff_holds_still(backoff, 0, 0, 1));
	recovery_backoff_sweep(backoff, 605);
	assert_false(recovery_backoff_holds_still(backoff, 0, 0, 1));
	recovery_backoff_store(backoff, 0, n, HUGETMPFS_REASON_AGAIN, 605);
	assert_true(recovery_backoff_holds_still(backoff, 0, n, 606));
	recovery_backoff_close(backoff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mapped, setup),
		cmocka_unit_test_setup(test_swapped, setup),
		cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_all, setup),
		cmocka_unit_test_setup(test_all_moved, setup),
		cmocka_unit_test_setup(test_own_all, setup),
		cmocka_unit_test_setup(test_own_mapped, setup),
		cmocka_unit_test_setup(test_own_off, setup),
		cmocka_unit_test(test_own_words),
		cmocka_unit_test_setup(test_backoff, setup),
		cmocka_unit_test_setup(test_adaptive, setup),
		cmocka_unit_test_setup(test_stuck, setup),
		cmocka_unit_test_setup(test_stuck_at_the_end, setup),
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_unsupported, setup),
		cmocka_unit_test(test_backoff_times),
		cmocka_unit_test(test_backoff_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

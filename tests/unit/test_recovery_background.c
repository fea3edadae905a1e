/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scan, the sweep and who follows, with each operation of mm_ops that they
 * come to failing, with each error that the kernel has for it or for what it is
 * made of, and with each call failing that wants memory or a thread. The engine
 * lives on from one failure to the next: whatever was left because of one is
 * recovered a little later, nothing else is done, and nothing is leaked.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fake/background.h"
#include "fake/memory.h"
#include "recovery/internal.h"

#define PAGES	HUGETMPFS_EXTENT_PAGES
#define EXTENTS 8
#define USED	4 /* of those, that a process uses by small entries */

/* Calls of one operation that are failed in turn. */
#define MOST_CALLS 3

static char what[128]; /* fails now, for the message */

#define check(condition)                                                      \
	do {                                                                  \
		if (!(condition))                                             \
			fail_msg("%s: %s", what, #condition);                 \
	} while (0)

/* Of what each operation is made of; ends with 0. */
static const int errors[FAKE_NR_OPS][12] = {
	[FAKE_LOOK] = {EBADF, EFAULT, EINTR, EINVAL, ENOMEM, ENXIO,
		       EOPNOTSUPP},
	[FAKE_POPULATE] = {EAGAIN, EBUSY, EFAULT, EHWPOISON, EINTR, EINVAL,
			   ENOMEM},
	[FAKE_COLLAPSE] = {EAGAIN, EBUSY, EINTR, EINVAL, ENOMEM, ENOSPC},
	[FAKE_MAPPERS_FIND] = {EACCES, EIO, EMFILE, ENFILE, ENOENT, ENOMEM},
	[FAKE_MAPPER_VIEW] = {EACCES, EFAULT, EINTR, EMFILE, ENOMEM, ENOTTY,
			      ESRCH, ETIMEDOUT},
	[FAKE_MAPPER_COLLAPSE] = {EAGAIN, EBADF, EBUSY, EINTR, EINVAL, ENOMEM,
				  EPERM, ESRCH, ETIMEDOUT},
	[FAKE_WINDOW_OPEN] = {EAGAIN, ENFILE, ENOMEM, EPERM},
	[FAKE_WATCH_LIST] = {EACCES, EIO, EMFILE, ENFILE, ENOENT, ENOMEM},
	[FAKE_WATCH_LOOK] = {EACCES, EBUSY, EFAULT, EINTR, EIO, EMFILE, ENFILE,
			     ENOMEM, ENOTTY, EPERM, ESRCH},
	[FAKE_MACHINE] = {EINTR, EIO, ENOENT, ENOMEM},
	[FAKE_PRESSURE] = {EINTR, EIO, EMFILE, ENOENT, EPROTO},
	[FAKE_FREE_BLOCKS] = {EIO, EMFILE, ENOENT, ENOMEM},
	[FAKE_COMPACT] = {EACCES, EINTR, EMFILE, ENOMEM},
	[FAKE_MIGRATE] = {E2BIG, EACCES, EFAULT, EINTR, ENODEV, ENOENT, ENOMEM,
			  EPERM, ESRCH},
	[FAKE_MAPPER_MIGRATE] = {EACCES, EFAULT, ENODEV, ENOENT, ENOMEM, EPERM,
				 ESRCH, ETIMEDOUT},
	[FAKE_NODES_ALLOWED] = {EIO, EMFILE, ENOENT, ENOMEM, ESRCH},
	[FAKE_MAPPER_NODES] = {EACCES, EIO, EMFILE, ENFILE, ENOMEM, EPROTO,
			       ESRCH},
	[FAKE_NODE_DISTANCES] = {EIO, EMFILE, ENOENT, ENOMEM},
	[FAKE_NODE_ROOM] = {EIO, EMFILE, ENODEV, ENOMEM},
	[FAKE_PLACE] = {EFAULT, EINVAL, ENODEV, ENOMEM, EPERM},
};

/* ---- what there is to find ---- */

struct scene {
	const char *name;
	enum recovery_recover recover;
	void (*set)(void);  /* at the beginning, and again after each time */
	bool (*done)(void); /* all of it was found and put right */
};

static bool all_huge(uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		if (!is_huge(i))
			return false;
	return true;
}

static bool all_on(int nid)
{
	for (uint64_t i = 0; i < EXTENTS; i++)
		if (fake_mm_on(&engine.fake, i, nid) != PAGES)
			return false;
	return true;
}

static void set_used(void)
{
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, i == 1 ? PAGES - 9 : PAGES,
			    i == 1 ? 9 : 0, false);
	for (uint64_t i = 0; i < USED; i++)
		use(i % 2, i);
}

static bool used_done(void)
{
	return all_huge(USED);
}

static void set_closed(void)
{
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, false);
	recovery_closed(engine.recovery, FAKE_INO);
}

static bool closed_done(void)
{
	return all_huge(EXTENTS);
}

static int home = 1;

/* Huge, where it does not belong. */
static void set_misplaced(void)
{
	char numa[32];

	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.nr_nodes = FAKE_NODES;
	pthread_mutex_unlock(&engine.fake.lock);
	home = 3 - home;
	snprintf(numa, sizeof(numa), "numa=bind:%d", home);
	engine_set(&engine, numa);
}

static bool misplaced_done(void)
{
	return all_on(home) && all_huge(EXTENTS);
}

static const struct scene used = {
	"used", RECOVERY_RECOVER_MAPPED, set_used, used_done
};
static const struct scene closed = {
	"closed", RECOVERY_RECOVER_ALL, set_closed, closed_done
};
static const struct scene misplaced = {
	"misplaced", RECOVERY_RECOVER_MAPPED, set_misplaced, misplaced_done
};

/* ---- an engine that goes on ---- */

static atomic_bool moving; /* pages, all the time: so a look comes each tick */

static void hook_moving(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op != FAKE_MACHINE || !atomic_load(&moving))
		return;
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.machine.moved++;
	pthread_mutex_unlock(&engine.fake.lock);
}

static void begin(const struct scene *scene)
{
	fake_mm_init(&engine.fake, EXTENTS);
	engine.fake.hook = hook_moving;
	start(scene->recover);
	for (int i = 0; i < EXTENTS; i++)
		assert_int_equal(pwrite(engine.file.fd, "x", 1,
					i * (off_t) HUGETMPFS_EXTENT_BYTES),
				 1);
}

static void forget_errors(void)
{
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.nr_script = 0;
	pthread_mutex_unlock(&engine.fake.lock);
}

static void check_extents(void)
{
	struct fake_extent *extent = engine.fake.extents;

	pthread_mutex_lock(&engine.fake.lock);
	for (int i = 0; i < EXTENTS; i++, extent++) {
		check(extent->resident + extent->swapped == PAGES);
		check(!extent->lost);
	}
	pthread_mutex_unlock(&engine.fake.lock);
}

/* All is put right, and nobody works on anything. */
static bool is_over(const struct scene *scene)
{
	struct recovery_load load;

	recovery_load(engine.recovery, &load);
	return scene->done() && !load.queued && !load.running;
}

static void wait_over(const struct scene *scene)
{
	for (int i = 0; !is_over(scene); i++) {
		check(i < PATIENCE_MS);
		nap();
	}
	check_extents();
}

/* Once more; of the calls that want memory the nth fails, with 0 none. */
static void run(const struct scene *scene, uint64_t nth)
{
	scene->set();
	atomic_store(&memory_of_test()->left, nth);
	/* a look is due */
	recovery_closed(engine.recovery, FAKE_INO + 1);
	wait_over(scene);
}

static void end(const struct scene *scene)
{
	/* what nobody uses, and nobody closed, was left alone */
	if (scene == &used)
		for (uint64_t i = USED; i < EXTENTS; i++)
			assert_int_equal(engine.fake.extents[i].collapsed, 0);
	engine_stop(&engine);
}

/* ---- operations that fail ---- */

static void run_error(const struct scene *scene, enum fake_op op, int error,
		      unsigned after, unsigned times)
{
	snprintf(what, sizeof(what), "%s, op %d, error %d, after %u, times %u",
		 scene->name, op, error, after, times);
	fake_mm_fail_after(&engine.fake, op, after, -error, times);
	run(scene, 0);
	forget_errors();
}

/* Each error at the first call, and then one of them at each later one. */
static void run_operation(const struct scene *scene, enum fake_op op)
{
	const int *error = errors[op];
	unsigned nr = 0;

	while (error[nr]) {
		run_error(scene, op, error[nr], 0, 1 + nr % 2);
		nr++;
	}
	for (unsigned i = 1; nr && i < MOST_CALLS; i++)
		run_error(scene, op, error[i % nr], i, 1);
}

static void with_each_error(const struct scene *scene, enum fake_op must)
{
	unsigned called[FAKE_NR_OPS];

	atomic_store(&moving, true);
	begin(scene);
	snprintf(what, sizeof(what), "%s", scene->name);
	run(scene, 0);
	for (int op = 0; op < FAKE_NR_OPS; op++)
		called[op] = fake_mm_called(&engine.fake, op);
	assert_true(called[must]);
	for (int op = 0; op < FAKE_NR_OPS; op++)
		if (called[op] && op != FAKE_WATCH_OPEN)
			run_operation(scene, op);
	end(scene);
	atomic_store(&moving, false);
}

static void test_errors_used(void **state)
{
	(void) state;
	with_each_error(&used, FAKE_WATCH_LOOK);
}

static void test_errors_closed(void **state)
{
	(void) state;
	with_each_error(&closed, FAKE_COLLAPSE);
}

static void test_errors_misplaced(void **state)
{
	(void) state;
	with_each_error(&misplaced, FAKE_MIGRATE_AHEAD);
}

/*
 * A file that was closed, on a machine that does not move pages: if it could not
 * be looked at, nothing but the scan itself remembers it.
 */
static void test_missed(void **state)
{
	static const enum fake_op ops[] = {FAKE_LOOK, FAKE_WINDOW_OPEN};

	(void) state;
	begin(&closed);
	run(&closed, 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		run_error(&closed, ops[i], ENOMEM, 0, 1);
	end(&closed);
}

/* ---- want of memory ---- */

/* Each call in turn, while all that was found is put right each time. */
static void with_each_failing(const struct scene *scene)
{
	struct memory *memory = memory_of_test();
	uint64_t before, nth = 0;

	begin(scene);
	do {
		before = atomic_load(&memory->nr_failed);
		snprintf(what, sizeof(what), "%s, want of memory %u",
			 scene->name, (unsigned) nth);
		run(scene, nth);
		atomic_store(&memory->left, 0);
	} while (!nth++ || atomic_load(&memory->nr_failed) != before);
	assert_true(nth > 5);
	end(scene);
}

static void test_memory_used(void **state)
{
	(void) state;
	with_each_failing(&used);
}

static void test_memory_closed(void **state)
{
	(void) state;
	with_each_failing(&closed);
}

static void test_memory_misplaced(void **state)
{
	(void) state;
	with_each_failing(&misplaced);
}

/* ---- answers that would be wrong ---- */

static void run_threads(int who, int nid, unsigned nr)
{
	mapper[who].present = true;
	mapper[who].threads[nid] = nr;
}

static void wait_called(enum fake_op op, unsigned more)
{
	unsigned until = fake_mm_called(&engine.fake, op) + more;

	for (int i = 0; fake_mm_called(&engine.fake, op) < until; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
}

/* Who follows goes nowhere while the larger part cannot be asked. */
static void test_unknown_threads(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, EXTENTS);
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
	engine.fake.nr_nodes = FAKE_NODES;
	run_threads(0, 1, 1);
	run_threads(1, 2, 9);
	fake_mm_fail(&engine.fake, FAKE_MAPPER_NODES, 1, -EMFILE, UINT_MAX);
	start(RECOVERY_RECOVER_MAPPED);
	assert_int_equal(pwrite(engine.file.fd, "x", 1, 0), 1);
	engine_set(&engine, "numa=follow");
	wait_called(FAKE_MAPPER_NODES, 12);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MIGRATE) +
				 fake_mm_called(&engine.fake,
						FAKE_MIGRATE_AHEAD),
			 0);
	forget_errors();
	for (int i = 0; fake_mm_on(&engine.fake, 0, 2) != PAGES; i++) {
		assert_true(i < PATIENCE_MS);
		nap();
	}
	engine_stop(&engine);
}

/* Of more files than are named that were closed none is forgotten. */
static void test_many_closed(void **state)
{
	(void) state;
	begin(&closed);
	for (uint64_t i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, false);
	for (uint64_t ino = 100; ino < 300; ino++)
		recovery_closed(engine.recovery, ino);
	recovery_closed(engine.recovery, FAKE_INO);
	wait_over(&closed);
	end(&closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_used),
		cmocka_unit_test(test_errors_closed),
		cmocka_unit_test(test_errors_misplaced),
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_memory_used),
		cmocka_unit_test(test_memory_closed),
		cmocka_unit_test(test_memory_misplaced),
		cmocka_unit_test(test_unknown_threads),
		cmocka_unit_test(test_many_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

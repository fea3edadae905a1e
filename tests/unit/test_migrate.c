/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mm/migrate.c on a scripted move_pages(2): every return value and status that
 * the kernel may give for three pages, whatever has really become of them. No
 * outcome may be one that the kernel contradicts.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdarg.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mm/migrate.h"

#define PAGES	  3
#define TARGET	  1
#define ELSEWHERE 0
#define HOLE	  (-ENOENT)

/* What the kernel may leave in the status array; the first: nothing. */
#define UNWRITTEN 99
static const int statuses[] = {UNWRITTEN, TARGET,  ELSEWHERE, -EBUSY,
			       -EACCES,	  -ENOMEM, -ENOENT,   -EFAULT};
static const int returns[] = {0,      1,	 3,	  -EBUSY, -ENOMEM, -EFAULT,
			      -ESRCH, -ENODEV, -EACCES, -EIO};
/* where a page may be after a try */
static const int places[] = {TARGET, ELSEWHERE, HOLE};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct kernel {
	int where[PAGES];  /* of each page now */
	int after[PAGES];  /* after the first try */
	int status[PAGES]; /* what the tries answer */
	int ret;
	int second;	/* return value of further tries that change nothing */
	bool heals;	/* the second try moves what is busy */
	bool mute;	/* where a page is, is not told */
	bool no_all;	/* MPOL_MF_MOVE_ALL is refused */
	int flags;	/* of the last try */
	unsigned tries; /* that were not refused */
	unsigned asked;
};

static char memory[PAGES];
static void *const pages[PAGES] = {&memory[0], &memory[1], &memory[2]};

static size_t page_of(const void *page)
{
	return (size_t) ((const char *) page - memory);
}

static long ask(struct kernel *kernel, unsigned long nr, void **what,
		int *status)
{
	kernel->asked++;
	if (kernel->mute)
		return -ESRCH;
	for (unsigned long i = 0; i < nr; i++)
		status[i] = kernel->where[page_of(what[i])];
	return 0;
}

static long move(struct kernel *kernel, unsigned long nr, void **what,
		 int *status)
{
	if (kernel->tries++ && kernel->heals) {
		for (unsigned long i = 0; i < nr; i++)
			kernel->where[page_of(what[i])] = TARGET;
		for (unsigned long i = 0; i < nr; i++)
			status[i] = TARGET;
		return 0;
	}
	if (kernel->tries == 1)
		memcpy(kernel->where, kernel->after, sizeof(kernel->where));
	for (unsigned long i = 0; i < nr; i++) {
		if (kernel->status[page_of(what[i])] != UNWRITTEN)
			status[i] = kernel->status[page_of(what[i])];
	}
	return kernel->tries == 1 ? kernel->ret : kernel->second;
}

static long move_pages(void *arg, pid_t pid, unsigned long nr, void **what,
		       const int *nodes, int *status, int flags)
{
	struct kernel *kernel = arg;

	assert_int_equal(pid, 42);
	assert_in_range(nr, 1, PAGES);
	if (!nodes)
		return ask(kernel, nr, what, status);
	for (unsigned long i = 0; i < nr; i++)
		assert_int_equal(nodes[i], TARGET);
	kernel->flags = flags;
	if (kernel->no_all && flags == MPOL_MF_MOVE_ALL)
		return -EPERM;
	return move(kernel, nr, what, status);
}

static int run(struct kernel *kernel, enum mm_moved *moved)
{
	const struct mm_mover mover = {move_pages, kernel};

	for (int i = 0; i < PAGES; i++)
		moved[i] = MM_NR_MOVED;
	return mm_migrate_by(&mover, 42, pages, PAGES, TARGET, moved);
}

/* A success, and a page said to be there, are never a lie. */
static bool is_allowed(const struct kernel *kernel)
{
	for (int i = 0; i < PAGES; i++) {
		if (kernel->ret == 0 && kernel->status[i] == TARGET &&
		    kernel->after[i] != TARGET)
			return false;
	}
	return true;
}

static void check(const struct kernel *kernel, int ret,
		  const enum mm_moved *moved)
{
	for (int i = 0; i < PAGES; i++) {
		int where = kernel->where[i];

		assert_in_range(moved[i], 0, MM_NR_MOVED - 1);
		if (kernel->mute) {
			if (moved[i] != MM_MOVED_THERE)
				assert_int_equal(moved[i], MM_MOVED_UNKNOWN);
			else
				assert_int_equal(where, TARGET);
			continue;
		}
		assert_int_equal(moved[i] == MM_MOVED_THERE, where == TARGET);
		assert_int_equal(moved[i] == MM_MOVED_HOLE, where == HOLE);
		if (moved[i] == MM_MOVED_SHARED)
			assert_int_equal(kernel->status[i], -EACCES);
		if (moved[i] == MM_MOVED_OFF_LRU)
			assert_int_equal(kernel->status[i], -EBUSY);
		assert_int_not_equal(moved[i], MM_MOVED_UNKNOWN);
	}
	/* what is about the call is told, and nothing else is an error */
	if (kernel->ret == -ESRCH || kernel->ret == -ENODEV ||
	    kernel->ret == -EACCES)
		assert_int_equal(ret, kernel->ret);
	else
		assert_int_equal(ret, 0);
	assert_in_range(kernel->tries, 1, 2);
}

static void try_one(uint32_t number, bool heals, bool mute)
{
	struct kernel kernel = {.heals = heals, .mute = mute};
	enum mm_moved moved[PAGES];
	int ret;

	for (int i = 0; i < PAGES; i++) {
		kernel.status[i] = statuses[number % NR(statuses)];
		number /= NR(statuses);
		kernel.after[i] = places[number % NR(places)];
		number /= NR(places);
	}
	kernel.ret = returns[number];
	/* what was not moved, is not by a try that answers in the same way */
	kernel.second = kernel.ret ? kernel.ret : 1;
	if (!is_allowed(&kernel))
		return;
	ret = run(&kernel, moved);
	check(&kernel, ret, moved);
}

static void test_all(void **state)
{
	uint32_t nr = NR(returns);

	(void) state;
	for (int i = 0; i < PAGES; i++)
		nr *= NR(statuses) * NR(places);
	for (uint32_t number = 0; number < nr; number++) {
		try_one(number, false, false);
		try_one(number, true, false);
		try_one(number, false, true);
	}
}

/* All well: one call, and nothing more is asked. */
static void test_straight(void **state)
{
	struct kernel kernel = {.after = {TARGET, TARGET, TARGET},
				.status = {TARGET, TARGET, TARGET}};
	enum mm_moved moved[PAGES];

	(void) state;
	assert_int_equal(run(&kernel, moved), 0);
	assert_int_equal(kernel.tries, 1);
	assert_int_equal(kernel.asked, 0);
	assert_int_equal(kernel.flags, MPOL_MF_MOVE_ALL);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(moved[i], MM_MOVED_THERE);
}

/* Without the capability, what belongs to others stays. */
static void test_not_allowed(void **state)
{
	struct kernel kernel = {.no_all = true,
				.after = {TARGET, ELSEWHERE, TARGET},
				.status = {TARGET, -EACCES, TARGET}};
	enum mm_moved moved[PAGES];

	(void) state;
	assert_int_equal(run(&kernel, moved), 0);
	assert_int_equal(kernel.flags, MPOL_MF_MOVE);
	assert_int_equal(moved[0], MM_MOVED_THERE);
	assert_int_equal(moved[1], MM_MOVED_SHARED);
	assert_int_equal(moved[2], MM_MOVED_THERE);
	/* for that reason no second try is made */
	assert_int_equal(kernel.tries, 1);
}

/* A full node: the rest was not even looked at. */
static void test_no_memory(void **state)
{
	struct kernel kernel = {.after = {TARGET, ELSEWHERE, ELSEWHERE},
				.status = {TARGET, UNWRITTEN, UNWRITTEN},
				.ret = -ENOMEM};
	enum mm_moved moved[PAGES];

	(void) state;
	assert_int_equal(run(&kernel, moved), 0);
	assert_int_equal(moved[0], MM_MOVED_THERE);
	assert_int_equal(moved[1], MM_MOVED_NO_MEMORY);
	assert_int_equal(moved[2], MM_MOVED_NO_MEMORY);
	assert_int_equal(kernel.tries, 1);
}

static void test_too_many(void **state)
{
	const struct mm_mover mover = {move_pages, NULL};
	enum mm_moved moved[1];

	(void) state;
	assert_int_equal(mm_migrate_by(&mover, 42, pages, MM_MIGRATE_PAGES + 1,
				       TARGET, moved),
			 -E2BIG);
	assert_int_equal(mm_migrate_by(&mover, 42, pages, 0, TARGET, moved), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_straight),
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

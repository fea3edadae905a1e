/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each operation of mm_ops that a recovery comes to, failing with each error
 * that the kernel has for it or for what it is made of, at each of its calls,
 * once or from then on. The table is generated: a run without an error tells
 * which operations a scene calls, and how often, so that a new pass or
 * operation is in it by itself. What must hold whatever fails is checked after
 * each; what it must be called, where the error leaves no other way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"
#include "recovery/internal.h"

#define PAGES	HUGETMPFS_EXTENT_PAGES
#define EXTENTS 6
#define GROUP	41
#define TARGET	1 /* node on which all is to be */

/*
 * Calls of one operation that are failed in turn. ThreadSanitizer takes ten
 * times as long, and finds no race by one error that it does not by another.
 */
#ifdef __SANITIZE_THREAD__
#define MOST_CALLS 1
#else
#define MOST_CALLS 5
#endif

/*
 * Of madvise, process_madvise, move_pages, io_uring_enter, ioctl(PAGEMAP_SCAN,
 * PROCMAP_QUERY), cachestat, mmap, open and read in /proc and of cgroups, and
 * clone3.
 */
static const int errors[] = {
	E2BIG,	EACCES, EAGAIN,	 EBADF,	    EBUSY,  ECANCELED, EEXIST,
	EFAULT, EFBIG,	EHWPOISON, EINTR,   EINVAL, EIO,       ENFILE,
	EMFILE, ENODEV, ENOENT,	 ENOMEM,    ENOSPC, ENOSYS,    ENOTTY,
	ENXIO,	EOVERFLOW, EOPNOTSUPP, EPERM, ERANGE, ESRCH,   ETIMEDOUT,
};

#define NR_ERRORS (sizeof(errors) / sizeof(*errors))

static struct engine engine;
static struct caller caller, second, offered;

/* What there is to recover. */
struct scene {
	const char *name;
	void (*set)(void);
};

static void set_mapper(int i, unsigned first, unsigned nr)
{
	engine.fake.mappers[i].present = true;
	engine.fake.mappers[i].group = GROUP;
	for (unsigned extent = first; extent < first + nr; extent++)
		engine.fake.mappers[i].by_pte[extent] = true;
}

/* Small pages that nobody has mapped. */
static void set_own(void)
{
}

/* The same, that a cgroup pays for, and calls for several work. */
static void set_helper(void)
{
	engine.fake.together = true;
	for (int i = 0; i < EXTENTS; i++)
		engine.fake.extents[i].owner = GROUP;
}

static void set_mappers(void)
{
	set_mapper(0, 0, EXTENTS);
	set_mapper(1, 2, EXTENTS - 2);
}

static void set_mappers_together(void)
{
	engine.fake.together = true;
	set_mappers();
}

static void set_swapped(void)
{
	set_mapper(0, 0, EXTENTS);
	for (int i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES - 7 * i, 7 * i, false);
}

/* Huge already, and used by small entries. */
static void set_remapped(void)
{
	set_mappers();
	for (int i = 0; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, true);
}

/* Busy whatever is tried. */
static void set_pinned(void)
{
	engine.fake.extents[1].pinned = true;
}

/* No huge page is free, and memory can be compacted. */
static void set_full(void)
{
	engine.fake.blocks = 1;
	engine.fake.compactable = EXTENTS;
}

/* On another node than they are to be: small, huge, some there already. */
static void set_elsewhere(void)
{
	engine.fake.nr_nodes = FAKE_NODES;
	fake_mm_put_on(&engine.fake, 0, TARGET, 100);
	for (int i = 1; i < EXTENTS; i++)
		fake_mm_set(&engine.fake, i, PAGES, 0, i > 2);
}

static void set_elsewhere_mapped(void)
{
	set_elsewhere();
	set_mappers();
}

/* All of it is there, and what is made of it is not. */
static void set_made_elsewhere(void)
{
	for (int i = 0; i < EXTENTS; i++)
		fake_mm_put_on(&engine.fake, i, TARGET, PAGES);
	engine.fake.makes_on = 0;
}

static const struct scene scenes[] = {
	{"own", set_own},
	{"helper", set_helper},
	{"mappers", set_mappers},
	{"mappers, together", set_mappers_together},
	{"swapped", set_swapped},
	{"remapped", set_remapped},
	{"pinned", set_pinned},
	{"full", set_full},
	{"elsewhere", set_elsewhere},
	{"elsewhere, mapped", set_elsewhere_mapped},
	{"made elsewhere", set_made_elsewhere},
};

/* One failure: of an operation, after so many calls. */
struct failure {
	const struct scene *scene;
	enum fake_op op;
	unsigned after;
	unsigned times;
	int error; /* positive; 0: none */
};

static struct failure failure; /* that is tried now, for the message */

#define check(condition)                                                      \
	do {                                                                  \
		if (!(condition))                                             \
			fail_msg("%s, op %d, error %d, after %u, times %u: "  \
				 "%s", failure.scene->name, failure.op,       \
				 failure.error, failure.after, failure.times, \
				 #condition);                                 \
	} while (0)

static void ask(struct caller *who, uint64_t first, uint32_t nr)
{
	caller_init(who);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, first,
					 nr, 0, caller_done, who, NULL),
			 0);
}

static void wait_quiet(void)
{
	struct recovery_load load;

	for (;;) {
		recovery_load(engine.recovery, &load);
		if (!load.queued && !load.running)
			return;
		sched_yield();
	}
}

static uint64_t count_ended(void)
{
	uint64_t nr = 0;

	for (int i = 0; i < HUGETMPFS_NR_REASONS; i++)
		nr += atomic_load(&engine.counters.count[RECOVERY_COUNT_reasons +
							 i]);
	return nr;
}

/*
 * An answer that says what is so, and gives a reason for what is not; when it
 * is not the last on the extent, that may have got better since.
 */
static void check_extent(const struct hugetmpfs_extent *extent, bool last)
{
	const struct fake_extent *is = &engine.fake.extents[extent->index];
	/* who could not look may not know either */
	bool knows = last && failure.op != FAKE_LOOK &&
		     failure.op != FAKE_NODES_ALLOWED;
	bool several = engine.fake.nr_nodes > 1;
	uint16_t elsewhere = several ? is->resident - is->on[TARGET] : 0;
	bool done = is->huge && !elsewhere;

	check(extent->reason < HUGETMPFS_NR_REASONS);
	check(extent->reason != HUGETMPFS_REASON_NOT_ASKED);
	check(extent->reason != HUGETMPFS_REASON_QUEUED);
	check(extent->reason != HUGETMPFS_REASON_CANCELLED);
	check(done || extent->reason != HUGETMPFS_REASON_DONE);
	check(!knows || !done || extent->reason == HUGETMPFS_REASON_DONE);
	check(!knows || extent->misplaced_pages == elsewhere);
	check(!knows || (extent->state == HUGETMPFS_HUGE) == is->huge);
	check(!extent->error || extent->error == failure.error ||
	      extent->error == EAGAIN || extent->error == EBUSY);
	check(is->huge || is->resident + is->swapped == PAGES);
}

static void check_caller(const struct caller *who, uint64_t first, uint32_t nr)
{
	check(who->done == 1);
	check(!who->error || who->error == -failure.error);
	check(who->nr == (who->error ? 0 : nr));
	for (uint32_t i = 0; i < who->nr; i++) {
		check(who->extents[i].index == first + i);
		check_extent(&who->extents[i], who == &second || first + i < 2);
	}
}

static void check_counters(void)
{
	uint64_t collapsed = 0;

	for (int i = 0; i < EXTENTS; i++)
		collapsed += engine.fake.extents[i].collapsed;
	check(count_ended() == engine_count(&engine, work_queued));
	check(engine_count(&engine, recov_completed) +
		      engine_count(&engine, recov_partial) +
		      engine_count(&engine, recov_failed) <=
	      count_ended());
	check(engine_count(&engine, huge_alloced) <= collapsed);
	/* made huge, or moved as a huge one */
	check(engine_count(&engine, recov_completed) <=
	      engine_count(&engine, huge_alloced) +
		      engine_count(&engine, page_migrate) / PAGES);
	check(failure.op == FAKE_LOOK ||
	      engine_count(&engine, huge_alloced) +
			      engine_count(&engine, page_raced) >=
		      collapsed);
}

/* Two who ask for some of the same, and one in the background. */
static void run(const struct failure *what)
{
	failure = *what;
	fake_mm_init(&engine.fake, EXTENTS);
	what->scene->set();
	if (what->error)
		fake_mm_fail_after(&engine.fake, what->op, what->after,
				   -what->error, what->times);
	engine_start(&engine, 1);
	engine_set(&engine, "compact=on");
	/* the model knows of free blocks on the first node alone */
	if (engine.fake.nr_nodes > 1)
		engine_set(&engine, "numa=bind:1,free_block=off");
	ask(&caller, 0, 4);
	ask(&second, 2, 3);
	caller_wait(&caller);
	caller_wait(&second);
	wait_quiet();
	check_caller(&caller, 0, 4);
	check_caller(&second, 2, 3);
	caller_init(&offered);
	assert_int_equal(recovery_offer_if(engine.recovery, &engine.file,
					   EXTENTS - 1, 1, NULL, caller_done,
					   &offered), 0);
	caller_wait(&offered);
	wait_quiet();
	check_counters();
	if (!what->error)
		return;
	engine_stop(&engine); /* nothing is left */
	check(caller.done == 1 && second.done == 1 && offered.done == 1);
}

/* How often a scene calls each operation when nothing fails. */
static void count_calls(const struct scene *scene, unsigned *calls)
{
	run(&(struct failure){.scene = scene, .op = FAKE_NR_OPS});
	for (int op = 0; op < FAKE_NR_OPS; op++)
		calls[op] = fake_mm_called(&engine.fake, op);
	engine_stop(&engine);
}

static void run_operation(const struct scene *scene, enum fake_op op,
			  unsigned calls)
{
	struct failure what = {.scene = scene, .op = op};

	if (calls > MOST_CALLS)
		calls = MOST_CALLS;
	for (size_t i = 0; i < NR_ERRORS; i++) {
		what.error = errors[i];
		for (what.after = 0; what.after < calls; what.after++) {
			what.times = 1;
			run(&what);
			what.times = UINT32_MAX;
			run(&what);
		}
	}
}

static void test_table(void **state)
{
	unsigned calls[FAKE_NR_OPS], ever[FAKE_NR_OPS] = {0};

	(void) state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
		count_calls(&scenes[i], calls);
		for (int op = 0; op < FAKE_NR_OPS; op++) {
			ever[op] += calls[op];
			run_operation(&scenes[i], op, calls[op]);
		}
	}
	/* the scenes leave none of them out */
	assert_true(ever[FAKE_LOOK] && ever[FAKE_WILLNEED] &&
		    ever[FAKE_POPULATE] && ever[FAKE_COLLAPSE] &&
		    ever[FAKE_OWNER] && ever[FAKE_BUSY] &&
		    ever[FAKE_MAPPERS_FIND] && ever[FAKE_MAPPER_VIEW] &&
		    ever[FAKE_MAPPER_COLLAPSE] && ever[FAKE_WINDOW_OPEN] &&
		    ever[FAKE_PRESSURE] && ever[FAKE_FREE_BLOCKS] &&
		    ever[FAKE_MIGRATE] && ever[FAKE_MIGRATE_AHEAD] &&
		    ever[FAKE_MAPPER_MIGRATE] && ever[FAKE_NODES_ALLOWED] &&
		    ever[FAKE_NODE_ROOM]);
}

static enum hugetmpfs_reason collapse_reason(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
		return HUGETMPFS_REASON_AGAIN;
	case EBUSY:
	case ENOSPC:
		return HUGETMPFS_REASON_OVER_LIMIT;
	case ENOMEM:
		return HUGETMPFS_REASON_NO_HUGE_PAGE;
	case EPERM:
	case EACCES:
		return HUGETMPFS_REASON_DENIED;
	default:
		return HUGETMPFS_REASON_FAILED;
	}
}

static enum hugetmpfs_reason populate_reason(int error)
{
	if (error == EAGAIN || error == EINTR || error == EBUSY)
		return collapse_reason(error);
	return HUGETMPFS_REASON_SWAP_FAILED;
}

/* What an error is called that does not go away, with no way around it. */
static void check_reason(enum fake_op op, uint16_t swapped, int error,
			 enum hugetmpfs_reason reason)
{
	fake_mm_init(&engine.fake, 1);
	fake_mm_set(&engine.fake, 0, PAGES - swapped, swapped, false);
	fake_mm_fail(&engine.fake, op, 0, -error, UINT32_MAX);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	if (caller.extents[0].reason != reason)
		fail_msg("op %d, error %d: reason %d, not %d", op, error,
			 caller.extents[0].reason, reason);
	assert_int_equal(caller.extents[0].error, error);
	engine_stop(&engine);
}

static void test_reasons(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR_ERRORS; i++) {
		check_reason(FAKE_COLLAPSE, 0, errors[i],
			     collapse_reason(errors[i]));
		check_reason(FAKE_POPULATE, 9, errors[i],
			     populate_reason(errors[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine on a fake kernel: each pass, each error, and what is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

static struct engine engine;
static struct caller caller;

static void expect(uint32_t i, enum hugetmpfs_state state,
		   enum hugetmpfs_reason reason, uint8_t passes, uint8_t error)
{
	assert_true(i < caller.nr);
	assert_int_equal(caller.extents[i].state, state);
	assert_int_equal(caller.extents[i].reason, reason);
	assert_int_equal(caller.extents[i].passes, passes);
	assert_int_equal(caller.extents[i].error, error);
}

#define expect_huge(i, passes) \
	expect(i, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, passes, 0)

static int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 8);
	return 0;
}

static void test_map(void **state)
{
	struct hugetmpfs_extent extents[8];
	uint64_t size_bytes;

	(void) state;
	fake_mm_set(&engine.fake, 1, 0, 0, false);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	fake_mm_set(&engine.fake, 3, 10, 20, false);
	fake_mm_set(&engine.fake, 4, 10, 0, false);
	engine_start(&engine, 1);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 8,
				      extents, &size_bytes),
			 8);
	assert_int_equal(size_bytes, 8 * HUGETMPFS_EXTENT_BYTES);
	assert_int_equal(extents[0].state, HUGETMPFS_SMALL);
	assert_int_equal(extents[0].reason, HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(extents[1].state, HUGETMPFS_HOLE);
	assert_int_equal(extents[1].reason, HUGETMPFS_REASON_EMPTY);
	assert_int_equal(extents[2].state, HUGETMPFS_HUGE);
	assert_int_equal(extents[2].reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(extents[3].state, HUGETMPFS_SWAPPED);
	assert_int_equal(extents[3].hole_pages, PAGES - 30);
	assert_int_equal(extents[4].state, HUGETMPFS_PARTIAL);
	/* the end of the file */
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 6, 8,
				      extents, &size_bytes),
			 2);
	assert_int_equal(extents[0].index, 6);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 8, 1,
				      extents, &size_bytes),
			 0);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 0,
				      extents, &size_bytes),
			 -EINVAL);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 513,
				      extents, &size_bytes),
			 -EINVAL);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, UINT64_MAX,
				      2, extents, &size_bytes),
			 -EINVAL);
	fake_mm_fail(&engine.fake, FAKE_LOOK, FAKE_ANY, -EIO, 1);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 8,
				      extents, &size_bytes),
			 -EIO);
	engine_stop(&engine);
}

static void test_submit_invalid(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 0, 0,
					 caller_done, &caller, NULL),
			 -EINVAL);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 513,
					 0, caller_done, &caller, NULL),
			 -EINVAL);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 1,
					 1u << 31, caller_done, &caller, NULL),
			 -EINVAL);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file,
					 UINT64_MAX - 1, 2, 0, caller_done,
					 &caller, NULL),
			 -EINVAL);
	engine_stop(&engine);
}

/* All kinds at once: what is to be done is done, in one answer. */
static void test_recover(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 1, 0, 0, false);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	fake_mm_set(&engine.fake, 3, 10, 20, false);
	fake_mm_set(&engine.fake, 4, 10, 0, false);
	engine_start(&engine, 2);
	engine_recover(&engine, &caller, 0, 10, 0);
	assert_int_equal(caller.error, 0);
	assert_int_equal(caller.nr, 8);
	assert_int_equal(caller.size_bytes, 8 * HUGETMPFS_EXTENT_BYTES);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	expect(1, HUGETMPFS_HOLE, HUGETMPFS_REASON_EMPTY, 0, 0);
	expect_huge(2, 0);
	expect_huge(3, HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE);
	expect_huge(4, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine.fake.extents[2].collapsed, 0);
	assert_int_equal(engine_count(&engine, work_queued), 6);
	assert_int_equal(engine_count(&engine, recov_completed), 6);
	assert_int_equal(engine_count(&engine, huge_alloced), 6);
	assert_int_equal(engine_count(&engine, page_teamed), 6 * PAGES);
	assert_int_equal(engine_count(&engine, page_migrate),
			 4 * PAGES + 30 + 10);
	assert_int_equal(engine_count(&engine, page_created), 2 * PAGES - 40);
	assert_int_equal(engine_count(&engine, swap_entry), 20);
	assert_int_equal(engine_count(&engine, swap_read), 20);
	assert_int_equal(engine_count(&engine, swap_gone), 0);
	assert_int_equal(engine_ended(&engine, DONE), 6);
	engine_recover(&engine, &caller, 8, 1, 0);
	assert_int_equal(caller.error, 0);
	assert_int_equal(caller.nr, 0);
	engine_stop(&engine);
}

static void test_dry_run(void **state)
{
	(void) state;
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[0].by_pte[2] = true;
	engine.fake.mappers[0].by_pte[3] = true;
	fake_mm_set(&engine.fake, 1, 10, 20, false);
	fake_mm_set(&engine.fake, 2, PAGES, 0, true);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, HUGETMPFS_RECOVER_DRY_RUN);
	assert_int_equal(caller.nr, 4);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_NOT_ASKED,
	       HUGETMPFS_PASS_COLLAPSE, 0);
	expect(1, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_NOT_ASKED,
	       HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE, 0);
	expect(2, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, HUGETMPFS_PASS_REMAP,
	       0);
	expect(3, HUGETMPFS_SMALL, HUGETMPFS_REASON_NOT_ASKED,
	       HUGETMPFS_PASS_COLLAPSE | HUGETMPFS_PASS_REMAP, 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPER_COLLAPSE), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_POPULATE), 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_WILLNEED), 0);
	assert_int_equal(engine_count(&engine, work_queued), 0);
	engine_stop(&engine);
}

/* The one that uses it by small entries pays; the others are remapped. */
static void test_mappers(void **state)
{
	struct fake_mapper *mappers = engine.fake.mappers;

	(void) state;
	for (int i = 0; i < 4; i++)
		mappers[i].present = true;
	mappers[0].misaligned = true;
	mappers[2].by_pte[0] = true;
	mappers[3].by_pte[0] = true;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 2, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE | HUGETMPFS_PASS_REMAP);
	expect_huge(1, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(mappers[2].collapses, 1);
	assert_int_equal(mappers[3].collapses, 0);
	assert_true(mappers[3].by_pmd[0]);
	assert_int_equal(mappers[1].collapses, 1); /* the first that could */
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 0);
	assert_int_equal(engine_count(&engine, remap_faulter), 2);
	assert_int_equal(engine_count(&engine, remap_another), 1);
	assert_int_equal(engine_count(&engine, remap_untried), 1);

	/* huge, but used by small entries: only mapped */
	mappers[2].by_pte[0] = true;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_REMAP);
	assert_false(mappers[2].by_pte[0]);
	assert_int_equal(mappers[2].collapses, 1);
	engine_stop(&engine);
}

static void test_mapper_fails(void **state)
{
	static const int errors[] = {-ESRCH, -EINVAL, -EPERM, -EOPNOTSUPP};
	struct fake_mapper *mapper = engine.fake.mappers;

	(void) state;
	mapper->present = true;
	for (int i = 0; i < 4; i++)
		fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, i, errors[i],
			     1);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	for (int i = 0; i < 4; i++)
		expect_huge(i, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(mapper->collapses, 0);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 4);

	/* another that uses it comes before the daemon's own mapping */
	engine.fake.mappers[1].present = true;
	mapper->by_pte[4] = true;
	engine.fake.mappers[1].by_pte[4] = true;
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 4, -ESRCH, 1);
	engine_recover(&engine, &caller, 4, 1, 0);
	assert_int_equal(engine.fake.mappers[1].collapses, 1);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 4);

	/* one that only could not make it gets it in the end */
	engine.fake.mappers[1].present = false;
	mapper->by_pte[5] = true;
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 5, -EINVAL, 1);
	engine_recover(&engine, &caller, 5, 1, 0);
	assert_int_equal(caller.extents[0].passes,
			 HUGETMPFS_PASS_COLLAPSE | HUGETMPFS_PASS_REMAP);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 5);
	assert_int_equal(mapper->collapses, 0);
	assert_true(mapper->by_pmd[5]);

	engine_stop(&engine);
}

static void unmap_before_collapse(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op == FAKE_MAPPER_COLLAPSE)
		engine.fake.mappers[0].unmapped = true;
}

/* Its ENOMEM is not a lack of huge pages. */
static void test_mapper_unmaps(void **state)
{
	(void) state;
	engine.fake.mappers[0].present = true;
	engine.fake.hook = unmap_before_collapse;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine.fake.mappers[0].collapses, 0);
	assert_int_equal(engine_count(&engine, remap_faulter), 0);
	engine_stop(&engine);
}

static void test_mapper_unmapped(void **state)
{
	(void) state;
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[1].present = true;
	engine.fake.mappers[1].dead = true;
	engine.fake.mappers[2].present = true;
	engine.fake.mappers[2].unmapped = true;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine.fake.mappers[0].collapses, 1);
	engine_stop(&engine);
}

/* An error of MADV_COLLAPSE and what it is called. */
static void check_error(int error, enum hugetmpfs_reason reason,
			bool through_mapper)
{
	enum fake_op op = through_mapper ? FAKE_MAPPER_COLLAPSE : FAKE_COLLAPSE;
	enum hugetmpfs_state left = HUGETMPFS_SMALL;

	fake_mm_init(&engine.fake, 2);
	engine.fake.mappers[0].present = through_mapper;
	fake_mm_fail(&engine.fake, op, 0, error, 1000);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 2, 0);
	expect(0, left, reason, 0, (uint8_t) -error);
	expect_huge(1, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine_count(&engine, recov_failed), 1);
	assert_int_equal(engine_count(&engine, page_unmigrated), PAGES);
	engine_stop(&engine);
}

static void test_errors(void **state)
{
	(void) state;
	fake_mm_destroy(&engine.fake);
	check_error(-EAGAIN, HUGETMPFS_REASON_AGAIN, false);
	check_error(-EAGAIN, HUGETMPFS_REASON_AGAIN, true);
	check_error(-EBUSY, HUGETMPFS_REASON_OVER_LIMIT, false);
	check_error(-EBUSY, HUGETMPFS_REASON_OVER_LIMIT, true);
	check_error(-ENOMEM, HUGETMPFS_REASON_NO_HUGE_PAGE, false);
	check_error(-ENOMEM, HUGETMPFS_REASON_NO_HUGE_PAGE, true);
	check_error(-EPERM, HUGETMPFS_REASON_DENIED, false);
	check_error(-EACCES, HUGETMPFS_REASON_DENIED, false);
	check_error(-EINVAL, HUGETMPFS_REASON_FAILED, false);
	check_error(-EIO, HUGETMPFS_REASON_FAILED, false);
	check_error(-ENOSPC, HUGETMPFS_REASON_OVER_LIMIT, false);
}

/* EINVAL with holes to fill and no room for them. */
static void test_mount_full(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, 500, 0, false);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, FAKE_ANY, -EINVAL, 1000);
	engine.fake.free_bytes = 11 * 4096;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 2, 0);
	expect(0, HUGETMPFS_PARTIAL, HUGETMPFS_REASON_OVER_LIMIT, 0, EINVAL);
	expect(1, HUGETMPFS_SMALL, HUGETMPFS_REASON_FAILED, 0, EINVAL);
	engine.fake.free_bytes = 12 * 4096;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_PARTIAL, HUGETMPFS_REASON_FAILED, 0, EINVAL);
	engine.fake.extents[0].above = 1;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_PARTIAL, HUGETMPFS_REASON_PREALLOCATED, 0, EINVAL);
	engine_stop(&engine);
}

/* EINVAL because the admin has set shmem_enabled to deny. */
static void test_denied(void **state)
{
	(void) state;
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EINVAL, 1);
	engine.fake.denied = true;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_DENIED, 0, EINVAL);
	engine_stop(&engine);
}

/* Ten tries, one retry of the whole, ten tries. */
static void test_tries(void **state)
{
	(void) state;
	engine.fake.extents[0].pinned = true;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 2, 0);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_PINNED, 0, EAGAIN);
	expect_huge(1, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 21);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_BUSY), 1);
	assert_int_equal(engine_count(&engine, page_off_lru), 20);
	assert_int_equal(engine_count(&engine, recov_retried), 1);
	assert_int_equal(engine_ended(&engine, PINNED), 1);

	/* nobody can tell */
	engine.fake.absent = 1u << MM_KPAGEFLAGS;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_AGAIN, 0, EAGAIN);

	engine.fake.extents[0].pinned = false;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	engine_stop(&engine);
}

static void test_busy_then_done(void **state)
{
	(void) state;
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 0, -EAGAIN, 9);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 1, -EBUSY, 10);
	fake_mm_fail(&engine.fake, FAKE_COLLAPSE, 2, -EAGAIN, 19);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 3, 0);
	for (int i = 0; i < 3; i++)
		expect_huge(i, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine_count(&engine, recov_retried), 2);
	engine_stop(&engine);
}

static void test_swapin(void **state)
{
	(void) state;
	fake_mm_set(&engine.fake, 0, 10, 20, false);
	fake_mm_set(&engine.fake, 1, 0, PAGES, false);
	fake_mm_set(&engine.fake, 2, 0, PAGES, false);
	fake_mm_set(&engine.fake, 3, PAGES - 1, 1, false);
	fake_mm_fail(&engine.fake, FAKE_POPULATE, 0, -EFAULT, 1);
	fake_mm_fail(&engine.fake, FAKE_POPULATE, 1, -EAGAIN, 9);
	fake_mm_fail(&engine.fake, FAKE_POPULATE, 2, -ENOMEM, 1);
	fake_mm_fail(&engine.fake, FAKE_POPULATE, 3, -EAGAIN, 20);
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 4, 0);
	expect(0, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_SWAP_FAILED, 0, EFAULT);
	expect_huge(1, HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE);
	expect(2, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_SWAP_FAILED, 0, ENOMEM);
	expect(3, HUGETMPFS_SWAPPED, HUGETMPFS_REASON_AGAIN, 0, EAGAIN);
	assert_int_equal(engine_count(&engine, swap_entry), 21 + 2 * PAGES);
	assert_int_equal(engine_count(&engine, swap_read), PAGES);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_COLLAPSE), 1);
	engine_stop(&engine);
}

/* No more comes in than there is room for. */
static void test_room(void **state)
{
	(void) state;
	for (int i = 0; i < 8; i++)
		fake_mm_set(&engine.fake, i, 0, PAGES, false);
	engine.fake.room = 5 * HUGETMPFS_EXTENT_BYTES;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 8, 0);
	for (int i = 0; i < 8; i++) {
		if (i < 4)
			expect_huge(i, HUGETMPFS_PASS_SWAPIN |
					       HUGETMPFS_PASS_COLLAPSE);
		else
			expect(i, HUGETMPFS_SWAPPED,
			       HUGETMPFS_REASON_OVER_LIMIT, 0, EBUSY);
	}
	assert_int_equal(engine_count(&engine, swap_read), 4 * PAGES);
	engine.fake.room = 100 * HUGETMPFS_EXTENT_BYTES;
	engine_recover(&engine, &caller, 0, 8, 0);
	for (int i = 4; i < 8; i++)
		expect_huge(i, HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE);
	engine_stop(&engine);
}

/* What was gained by an attempt that failed is remembered. */
static void test_resume(void **state)
{
	struct hugetmpfs_extent extent;
	uint64_t size_bytes;

	(void) state;
	fake_mm_set(&engine.fake, 0, 10, 20, false);
	engine.fake.extents[0].pinned = true;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_PARTIAL, HUGETMPFS_REASON_PINNED,
	       HUGETMPFS_PASS_SWAPIN, EAGAIN);
	assert_int_equal(engine_count(&engine, recov_partial), 1);
	assert_int_equal(engine_count(&engine, recov_failed), 0);

	/* the map knows why, as long as nothing changes */
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 1,
				      &extent, &size_bytes),
			 1);
	assert_int_equal(extent.reason, HUGETMPFS_REASON_PINNED);
	assert_int_equal(extent.error, EAGAIN);
	fake_mm_set(&engine.fake, 0, 31, 0, false);
	assert_int_equal(recovery_map(engine.recovery, &engine.file, 0, 1,
				      &extent, &size_bytes),
			 1);
	assert_int_equal(extent.reason, HUGETMPFS_REASON_NOT_ASKED);
	fake_mm_set(&engine.fake, 0, 30, 0, false);

	engine.fake.extents[0].pinned = false;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(engine_count(&engine, resume_teamed), 1);
	assert_int_equal(engine_count(&engine, resume_tagged), 0);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(engine_count(&engine, resume_teamed), 1);
	engine_stop(&engine);
}

static void test_off(void **state)
{
	struct recovery_load load;

	(void) state;
	fake_mm_set(&engine.fake, 1, PAGES, 0, true);
	engine_start(&engine, 0);
	caller_init(&caller);
	assert_int_equal(recovery_submit(engine.recovery, &engine.file, 0, 2, 0,
					 caller_done, &caller, NULL),
			 0);
	assert_int_equal(caller.done, 1); /* at once: there is no thread */
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_POLICY, 0, 0);
	expect_huge(1, 0);
	recovery_load(engine.recovery, &load);
	assert_int_equal(load.recoveries, 0);
	engine_stop(&engine);
}

static void test_unsupported(void **state)
{
	(void) state;
	engine.fake.absent = 1u << MM_COLLAPSE;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_UNSUPPORTED, 0, 0);
	engine.fake.absent = 1u << MM_PAGEMAP_SCAN | 1u << MM_KPAGEFLAGS;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect(0, HUGETMPFS_SMALL, HUGETMPFS_REASON_UNSUPPORTED, 0, 0);
	engine.fake.absent = 1u << MM_PAGEMAP_SCAN;
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	/* then mappers are of no use */
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPERS_FIND), 1);
	engine.fake.absent = 1u << MM_PROCESS_COLLAPSE;
	engine_recover(&engine, &caller, 1, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	assert_int_equal(fake_mm_called(&engine.fake, FAKE_MAPPERS_FIND), 1);
	engine_stop(&engine);
}

/* Nothing can be seen: an error for the whole request, and no crash later. */
static void test_look_fails(void **state)
{
	(void) state;
	engine_start(&engine, 1);
	fake_mm_fail(&engine.fake, FAKE_WINDOW_OPEN, FAKE_ANY, -ENOMEM, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.error, -ENOMEM);
	assert_int_equal(caller.nr, 0);
	fake_mm_fail(&engine.fake, FAKE_LOOK, FAKE_ANY, -EIO, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	assert_int_equal(caller.error, -EIO);
	fake_mm_fail(&engine.fake, FAKE_MAPPERS_FIND, FAKE_ANY, -EMFILE, 1);
	engine_recover(&engine, &caller, 0, 1, 0);
	expect_huge(0, HUGETMPFS_PASS_COLLAPSE);
	engine_stop(&engine);
}

static void test_counter_names(void **state)
{
	(void) state;
	for (int i = 0; i < RECOVERY_NR_COUNTERS; i++) {
		if (!recovery_counter_names[i])
			continue;
		assert_non_null(recovery_counter_meanings[i]);
	}
	/* those of the kernel series come first */
	assert_int_equal(RECOVERY_COUNT_work_too_many, 25);
	assert_true(RECOVERY_NR_COUNTERS <= 128);
	assert_string_equal(recovery_counter_names[RECOVERY_COUNT_swap_gone],
			    "swap_gone");
}

#define unit(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_map),
		unit(test_submit_invalid),
		unit(test_recover),
		unit(test_dry_run),
		unit(test_mappers),
		unit(test_mapper_fails),
		unit(test_mapper_unmaps),
		unit(test_mapper_unmapped),
		unit(test_errors),
		unit(test_mount_full),
		unit(test_denied),
		unit(test_tries),
		unit(test_busy_then_done),
		unit(test_swapin),
		unit(test_room),
		unit(test_resume),
		unit(test_off),
		unit(test_unsupported),
		unit(test_look_fails),
		unit(test_counter_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

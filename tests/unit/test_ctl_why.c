/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl why: verdicts, runs of extents alike, what a mapping has of an
 * extent, and lines of /proc/PID/maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "base/buddyinfo.h"
#include "base/procmaps.h"
#include "ctl/cgroup.h"
#include "ctl/mappings.h"
#include "ctl/why.h"

#define MIB (UINT64_C(1) << 20)

static struct why why;

static int setup(void **state)
{
	(void) state;
	why = (struct why){
		.policy = { .background = HUGETMPFS_BACKGROUND_MAPPED,
			    .background_file = HUGETMPFS_BACKGROUND_UNSET,
			    .background_mount = HUGETMPFS_BACKGROUND_MAPPED,
			    .recoveries = 8,
			    .max_holes = 64 },
		.nr_mappings = 1,
	};
	return 0;
}

static enum why_cause judge(enum hugetmpfs_reason reason, unsigned data_pages,
			    unsigned swapped_pages, enum mapping_use use)
{
	struct hugetmpfs_extent extent = {
		.state = swapped_pages ? HUGETMPFS_SWAPPED : HUGETMPFS_PARTIAL,
		.reason = (uint8_t) reason,
		.data_pages = (uint16_t) data_pages,
		.swapped_pages = (uint16_t) swapped_pages,
	};
	uint8_t uses[1] = { (uint8_t) use };

	return why_judge(&why, &extent, uses);
}

/* What the daemon found out needs no more thought. */
static void test_reasons(void **state)
{
	static const struct {
		enum hugetmpfs_reason reason;
		enum why_cause cause;
	} pairs[] = {
		{ HUGETMPFS_REASON_EMPTY, WHY_EMPTY },
		{ HUGETMPFS_REASON_BEYOND_EOF, WHY_BEYOND_EOF },
		{ HUGETMPFS_REASON_PREALLOCATED, WHY_PREALLOCATED },
		{ HUGETMPFS_REASON_UNSUPPORTED, WHY_UNSUPPORTED },
		{ HUGETMPFS_REASON_DENIED, WHY_DENIED },
		{ HUGETMPFS_REASON_QUEUED, WHY_QUEUED },
		{ HUGETMPFS_REASON_PINNED, WHY_PINNED },
		{ HUGETMPFS_REASON_AGAIN, WHY_BUSY },
		{ HUGETMPFS_REASON_NO_HUGE_PAGE, WHY_NO_HUGE_PAGE },
		{ HUGETMPFS_REASON_OVER_LIMIT, WHY_MOUNT_FULL },
		{ HUGETMPFS_REASON_NODE_FULL, WHY_NODE_FULL },
		{ HUGETMPFS_REASON_NO_NODE, WHY_NO_NODE },
		{ HUGETMPFS_REASON_SWAP_FAILED, WHY_SWAP_FAILED },
		{ HUGETMPFS_REASON_FAILED, WHY_FAILED },
	};
	struct hugetmpfs_extent extent = {
		.state = HUGETMPFS_SMALL,
		.reason = HUGETMPFS_REASON_OVER_LIMIT,
		.group = 42,
	};
	uint8_t uses[1] = { MAPPING_NONE };

	(void) state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_int_equal(judge(pairs[i].reason, 512, 0, MAPPING_SMALL),
				 pairs[i].cause);
	assert_int_equal(why_judge(&why, &extent, uses), WHY_GROUP_FULL);
	why.policy.recoveries = 0;
	assert_int_equal(judge(HUGETMPFS_REASON_POLICY, 512, 0, MAPPING_NONE),
			 WHY_RECOVERY_OFF);
	assert_int_equal(judge(HUGETMPFS_REASON_EMPTY, 0, 0, MAPPING_NONE),
			 WHY_EMPTY);
	why.policy.denied = 1;
	assert_int_equal(judge(HUGETMPFS_REASON_PINNED, 512, 0, MAPPING_NONE),
			 WHY_DENIED);
}

/* Huge and elsewhere than it belongs is worth a line; and it is huge. */
static void test_misplaced(void **state)
{
	struct hugetmpfs_extent extent = {
		.state = HUGETMPFS_HUGE,
		.reason = HUGETMPFS_REASON_DONE,
		.data_pages = 512,
		.nid = 0,
		.target_nid = 1,
	};
	uint8_t uses[1] = { MAPPING_NONE };

	(void) state;
	assert_int_equal(why_judge(&why, &extent, uses), WHY_HUGE);
	extent.misplaced_pages = 512;
	assert_int_equal(why_judge(&why, &extent, uses), WHY_MISPLACED);
	extent.reason = HUGETMPFS_REASON_NODE_FULL;
	assert_int_equal(why_judge(&why, &extent, uses), WHY_NODE_FULL);
	extent.reason = HUGETMPFS_REASON_NO_NODE;
	assert_int_equal(why_judge(&why, &extent, uses), WHY_NO_NODE);
	for (extent.index = 0; extent.index < 4; extent.index++) {
		extent.target_nid = extent.index == 3 ? 2 : 1;
		assert_int_equal(why_add(&why, &extent, 1, WHY_MISPLACED, uses,
					 -1, NULL),
				 0);
	}
	assert_int_equal(why.nr_huge, 4);
	assert_int_equal(why.nr, 2);
	assert_int_equal(why.groups[0].nr, 3);
	assert_int_equal(why.groups[0].misplaced_most, 512);
	assert_int_equal(why.groups[1].target_nid, 2);
	why_clear(&why);
}

static enum why_cause judge_untried(unsigned data_pages, unsigned swapped_pages,
				    enum mapping_use use)
{
	return judge(HUGETMPFS_REASON_NOT_ASKED, data_pages, swapped_pages,
		     use);
}

static void test_background(void **state)
{
	(void) state;
	assert_int_equal(judge_untried(512, 0, MAPPING_SMALL), WHY_WAITING);
	assert_int_equal(judge_untried(448, 0, MAPPING_SMALL), WHY_WAITING);
	assert_int_equal(judge_untried(447, 0, MAPPING_SMALL), WHY_HOLES);
	assert_int_equal(judge_untried(512, 0, MAPPING_NONE), WHY_UNUSED);
	assert_int_equal(judge_untried(512, 0, MAPPING_FIT), WHY_UNUSED);
	assert_int_equal(judge_untried(512, 0, MAPPING_MISALIGNED),
			 WHY_MISALIGNED);
	assert_int_equal(judge_untried(512, 0, MAPPING_SHORT), WHY_MISALIGNED);
	assert_int_equal(judge_untried(512, 0, MAPPING_PRIVATE),
			 WHY_MISALIGNED);
	assert_int_equal(judge_untried(512, 10, MAPPING_NONE), WHY_COLD);
	assert_int_equal(judge_untried(512, 10, MAPPING_SMALL), WHY_WAITING);
	why.policy.background = HUGETMPFS_BACKGROUND_ALL;
	assert_int_equal(judge_untried(512, 0, MAPPING_NONE), WHY_WAITING);
	assert_int_equal(judge_untried(512, 10, MAPPING_NONE), WHY_WAITING);
	assert_int_equal(judge_untried(512, 512, MAPPING_NONE), WHY_COLD);
	why.policy.background = HUGETMPFS_BACKGROUND_OFF;
	assert_int_equal(judge_untried(512, 0, MAPPING_SMALL), WHY_MOUNT_OFF);
	why.policy.background_file = HUGETMPFS_BACKGROUND_OFF;
	assert_int_equal(judge_untried(512, 0, MAPPING_SMALL), WHY_FILE_OFF);
}

static void add(uint64_t index, unsigned holes, enum why_cause cause,
		enum mapping_use use)
{
	struct hugetmpfs_extent extent = {
		.index = index,
		.state = cause == WHY_HUGE ? HUGETMPFS_HUGE : HUGETMPFS_PARTIAL,
		.hole_pages = (uint16_t) holes,
	};
	uint8_t uses[1] = { (uint8_t) use };

	assert_int_equal(why_add(&why, &extent, 1, cause, uses, -1, NULL), 0);
}

static void assert_group(size_t i, uint64_t first, uint64_t nr,
			 enum why_cause cause)
{
	assert_in_range(i, 0, why.nr - 1);
	assert_int_equal(why.groups[i].first, first);
	assert_int_equal(why.groups[i].nr, nr);
	assert_int_equal(why.groups[i].cause, cause);
}

static void test_groups(void **state)
{
	struct hugetmpfs_extent hole = { .index = 100 };
	uint8_t uses[1] = { MAPPING_NONE };

	(void) state;
	add(0, 100, WHY_HOLES, MAPPING_NONE);
	add(1, 300, WHY_HOLES, MAPPING_NONE);
	add(2, 200, WHY_HOLES, MAPPING_NONE);
	/* another process, another matter */
	add(3, 200, WHY_HOLES, MAPPING_MISALIGNED);
	add(4, 0, WHY_HUGE, MAPPING_NONE);
	add(5, 0, WHY_HUGE, MAPPING_SMALL);
	add(6, 0, WHY_HUGE, MAPPING_SMALL);
	add(7, 100, WHY_HOLES, MAPPING_NONE);
	/* not the next one */
	add(9, 100, WHY_HOLES, MAPPING_NONE);
	assert_int_equal(why_add(&why, &hole, UINT64_C(1) << 40, WHY_EMPTY,
				 uses, -1, NULL), 0);
	assert_int_equal(why.nr, 6);
	assert_group(0, 0, 3, WHY_HOLES);
	assert_int_equal(why.groups[0].holes_least, 100);
	assert_int_equal(why.groups[0].holes_most, 300);
	assert_group(1, 3, 1, WHY_HOLES);
	assert_group(2, 5, 2, WHY_HUGE);
	assert_group(3, 7, 1, WHY_HOLES);
	assert_group(4, 9, 1, WHY_HOLES);
	assert_group(5, 100, UINT64_C(1) << 40, WHY_EMPTY);
	assert_int_equal(why.nr_huge, 3);
	assert_int_equal(why.nr_extents, 9 + (UINT64_C(1) << 40));
	why_clear(&why);
	assert_int_equal(why.nr, 0);
}

static void test_fit(void **state)
{
	struct mapping mapping = {
		.start = 0x7f0000200000,
		.end = 0x7f0000200000 + 5 * MIB,
		.offset = 2 * MIB,
		.shared = true,
	};

	(void) state;
	assert_int_equal(mapping_fit(&mapping, 0), MAPPING_NONE);
	assert_int_equal(mapping_fit(&mapping, 1), MAPPING_FIT);
	assert_int_equal(mapping_fit(&mapping, 2), MAPPING_FIT);
	assert_int_equal(mapping_fit(&mapping, 3), MAPPING_SHORT);
	assert_int_equal(mapping_fit(&mapping, 4), MAPPING_NONE);
	assert_int_equal(mapping_address(&mapping, 2),
			 0x7f0000200000 + 2 * MIB);
	mapping.offset = 3 * MIB;
	assert_int_equal(mapping_fit(&mapping, 0), MAPPING_NONE);
	assert_int_equal(mapping_fit(&mapping, 1), MAPPING_MISALIGNED);
	assert_int_equal(mapping_address(&mapping, 1), mapping.start);
	mapping.start += MIB;
	assert_int_equal(mapping_fit(&mapping, 1), MAPPING_SHORT);
	assert_int_equal(mapping_fit(&mapping, 2), MAPPING_FIT);
	mapping.shared = false;
	assert_int_equal(mapping_fit(&mapping, 2), MAPPING_PRIVATE);
	assert_int_equal(mapping_fit(&mapping, 9), MAPPING_NONE);
}

static void test_maps(void **state)
{
	static const char *const wrong[] = {
		"", "\n", "rubbish", "7f00-7f01 rw-s", "7f00-7f01 rw-s 0 0:1",
	};
	struct procmaps_line line;

	(void) state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(procmaps_parse(wrong[i], &line));
	assert_true(procmaps_parse("7f0000200000-7f0000400000 rw-s 00600000 "
				   "00:2d 77    /mnt/a file (deleted)\n",
				   &line));
	assert_int_equal(line.start, 0x7f0000200000);
	assert_int_equal(line.end, 0x7f0000400000);
	assert_int_equal(line.offset, 6 * MIB);
	assert_int_equal(line.dev, makedev(0, 0x2d));
	assert_int_equal(line.ino, 77);
	assert_true(line.shared);
	assert_true(procmaps_parse("400000-401000 r-xp 00000000 fd:01 5 /bin/x",
				   &line));
	assert_false(line.shared);
	assert_int_equal(line.dev, makedev(0xfd, 1));
}

/* What the machine has here is not known, but what must hold is. */
static void test_machine(void **state)
{
	struct mappings mappings = { 0 };
	struct cgroup cgroup;
	uint32_t blocks[64];
	int nodes;

	(void) state;
	assert_false(cgroup_find(0, &cgroup));
	assert_false(cgroup_find(UINT32_MAX, &cgroup));
	nodes = buddyinfo_read(blocks, 64);
	assert_true(nodes == -EACCES || nodes == -ENOENT || nodes > 0);
	assert_int_equal(mappings_find(&mappings, makedev(4095, 4095), 1), 0);
	assert_int_equal(mappings.nr, 0);
	mappings_clear(&mappings);
}

static void test_words(void **state)
{
	(void) state;
	for (int i = 0; i < WHY_NR_CAUSES; i++) {
		assert_true(strlen(why_name((enum why_cause) i)) > 0);
		assert_true(strlen(why_words((enum why_cause) i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(why_name((enum why_cause) i),
						why_name((enum why_cause) j));
	}
	assert_true(why_recover_helps(WHY_HOLES));
	assert_false(why_recover_helps(WHY_EMPTY));
	assert_null(why_advice(WHY_EMPTY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_misplaced, setup),
		cmocka_unit_test_setup(test_background, setup),
		cmocka_unit_test_setup(test_fit, setup),
		cmocka_unit_test_setup(test_groups, setup),
		cmocka_unit_test_setup(test_machine, setup),
		cmocka_unit_test_setup(test_maps, setup),
		cmocka_unit_test_setup(test_reasons, setup),
		cmocka_unit_test_setup(test_words, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk over the backing, on a real private tmpfs; what an extent is comes
 * from a made-up engine, by the first byte of its data. Needs root, for the
 * tmpfs and for file handles.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "backing/backing.h"
#include "control/scan.h"
#include "recovery/recovery.h"

#define EXTENT ((off_t) HUGETMPFS_EXTENT_BYTES)

static int root_fd;
static int map_error;

/* ---- stand-in for the recovery engine ---- */

static void made_up(const struct recovery_file *file, uint64_t index,
		    off_t size, struct hugetmpfs_extent *extent)
{
	off_t begin = (off_t) index * EXTENT;
	uint64_t pages = ((uint64_t) (size - begin) + 4095) / 4096;
	char byte = 0;

	*extent = (struct hugetmpfs_extent){ .index = index };
	if (pages > HUGETMPFS_EXTENT_PAGES)
		pages = HUGETMPFS_EXTENT_PAGES;
	assert_true(pread(file->fd, &byte, 1, begin) >= 0);
	extent->state = byte == 'h' ? HUGETMPFS_HUGE :
			byte == 's' ? HUGETMPFS_SWAPPED :
			byte	    ? HUGETMPFS_SMALL : HUGETMPFS_HOLE;
	extent->data_pages = byte == 'h' ? 512 : byte ? (uint16_t) pages : 0;
	extent->hole_pages = byte ? 0 : (uint16_t) pages;
	extent->swapped_pages = byte == 's' ? 3 : 0;
	extent->misplaced_pages = byte == 's' ? 2 : 0;
}

int recovery_map_nodes(struct recovery *recovery,
		       const struct recovery_file *file, uint64_t first,
		       uint32_t nr, struct hugetmpfs_extent *extents,
		       uint64_t *size_bytes, uint64_t *node_pages)
{
	struct stat st;
	uint32_t i;

	(void) recovery;
	if (map_error)
		return map_error;
	assert_int_equal(fstat(file->fd, &st), 0);
	assert_int_equal(file->ino, st.st_ino);
	*size_bytes = (uint64_t) st.st_size;
	for (i = 0; i < nr && (first + i) * HUGETMPFS_EXTENT_BYTES < *size_bytes;
	     i++) {
		made_up(file, first + i, st.st_size, &extents[i]);
		node_pages[1] += extents[i].data_pages;
		node_pages[NODESET_NODES - 1] += extents[i].swapped_pages;
	}
	return (int) i;
}

enum hugetmpfs_background recovery_policy_own(int fd)
{
	(void) fd;
	return HUGETMPFS_BACKGROUND_MAPPED;
}

bool recovery_has_own_policies(struct recovery *recovery)
{
	(void) recovery;
	return true;
}

/* ---- files ---- */

static int setup(void **state)
{
	char error[256];
	int mount_fd;

	(void) state;
	map_error = 0;
	root_fd = backing_create("size=64M", MOUNT_ATTR_NOATIME, &mount_fd,
				 error, sizeof(error));
	if (root_fd < 0)
		return root_fd;
	close(mount_fd);
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	close(root_fd);
	return 0;
}

/* A file with these first bytes of its extents, '.' for a hole. */
static void add_file(int dir, const char *name, const char *extents, off_t size)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0);

	assert_true(fd >= 0);
	for (off_t i = 0; extents[i]; i++) {
		if (extents[i] != '.')
			assert_int_equal(pwrite(fd, &extents[i], 1, i * EXTENT),
					 1);
	}
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* Runs a walk in the smallest of steps. Returns its last result. */
static int run(struct scan_totals *totals)
{
	struct scan *scan;
	int ret;

	assert_int_equal(scan_create(&scan, root_fd, NULL), 0);
	do {
		ret = scan_step(scan, 0);
	} while (ret > 0);
	*totals = *scan_totals(scan);
	scan_destroy(scan);
	return ret;
}

static void test_empty(void **state)
{
	struct scan_totals totals;

	(void) state;
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 0);
	assert_int_equal(totals.nr_extents, 0);
}

static void test_states(void **state)
{
	struct scan_totals totals;

	(void) state;
	add_file(root_fd, "empty", "", 0);
	add_file(root_fd, "a", "hx.s", 4 * EXTENT);
	/* the last extent has two pages and a bit */
	add_file(root_fd, "b", "xh..x", 4 * EXTENT + 8193);
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 3);
	/* of the empty one it does not matter */
	assert_int_equal(totals.nr_policies[HUGETMPFS_BACKGROUND_MAPPED], 2);
	assert_int_equal(totals.nr_policies[HUGETMPFS_BACKGROUND_OFF], 0);
	assert_int_equal(totals.nr_unreadable, 0);
	assert_int_equal(totals.nr_extents, 9);
	assert_int_equal(totals.extents[HUGETMPFS_HUGE], 2);
	assert_int_equal(totals.extents[HUGETMPFS_SMALL], 3);
	assert_int_equal(totals.extents[HUGETMPFS_SWAPPED], 1);
	assert_int_equal(totals.extents[HUGETMPFS_HOLE], 3);
	assert_int_equal(totals.data_pages[HUGETMPFS_HUGE], 1024);
	assert_int_equal(totals.data_pages[HUGETMPFS_SMALL], 512 + 512 + 3);
	assert_int_equal(totals.hole_pages, 3 * 512);
	assert_int_equal(totals.swapped_pages, 3);
	assert_int_equal(totals.misplaced_pages, 2);
	assert_int_equal(totals.node_pages[0], 0);
	assert_int_equal(totals.node_pages[1],
			 totals.data_pages[HUGETMPFS_HUGE] +
				 totals.data_pages[HUGETMPFS_SMALL] +
				 totals.data_pages[HUGETMPFS_SWAPPED]);
	assert_int_equal(totals.node_pages[NODESET_NODES - 1], 3);
}

/* As long as a file can be, with data at both ends only. */
static void test_sparse(void **state)
{
	struct scan_totals totals;
	off_t size = INT64_MAX;
	int fd;

	(void) state;
	add_file(root_fd, "sparse", "x", size);
	fd = openat(root_fd, "sparse", O_WRONLY);
	assert_int_equal(pwrite(fd, "h", 1,
				(off_t) (HUGETMPFS_MAX_EXTENTS - 1) * EXTENT),
			 1);
	/* where no mapping reaches */
	assert_int_equal(pwrite(fd, "x", 1, size - 1), 1);
	close(fd);
	add_file(root_fd, "hole", "", size);
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_unreadable, 0);
	assert_int_equal(totals.nr_extents, 2 * HUGETMPFS_MAX_EXTENTS);
	assert_int_equal(totals.extents[HUGETMPFS_HUGE], 1);
	assert_int_equal(totals.extents[HUGETMPFS_SMALL], 1);
	assert_int_equal(totals.extents[HUGETMPFS_HOLE],
			 2 * HUGETMPFS_MAX_EXTENTS - 2);
	assert_int_equal(totals.hole_pages,
			 512 * (2 * HUGETMPFS_MAX_EXTENTS - 2));
}

static void test_links_once(void **state)
{
	struct scan_totals totals;

	(void) state;
	add_file(root_fd, "one", "x", 1);
	assert_int_equal(mkdirat(root_fd, "dir", 0), 0);
	assert_int_equal(linkat(root_fd, "one", root_fd, "two", 0), 0);
	assert_int_equal(linkat(root_fd, "one", root_fd, "dir/three", 0), 0);
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 1);
	assert_int_equal(totals.nr_extents, 1);
}

/* None of these is opened: the fifo would block, the device may do anything. */
static void test_other_kinds(void **state)
{
	struct scan_totals totals;

	(void) state;
	assert_int_equal(mkfifoat(root_fd, "fifo", 0600), 0);
	assert_int_equal(mknodat(root_fd, "null", S_IFCHR, makedev(1, 3)), 0);
	assert_int_equal(mknodat(root_fd, "socket", S_IFSOCK, 0), 0);
	assert_int_equal(symlinkat("/", root_fd, "link"), 0);
	assert_int_equal(symlinkat(".", root_fd, "loop"), 0);
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 0);
	assert_int_equal(totals.nr_unreadable, 0);
}

/* Deeper than PATH_MAX, with a file at each level, before and after. */
static void test_deep(void **state)
{
	static char name[251];
	struct scan_totals totals;
	int dir = dup(root_fd), next;

	(void) state;
	memset(name, 'd', sizeof(name) - 1);
	for (int i = 0; i < 100; i++) {
		add_file(dir, "before", "x", 1);
		assert_int_equal(mkdirat(dir, name, 0), 0);
		add_file(dir, "zz-after", "h", 1);
		next = openat(dir, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 200);
	assert_int_equal(totals.extents[HUGETMPFS_SMALL], 100);
	assert_int_equal(totals.extents[HUGETMPFS_HUGE], 100);
}

static void test_wide(void **state)
{
	struct scan_totals totals;
	char name[32];

	(void) state;
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "directory-%d", i);
		assert_int_equal(mkdirat(root_fd, name, 0), 0);
		snprintf(name, sizeof(name), "directory-%d/file", i);
		add_file(root_fd, name, "", 0);
		snprintf(name, sizeof(name), "file-%d", i);
		add_file(root_fd, name, "", 0);
	}
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 6000);
}

static void test_unreadable(void **state)
{
	struct scan_totals totals;

	(void) state;
	add_file(root_fd, "a", "xxx", 3 * EXTENT);
	add_file(root_fd, "b", "x", 1);
	map_error = -EIO;
	assert_int_equal(run(&totals), 0);
	assert_int_equal(totals.nr_files, 2);
	assert_int_equal(totals.nr_unreadable, 2);
	map_error = -ENOMEM;
	assert_int_equal(run(&totals), -ENOMEM);
}

/* Everything is taken away while the walk stands at the deepest place. */
static void test_removed_meanwhile(void **state)
{
	struct scan *scan;
	int ret, steps = 0;

	(void) state;
	assert_int_equal(mkdirat(root_fd, "a", 0), 0);
	assert_int_equal(mkdirat(root_fd, "a/b", 0), 0);
	assert_int_equal(mkdirat(root_fd, "a/b/c", 0), 0);
	add_file(root_fd, "a/b/c/file", "x", 100 * EXTENT);
	assert_int_equal(scan_create(&scan, root_fd, NULL), 0);
	while (!scan_totals(scan)->nr_files) {
		assert_int_equal(scan_step(scan, 0), 1);
		assert_true(++steps < 100);
	}
	assert_int_equal(unlinkat(root_fd, "a/b/c/file", 0), 0);
	assert_int_equal(unlinkat(root_fd, "a/b/c", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root_fd, "a/b", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root_fd, "a", AT_REMOVEDIR), 0);
	add_file(root_fd, "later", "x", 1);
	do {
		ret = scan_step(scan, 0);
	} while (ret > 0);
	assert_int_equal(ret, 0);
	scan_destroy(scan);
}

/* Shrinks and grows under the walk: no sum may run below zero. */
static void test_resized_meanwhile(void **state)
{
	struct scan_totals totals;
	struct scan *scan;
	int ret, fd, steps = 0;

	(void) state;
	add_file(root_fd, "file", "x", 500 * EXTENT);
	fd = openat(root_fd, "file", O_WRONLY);
	assert_int_equal(scan_create(&scan, root_fd, NULL), 0);
	do {
		off_t size = ++steps % 2 ? 3 : 1000 * EXTENT;

		ret = scan_step(scan, 0);
		assert_int_equal(ftruncate(fd, size), 0);
		if (size > 3)
			assert_int_equal(pwrite(fd, "x", 1, size - EXTENT), 1);
	} while (ret > 0);
	assert_int_equal(ret, 0);
	totals = *scan_totals(scan);
	assert_in_range(totals.nr_extents, 1, 1000);
	assert_in_range(totals.hole_pages, 0, 1000 * 512);
	scan_destroy(scan);
	close(fd);
}

/* A scan that is given up in the middle leaves nothing open. */
static void test_given_up(void **state)
{
	struct scan *scan;
	int before = dup(root_fd), after;

	(void) state;
	close(before);
	assert_int_equal(mkdirat(root_fd, "a", 0), 0);
	add_file(root_fd, "a/file", "x", 100 * EXTENT);
	assert_int_equal(scan_create(&scan, root_fd, NULL), 0);
	while (!scan_totals(scan)->nr_files)
		assert_int_equal(scan_step(scan, 0), 1);
	scan_destroy(scan);
	scan_destroy(NULL);
	after = dup(root_fd);
	close(after);
	assert_int_equal(before, after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_deep),
		TEST(test_empty),
		TEST(test_given_up),
		TEST(test_links_once),
		TEST(test_other_kinds),
		TEST(test_removed_meanwhile),
		TEST(test_resized_meanwhile),
		TEST(test_sparse),
		TEST(test_states),
		TEST(test_unreadable),
		TEST(test_wide),
	};
	void *state = NULL;

	/* without root or in a container that forbids mounts */
	if (setup(&state))
		return 77;
	teardown(&state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

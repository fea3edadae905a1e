/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that are mapped although nobody knows their inode: remembered while
 * they are mapped, dropped after. The files are memfds. Opening by handle
 * needs CAP_DAC_READ_SEARCH; without it the tests that do are skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace/inode.h"
#include "namespace/mapped.h"

#define BYTES 4096

/* Opened anew: the fd that makes a memfd does not count as an open of it. */
static int new_file(void)
{
	int memfd = memfd_create("file", MFD_CLOEXEC), fd;
	char path[32];

	assert_true(memfd >= 0);
	assert_int_equal(ftruncate(memfd, BYTES), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	close(memfd);
	return fd;
}

static uint64_t ino_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void need_handles(int root_fd)
{
	struct backing_handle handle;
	int fd = new_file(), again;

	assert_int_equal(backing_handle_of(fd, &handle), 0);
	again = backing_handle_open(root_fd, &handle, O_RDONLY);
	close(fd);
	if (again == -EPERM) {
		close(root_fd);
		skip();
	}
	assert_true(again >= 0);
	close(again);
}

static void test_mapped_file_is_remembered(void **state)
{
	int root_fd = new_file(), fd = new_file();
	struct backing_handle handle, found;
	uint64_t ino = ino_of(fd);
	struct mapped *mapped;
	void *map;

	(void) state;
	need_handles(root_fd);
	assert_int_equal(backing_handle_of(fd, &handle), 0);
	assert_int_equal(mapped_open(&mapped, root_fd), 0);
	map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);

	assert_int_equal(mapped_find(mapped, ino, &found), -ENOENT);
	mapped_add(mapped, ino, &handle);
	assert_int_equal(mapped_find(mapped, ino, &found), 0);
	assert_true(backing_handle_is_equal(&found, &handle));
	munmap(map, BYTES);
	mapped_close(mapped);
	close(root_fd);
}

/* A hundred at a time, a thousand in all: it must not keep those that go. */
static void test_unmapped_files_are_dropped(void **state)
{
	enum { LIVE = 100, ROUNDS = 10 };
	struct backing_handle handles[LIVE], found;
	int root_fd = new_file();
	struct mapped *mapped;
	uint64_t inos[LIVE];
	unsigned known = 0;
	void *maps[LIVE];

	(void) state;
	need_handles(root_fd);
	assert_int_equal(mapped_open(&mapped, root_fd), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < LIVE; i++) {
			int fd = new_file();

			if (round)
				munmap(maps[i], BYTES);
			inos[i] = ino_of(fd);
			backing_handle_of(fd, &handles[i]);
			maps[i] = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
			close(fd);
			mapped_add(mapped, inos[i], &handles[i]);
		}
	}
	for (int i = 0; i < LIVE; i++)
		known += !mapped_find(mapped, inos[i], &found);
	assert_int_equal(known, LIVE);
	for (int i = 0; i < LIVE; i++) {
		munmap(maps[i], BYTES);
		mapped_add(mapped, inos[i], &handles[i]); /* is gone by now */
	}
	mapped_close(mapped);
	close(root_fd);
}

static void test_unused_file_is_not_remembered(void **state)
{
	int root_fd = new_file(), fd = new_file();
	struct backing_handle handle, found;
	uint64_t ino = ino_of(fd);
	struct mapped *mapped;

	(void) state;
	need_handles(root_fd);
	backing_handle_of(fd, &handle);
	close(fd);
	assert_int_equal(mapped_open(&mapped, root_fd), 0);
	mapped_add(mapped, ino, &handle);
	assert_int_equal(mapped_find(mapped, ino, &found), -ENOENT);
	mapped_close(mapped);
	close(root_fd);
}

static void test_opened_by_number(void **state)
{
	int root_fd = new_file(), fd = new_file(), table_fd = table_create();
	uint64_t nodeid, ino = ino_of(fd);
	struct inodes *inodes;
	struct table *table;
	struct stat st;
	void *map;
	int again;

	(void) state;
	need_handles(root_fd);
	assert_int_equal(table_open(&table, table_fd), 0);
	assert_int_equal(inodes_open(&inodes, table, root_fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(inode_open_ino(inodes, ino, O_RDONLY), -ENOENT);
	assert_int_equal(inode_intern(inodes, fd, &st, &nodeid), 0);
	again = inode_open_ino(inodes, ino, O_RDONLY);
	assert_int_equal(ino_of(again), ino);
	close(again);

	/* mapped, closed, forgotten: and known by its number still */
	map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	inode_find(inodes, nodeid)->was_opened = true;
	inode_forget(inodes, nodeid, 1);
	assert_null(inode_find(inodes, nodeid));
	again = inode_open_ino(inodes, ino, O_RDONLY);
	assert_true(again >= 0);
	assert_int_equal(ino_of(again), ino);
	close(again);
	munmap(map, BYTES);
	assert_int_equal(inode_open_ino(inodes, ino, O_RDONLY), -ESTALE);

	inodes_close(inodes);
	table_close(table);
	close(table_fd);
	close(root_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapped_file_is_remembered),
		cmocka_unit_test(test_unmapped_files_are_dropped),
		cmocka_unit_test(test_unused_file_is_not_remembered),
		cmocka_unit_test(test_opened_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stat, statx, statfs; and that what one process changes, another sees at once.
 */
#include "posix.h"

#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static int statx_of(const char *name, unsigned mask, struct statx *stx)
{
	memset(stx, 0, sizeof(*stx));
	return statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, mask, stx);
}

static void birth_time(void)
{
	struct timespec before, after;
	struct statx stx, later;

	/* timestamps come from the clock of the last tick */
	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	make_file("file", 0644, "x");
	clock_gettime(CLOCK_REALTIME, &after);
	CHECK_OK(statx_of("file", STATX_BASIC_STATS | STATX_BTIME, &stx));
	CHECK((stx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	CHECK(stx.stx_mask & STATX_BTIME);
	CHECK(stx.stx_btime.tv_sec >= before.tv_sec);
	CHECK(stx.stx_btime.tv_sec <= after.tv_sec);
	sleep_ms(20);
	make_file("file", 0600, "other");
	CHECK_OK(rename("file", "moved"));
	CHECK_OK(statx_of("moved", STATX_BTIME, &later));
	CHECK_EQ(later.stx_btime.tv_sec, stx.stx_btime.tv_sec);
	CHECK_EQ(later.stx_btime.tv_nsec, stx.stx_btime.tv_nsec);
	MUST(mkdir("dir", 0755));
	CHECK_OK(statx_of("dir", STATX_BTIME, &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
	MUST(symlink("x", "symlink"));
	CHECK_OK(statx_of("symlink", STATX_BTIME, &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
	int fd = MUST(open("moved", O_RDONLY));
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
	CHECK_EQ(stx.stx_btime.tv_nsec, later.stx_btime.tv_nsec);
}

static void statx_agrees_with_stat(void)
{
	struct statx stx;
	struct stat st;

	make_file("file", 0640, "0123456789");
	MUST(chown("file", USER_A, GROUP_A));
	st = stat_of("file");
	CHECK_OK(statx_of("file", STATX_BASIC_STATS, &stx));
	CHECK_EQ(stx.stx_ino, st.st_ino);
	CHECK_EQ(stx.stx_size, st.st_size);
	CHECK_EQ(stx.stx_blocks, st.st_blocks);
	CHECK_EQ(stx.stx_mode, st.st_mode);
	CHECK_EQ(stx.stx_uid, st.st_uid);
	CHECK_EQ(stx.stx_gid, st.st_gid);
	CHECK_EQ(stx.stx_nlink, st.st_nlink);
	CHECK_EQ(stx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK_EQ(stx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	CHECK_EQ(stx.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
	CHECK_OK(statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC, STATX_SIZE,
		       &stx));
	CHECK_EQ(stx.stx_size, 10);
	CHECK_OK(statx(AT_FDCWD, "file", AT_STATX_DONT_SYNC, STATX_SIZE, &stx));
	CHECK_EQ(stx.stx_size, 10);
	CHECK_ERR(statx_of("none", STATX_SIZE, &stx), ENOENT);
}

static void inode_numbers(void)
{
	struct stat root = stat_of("."), a, b;

	make_file("a", 0644, "");
	make_file("b", 0644, "");
	a = stat_of("a");
	b = stat_of("b");
	CHECK(a.st_ino != b.st_ino);
	CHECK_EQ(a.st_dev, root.st_dev);
	CHECK(a.st_ino != 0);
	CHECK_EQ(stat_of("..").st_dev, root.st_dev);
	MUST(rename("a", "c"));
	CHECK_EQ(stat_of("c").st_ino, a.st_ino);
}

static void file_system(void)
{
	struct statvfs before, after;
	struct statfs fs;

	CHECK_OK(statvfs(".", &before));
	CHECK_EQ(before.f_namemax, 255);
	CHECK_EQ(before.f_frsize, 4096);
	CHECK(before.f_blocks >= before.f_bfree);
	CHECK_EQ(before.f_bfree, before.f_bavail);
	CHECK_OK(statfs(".", &fs));
	CHECK_EQ(fs.f_namelen, 255);
	CHECK_EQ(fs.f_bsize, 4096);
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	CHECK_OK(fstatvfs(fd, &after));
	CHECK_EQ(before.f_ffree - after.f_ffree >= 1, before.f_ffree != 0);
	MUST(fallocate(fd, 0, 0, 8 << 20));
	CHECK_OK(statvfs("file", &after));
	if (before.f_blocks)
		CHECK(before.f_bfree - after.f_bfree >= 2048);
	CHECK_EQ(after.f_blocks, before.f_blocks);
}

/*
 * Two processes take turns: the first changes the file in some way, the second
 * looks at its attributes, which must be new each time although it has looked
 * just before.
 */
struct change {
	const char *what;
	int (*make)(int fd, char *map);
	off_t size;
	blkcnt_t blocks_at_least;
};

static int change_write(int fd, char *map)
{
	(void) map;
	return pwrite(fd, "0123456789", 10, 0) == 10 ? 0 : -1;
}

static int change_grow(int fd, char *map)
{
	(void) map;
	return ftruncate(fd, 100000);
}

static int change_allocate(int fd, char *map)
{
	(void) map;
	return fallocate(fd, 0, 0, 200000);
}

static int change_append(int fd, char *map)
{
	(void) map;
	return pwrite(fd, "x", 1, 200000) == 1 ? 0 : -1;
}

static int change_shrink(int fd, char *map)
{
	(void) map;
	return ftruncate(fd, 4096);
}

static int change_truncate_path(int fd, char *map)
{
	(void) fd;
	(void) map;
	return truncate("file", 1 << 20);
}

static int change_store(int fd, char *map)
{
	(void) fd;
	for (int i = 0; i < 256; i++)
		map[i * 4096] = 1;
	return 0;
}

static int change_reopened(int fd, char *map)
{
	(void) fd;
	(void) map;
	fd = open("file", O_WRONLY | O_APPEND);
	int ret = write(fd, "end", 3) == 3 ? 0 : -1;

	close(fd);
	return ret;
}

static const struct change changes[] = {
	{ "write", change_write, 10, 8 },
	{ "ftruncate", change_grow, 100000, 8 },
	{ "fallocate", change_allocate, 200000, 391 },
	{ "write at the end", change_append, 200001, 391 },
	{ "ftruncate", change_shrink, 4096, 8 },
	{ "truncate", change_truncate_path, 1 << 20, 8 },
	{ "stores", change_store, 1 << 20, 2048 },
	{ "append by another descriptor", change_reopened, (1 << 20) + 3,
	  2056 },
};

#define NR_CHANGES ((int) (sizeof(changes) / sizeof(changes[0])))

static void look_at_changes(int in, int out)
{
	int fd = MUST(open("file", O_RDONLY));
	struct stat st, by_fd;
	char byte;

	for (int i = 0; i < NR_CHANGES; i++) {
		stat("file", &st);
		fstat(fd, &by_fd);
		MUST(write(out, "x", 1)); /* your turn */
		MUST(read(in, &byte, 1));
		CHECK_OK(stat("file", &st));
		CHECK_OK(fstat(fd, &by_fd));
		if (st.st_size != changes[i].size ||
		    by_fd.st_size != changes[i].size)
			posix_fail(__FILE__, __LINE__,
				   "%s: expected size %lld, stat %lld, "
				   "fstat %lld",
				   changes[i].what, (long long) changes[i].size,
				   (long long) st.st_size,
				   (long long) by_fd.st_size);
		if (st.st_blocks < changes[i].blocks_at_least)
			posix_fail(__FILE__, __LINE__,
				   "%s: expected %lld blocks or more, got %lld",
				   changes[i].what,
				   (long long) changes[i].blocks_at_least,
				   (long long) st.st_blocks);
	}
}

static void another_process_sees_changes(void)
{
	int ping[2], pong[2];
	pid_t pid;
	char byte, *map;

	MUST(pipe(ping));
	MUST(pipe(pong));
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	map = MUST(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0));
	IN_CHILD(pid) {
		look_at_changes(ping[0], pong[1]);
		_exit(0);
	}
	for (int i = 0; i < NR_CHANGES; i++) {
		MUST(read(pong[0], &byte, 1));
		CHECK_OK(changes[i].make(fd, map));
		MUST(write(ping[1], "x", 1));
	}
	CHECK_CHILD(pid);
}

/* The same for what is not content: mode, owner, links, times, xattrs. */
static void attributes_are_seen(void)
{
	int ping[2], pong[2];
	struct stat st;
	pid_t pid;
	char byte;

	MUST(pipe(ping));
	MUST(pipe(pong));
	make_file("file", 0644, "x");
	IN_CHILD(pid) {
		for (int i = 0; i < 100; i++) {
			st = stat_of("file");
			MUST(write(pong[1], "x", 1));
			MUST(read(ping[0], &byte, 1));
			st = stat_of("file");
			CHECK_MODE(st.st_mode & 0777, i & 0777);
			CHECK_EQ(st.st_uid, i);
			CHECK_EQ(st.st_nlink, i % 2 ? 1 : 2);
			CHECK_EQ(st.st_mtim.tv_sec, i);
			CHECK_EQ(getxattr("file", "user.a", NULL, 0), i);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		char value[100] = "";

		MUST(read(pong[0], &byte, 1));
		CHECK_OK(chown("file", i, -1));
		CHECK_OK(chmod("file", i));
		CHECK_OK(i % 2 ? unlink("link") : link("file", "link"));
		CHECK_OK(utimensat(AT_FDCWD, "file",
				   (struct timespec[2]) { { 0, 0 }, { i, 0 } },
				   0));
		CHECK_OK(setxattr("file", "user.a", value, i, 0));
		MUST(write(ping[1], "x", 1));
	}
	CHECK_CHILD(pid);
}

static const struct posix_test tests[] = {
	T(birth_time),
	T(statx_agrees_with_stat),
	T(inode_numbers),
	T(file_system),
	T(another_process_sees_changes),
	T(attributes_are_seen),
};

POSIX_MAIN(tests)

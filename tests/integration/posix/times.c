/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which operation changes which timestamps, and who may set them.
 */
#include "posix.h"

#include <sys/time.h>
#include <sys/xattr.h>

enum { ATIME = 1, MTIME = 2, CTIME = 4 };

static const struct timespec old = { 1000000000, 123456789 };

/* Sets atime and mtime back; ctime is what it is then. */
static struct stat settle(const char *name)
{
	const struct timespec times[2] = { old, old };

	MUST(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW));
	sleep_ms(12); /* timestamps are as fine as a tick */
	return stat_of(name);
}

static bool differs(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

static int changed(const struct stat *a, const struct stat *b)
{
	return (differs(a->st_atim, b->st_atim) ? ATIME : 0) |
	       (differs(a->st_mtim, b->st_mtim) ? MTIME : 0) |
	       (differs(a->st_ctim, b->st_ctim) ? CTIME : 0);
}

#define CHECK_CHANGES(name, call, want)                                        \
	do {                                                                   \
		struct stat before_ = settle(name), after_;                    \
		call;                                                          \
		after_ = stat_of(name);                                        \
		if (changed(&before_, &after_) != (want))                      \
			posix_fail(__FILE__, __LINE__,                         \
				   "expected changes of %s == %s (%d) as on "  \
				   "tmpfs, got %d (atime 1 mtime 2 ctime 4): " \
				   "%s",                                       \
				   name, #want, want,                          \
				   changed(&before_, &after_), #call);         \
	} while (0)

static void content(void)
{
	char byte;

	make_file("file", 0644, "content");
	int fd = MUST(open("file", O_RDWR));
	CHECK_CHANGES("file", CHECK_EQ(pread(fd, &byte, 1, 0), 1), ATIME);
	CHECK_CHANGES("file", CHECK_EQ(pwrite(fd, "x", 1, 0), 1),
		      MTIME | CTIME);
	CHECK_CHANGES("file", CHECK_EQ(pwrite(fd, "x", 1, 100), 1),
		      MTIME | CTIME);
	CHECK_CHANGES("file", CHECK_EQ(pwrite(fd, "x", 0, 0), 0), 0);
	CHECK_CHANGES("file", CHECK_OK(ftruncate(fd, 5000)), MTIME | CTIME);
	CHECK_CHANGES("file", CHECK_OK(ftruncate(fd, 5000)), MTIME | CTIME);
	CHECK_CHANGES("file", CHECK_OK(ftruncate(fd, 5)), MTIME | CTIME);
	CHECK_CHANGES("file", CHECK_OK(truncate("file", 50)), MTIME | CTIME);
	CHECK_CHANGES("file", close(MUST(open("file", O_TRUNC | O_WRONLY))),
		      MTIME | CTIME);
	CHECK_CHANGES("file", close(MUST(open("file", O_RDWR))), 0);
	CHECK_CHANGES("file", CHECK_OK(fsync(fd)), 0);
	CHECK_CHANGES("file", CHECK_EQ(pread(fd, &byte, 1, 0), 0), ATIME);
}

static void space(void)
{
	make_file("file", 0644, "content");
	int fd = MUST(open("file", O_RDWR));
	CHECK_CHANGES("file", CHECK_OK(fallocate(fd, 0, 0, 8192)),
		      MTIME | CTIME);
	CHECK_CHANGES("file",
		      CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16384)),
		      MTIME | CTIME);
	CHECK_CHANGES("file",
		      CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE |
					 FALLOC_FL_PUNCH_HOLE, 0, 4096)),
		      MTIME | CTIME);
}

static void inode(void)
{
	make_file("file", 0644, "content");
	CHECK_CHANGES("file", CHECK_OK(chmod("file", 0600)), CTIME);
	CHECK_CHANGES("file", CHECK_OK(chown("file", USER_A, -1)), CTIME);
	CHECK_CHANGES("file", CHECK_OK(link("file", "link")), CTIME);
	CHECK_CHANGES("file", CHECK_OK(unlink("link")), CTIME);
	CHECK_CHANGES("file", CHECK_OK(rename("file", "x"));
		      CHECK_OK(rename("x", "file")), CTIME);
	CHECK_CHANGES("file", CHECK_OK(setxattr("file", "user.a", "b", 1, 0)),
		      CTIME);
	CHECK_CHANGES("file", CHECK_OK(getxattr("file", "user.a", NULL, 0)), 0);
	CHECK_CHANGES("file", CHECK_OK(removexattr("file", "user.a")), CTIME);
	CHECK_CHANGES("file", stat_of("file"), 0);
	MUST(symlink("file", "symlink"));
	char buffer[16];
	CHECK_CHANGES("symlink", CHECK_EQ(readlink("symlink", buffer, 16), 4),
		      ATIME);
}

static void directory(void)
{
	MUST(mkdir("dir", 0755));
	MUST(mkdir("to", 0755));
	CHECK_CHANGES("dir", make_file("dir/file", 0644, "x"), MTIME | CTIME);
	CHECK_CHANGES("dir", make_file("dir/file", 0644, "y"), 0);
	CHECK_CHANGES("dir", CHECK_OK(mkdir("dir/sub", 0755)), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(symlink("x", "dir/s")), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(mkfifo("dir/p", 0644)), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(link("dir/p", "dir/q")), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(unlink("dir/q")), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(rmdir("dir/sub")), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(rename("dir/file", "dir/f")),
		      MTIME | CTIME);
	CHECK_CHANGES("to", CHECK_OK(rename("dir/f", "to/f")), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_OK(rename("to/f", "dir/f")), MTIME | CTIME);
	CHECK_CHANGES("to", CHECK_OK(renameat2(AT_FDCWD, "dir/s", AT_FDCWD,
					       "to/s", 0)), MTIME | CTIME);
	CHECK_CHANGES("dir", CHECK_ERR(mkdir("dir/f", 0755), EEXIST), 0);
	CHECK_CHANGES("dir", CHECK_OK(chmod("dir", 0700)), CTIME);
	CHECK_CHANGES("dir", close(MUST(open("dir", O_TMPFILE | O_RDWR, 0600))),
		      0);
}

/* The new atime of relatime: only when older than mtime, or than a day. */
static void access_time(void)
{
	char byte;
	struct timespec now;
	struct stat st;

	make_file("file", 0644, "content");
	int fd = MUST(open("file", O_RDONLY));
	clock_gettime(CLOCK_REALTIME, &now);
	const struct timespec fresh[2] = { { now.tv_sec - 60, 7 },
					   { now.tv_sec - 3600, 0 } };
	MUST(utimensat(AT_FDCWD, "file", fresh, 0));
	/* ctime is newer than atime now; one read brings it up to date */
	sleep_ms(12);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	sleep_ms(12);
	st = stat_of("file");
	CHECK(st.st_atim.tv_sec >= now.tv_sec - 1);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK(!differs(stat_of("file").st_atim, st.st_atim));
	settle("file");
	int quiet = MUST(open("file", O_RDONLY | O_NOATIME));
	CHECK_EQ(pread(quiet, &byte, 1, 0), 1);
	CHECK(!differs(stat_of("file").st_atim, old));
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK(differs(stat_of("file").st_atim, old));
}

static void set_by_hand(void)
{
	struct stat st, before;
	struct timespec now;

	make_file("file", 0644, "x");
	const struct timespec exact[2] = { { 1, 999999999 }, { 1LL << 33, 5 } };
	CHECK_OK(utimensat(AT_FDCWD, "file", exact, 0));
	st = stat_of("file");
	CHECK(!differs(st.st_atim, exact[0]));
	CHECK(!differs(st.st_mtim, exact[1]));
	const struct timespec negative[2] = { { -1, 5 }, { -100, 6 } };
	CHECK_OK(utimensat(AT_FDCWD, "file", negative, 0));
	st = stat_of("file");
	CHECK_EQ(st.st_atim.tv_sec, -1);
	CHECK_EQ(st.st_mtim.tv_sec, -100);
	const struct timespec omit[2] = { { 0, UTIME_OMIT }, { 77, 0 } };
	CHECK_OK(utimensat(AT_FDCWD, "file", omit, 0));
	st = stat_of("file");
	CHECK_EQ(st.st_atim.tv_sec, -1);
	CHECK_EQ(st.st_mtim.tv_sec, 77);
	const struct timespec mixed[2] = { { 0, UTIME_NOW },
					   { 0, UTIME_OMIT } };
	CHECK_OK(utimensat(AT_FDCWD, "file", mixed, 0));
	clock_gettime(CLOCK_REALTIME, &now);
	st = stat_of("file");
	CHECK(st.st_atim.tv_sec >= now.tv_sec - 2);
	CHECK(st.st_atim.tv_sec <= now.tv_sec);
	CHECK_EQ(st.st_mtim.tv_sec, 77);
	before = st;
	sleep_ms(12);
	const struct timespec nothing[2] = { { 0, UTIME_OMIT },
					     { 0, UTIME_OMIT } };
	CHECK_OK(utimensat(AT_FDCWD, "file", nothing, 0));
	st = stat_of("file");
	CHECK_EQ(changed(&before, &st), 0);
	const struct timespec invalid[2] = { { 0, 1000000000 }, { 0, 0 } };
	CHECK_ERR(utimensat(AT_FDCWD, "file", invalid, 0), EINVAL);
	MUST(symlink("file", "symlink"));
	CHECK_OK(utimensat(AT_FDCWD, "symlink", exact, AT_SYMLINK_NOFOLLOW));
	CHECK_EQ(stat_of("symlink").st_mtim.tv_sec, 1LL << 33);
	int fd = MUST(open("file", O_RDONLY));
	CHECK_OK(futimens(fd, exact));
	CHECK_EQ(stat_of("file").st_mtim.tv_sec, 1LL << 33);
}

static void who_may_set(void)
{
	const struct timespec times[2] = { old, old };
	const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	const struct timespec half[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };

	make_file("own", 0400, "x");
	MUST(chown("own", USER_A, GROUP_A));
	make_file("writable", 0666, "x");
	make_file("foreign", 0644, "x");
	user_is(USER_A, GROUP_A);
	CHECK_OK(utimensat(AT_FDCWD, "own", times, 0));
	CHECK_OK(utimensat(AT_FDCWD, "own", NULL, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "writable", times, 0), EPERM);
	CHECK_OK(utimensat(AT_FDCWD, "writable", NULL, 0));
	CHECK_OK(utimensat(AT_FDCWD, "writable", now, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "writable", half, 0), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "foreign", NULL, 0), EACCES);
	CHECK_ERR(utimensat(AT_FDCWD, "foreign", times, 0), EPERM);
	root_again();
}

/* A store through a mapping is a change of the content too. */
static void mapped_store(void)
{
	struct stat before, after;

	make_file("file", 0644, "content");
	int fd = MUST(open("file", O_RDWR));
	char *map = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0));
	before = settle("file");
	map[0] = 'x';
	after = stat_of("file");
	CHECK_EQ(changed(&before, &after), MTIME | CTIME);
	munmap(map, 4096);
	/* the descriptor is closed, the mapping lives on */
	map = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	sleep_ms(20);
	before = settle("file");
	map[0] = 'y';
	after = stat_of("file");
	CHECK_EQ(changed(&before, &after), MTIME | CTIME);
}

/* fstat, stat by path and by another link tell the same, also right after. */
static void coherent(void)
{
	struct stat by_fd, by_path, by_link;

	make_file("file", 0644, "content");
	MUST(link("file", "link"));
	int fd = MUST(open("file", O_RDWR));
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(write(fd, "0123456789", i % 10), i % 10);
		CHECK_OK(fstat(fd, &by_fd));
		CHECK_OK(stat("file", &by_path));
		CHECK_OK(stat("link", &by_link));
		CHECK_EQ(changed(&by_fd, &by_path), 0);
		CHECK_EQ(changed(&by_fd, &by_link), 0);
		CHECK_EQ(by_fd.st_size, by_link.st_size);
		CHECK_EQ(by_path.st_size, by_link.st_size);
	}
}

static void creation(void)
{
	struct timespec before, after;
	struct stat st;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	make_file("file", 0644, "");
	clock_gettime(CLOCK_REALTIME, &after);
	st = stat_of("file");
	CHECK(st.st_mtim.tv_sec >= before.tv_sec);
	CHECK(st.st_mtim.tv_sec <= after.tv_sec);
	MUST(mkdir("dir", 0755));
	st = stat_of("dir");
	CHECK(!differs(st.st_atim, st.st_mtim));
	CHECK(!differs(st.st_ctim, st.st_mtim));
	CHECK(st.st_mtim.tv_sec >= before.tv_sec);
}

static const struct posix_test tests[] = {
	T(content),
	T(space),
	T(inode),
	T(directory),
	T(access_time),
	T(set_by_hand),
	T(who_may_set),
	T(mapped_store),
	T(coherent),
	T(creation),
};

POSIX_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rename(2) and renameat2(2) with its flags, over what is open, mapped or
 * not empty.
 */
#include "posix.h"

#include <sys/syscall.h>
#include <sys/sysmacros.h>

static int rename2(const char *from, const char *to, unsigned flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void plain(void)
{
	make_file("a", 0644, "aa");
	make_file("b", 0644, "bb");
	ino_t ino = stat_of("a").st_ino;
	CHECK_OK(rename("a", "c"));
	CHECK(!exists("a"));
	CHECK(file_is("c", "aa"));
	CHECK_OK(rename("c", "b"));
	CHECK(!exists("c"));
	CHECK(file_is("b", "aa"));
	CHECK_EQ(stat_of("b").st_ino, ino);
	CHECK_EQ(stat_of("b").st_nlink, 1);
	MUST(mkdir("dir", 0755));
	CHECK_OK(rename("b", "dir/b"));
	CHECK(file_is("dir/b", "aa"));
	CHECK_OK(rename("dir", "other"));
	CHECK(file_is("other/b", "aa"));
	CHECK(!exists("dir"));
	/* two names of one file: nothing happens */
	MUST(link("other/b", "b2"));
	CHECK_OK(rename("b2", "other/b"));
	CHECK(exists("b2"));
	CHECK_OK(rename("b2", "b2"));
	CHECK_EQ(stat_of("b2").st_nlink, 2);
}

static void errors(void)
{
	make_file("file", 0644, "x");
	MUST(mkdir("dir", 0755));
	MUST(mkdir("full", 0755));
	make_file("full/file", 0644, "x");
	MUST(mkdir("dir/sub", 0755));
	CHECK_ERR(rename("none", "a"), ENOENT);
	CHECK_ERR(rename("file", "none/a"), ENOENT);
	CHECK_ERR(rename("file", "dir"), EISDIR);
	CHECK_ERR(rename("dir", "file"), ENOTDIR);
	CHECK_ERR(rename("dir", "full"), ENOTEMPTY);
	CHECK_ERR(rename("dir", "dir/sub/x"), EINVAL);
	CHECK_ERR(rename("dir", "dir/sub"), EINVAL);
	CHECK_ERR(rename("dir/sub", "dir"), ENOTEMPTY);
	CHECK_ERR(rename("dir/.", "x"), EBUSY);
	CHECK_ERR(rename("dir/..", "x"), EBUSY);
	CHECK_ERR(rename("file", "/proc/self/x"), EXDEV);
	CHECK_ERR(rename("file/", "x"), ENOTDIR);
	CHECK_ERR(rename("file", "x/"), ENOTDIR);
	CHECK_OK(rename("dir", "renamed/"));
	CHECK(exists("renamed/sub"));
}

static void directory_over_empty_one(void)
{
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/sub", 0755));
	MUST(mkdir("b", 0755));
	MUST(mkdir("parent", 0755));
	int fd = MUST(open("b", O_RDONLY | O_DIRECTORY));
	CHECK_OK(rename("a", "b"));
	CHECK(exists("b/sub"));
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_ERR(openat(fd, "x", O_CREAT | O_RDWR, 0600), ENOENT);
	/* links of the parents: "." of theirs and ".." of each child */
	CHECK_EQ(stat_of(".").st_nlink, 4);
	CHECK_OK(rename("b", "parent/b"));
	CHECK_EQ(stat_of(".").st_nlink, 3);
	CHECK_EQ(stat_of("parent").st_nlink, 3);
	CHECK_EQ(stat_of("parent/b/..").st_ino, stat_of("parent").st_ino);
}

static void noreplace(void)
{
	make_file("a", 0644, "aa");
	make_file("b", 0644, "bb");
	CHECK_ERR(rename2("a", "b", RENAME_NOREPLACE), EEXIST);
	CHECK(file_is("a", "aa"));
	CHECK(file_is("b", "bb"));
	CHECK_OK(rename2("a", "c", RENAME_NOREPLACE));
	CHECK(file_is("c", "aa"));
	CHECK_ERR(rename2("a", "d", RENAME_NOREPLACE), ENOENT);
	CHECK_ERR(rename2("b", "d", RENAME_NOREPLACE | RENAME_EXCHANGE),
		  EINVAL);
	CHECK_ERR(rename2("b", "d", 1u << 20), EINVAL);
}

static void exchange(void)
{
	make_file("a", 0644, "aa");
	MUST(mkdir("dir", 0755));
	make_file("dir/b", 0644, "bb");
	ino_t a = stat_of("a").st_ino, b = stat_of("dir/b").st_ino;
	int fd = MUST(open("a", O_RDWR));
	CHECK_OK(rename2("a", "dir/b", RENAME_EXCHANGE));
	CHECK(file_is("a", "bb"));
	CHECK(file_is("dir/b", "aa"));
	CHECK_EQ(stat_of("a").st_ino, b);
	CHECK_EQ(stat_of("dir/b").st_ino, a);
	CHECK_EQ(pwrite(fd, "AA", 2, 0), 2);
	CHECK(file_is("dir/b", "AA"));
	/* a file with a directory that is not empty */
	CHECK_OK(rename2("a", "dir", RENAME_EXCHANGE));
	CHECK(file_is("dir", "bb"));
	CHECK(file_is("a/b", "AA"));
	CHECK_ERR(rename2("a", "none", RENAME_EXCHANGE), ENOENT);
	MUST(mkdir("a/sub", 0755));
	CHECK_ERR(rename2("a", "a/sub", RENAME_EXCHANGE), EINVAL);
	/* directories of different parents: ".." and link counts follow */
	MUST(mkdir("p", 0755));
	MUST(mkdir("p/q", 0755));
	make_file("plain", 0644, "x");
	CHECK_EQ(stat_of("p").st_nlink, 3);
	CHECK_OK(rename2("p/q", "plain", RENAME_EXCHANGE));
	CHECK_EQ(stat_of("p").st_nlink, 2);
	CHECK(S_ISDIR(stat_of("plain").st_mode));
	CHECK_EQ(stat_of("plain/..").st_ino, stat_of(".").st_ino);
}

static void whiteout(void)
{
	make_file("a", 0644, "aa");
	CHECK_OK(rename2("a", "b", RENAME_WHITEOUT));
	CHECK(file_is("b", "aa"));
	struct stat st = stat_of("a");
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, makedev(0, 0));
	make_file("c", 0644, "cc");
	CHECK_OK(rename2("b", "c", RENAME_WHITEOUT));
	CHECK(file_is("c", "aa"));
	CHECK(S_ISCHR(stat_of("b").st_mode));
	CHECK_ERR(rename2("c", "a", RENAME_WHITEOUT | RENAME_NOREPLACE),
		  EEXIST);
	user_is(USER_A, GROUP_A);
	make_file("own", 0644, "own");
	CHECK_OK(rename2("own", "own2", RENAME_WHITEOUT));
	CHECK(file_is("own2", "own"));
	root_again();
	CHECK_EQ(stat_of("own").st_uid, USER_A);
}

static void over_open_file(void)
{
	char buffer[8];
	struct stat st;

	make_file("old", 0644, "old");
	make_file("new", 0644, "new");
	int fd = MUST(open("old", O_RDWR));
	CHECK_OK(rename("new", "old"));
	CHECK(file_is("old", "new"));
	CHECK_EQ(pread(fd, buffer, 3, 0), 3);
	CHECK_EQ(memcmp(buffer, "old", 3), 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pwrite(fd, "gone", 4, 0), 4);
	CHECK(file_is("old", "new"));
	/* the open file itself moves: the descriptor goes with it */
	fd = MUST(open("old", O_RDWR));
	CHECK_OK(rename("old", "moved"));
	CHECK_EQ(pwrite(fd, "NEW", 3, 0), 3);
	CHECK(file_is("moved", "NEW"));
	CHECK_OK(fchmod(fd, 0600));
	CHECK_MODE(mode_of("moved"), 0600);
}

static void over_mapped_file(void)
{
	make_file("old", 0644, "old");
	make_file("new", 0644, "new");
	int fd = MUST(open("old", O_RDWR));
	char *map = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0));
	close(fd);
	CHECK_OK(rename("new", "old"));
	CHECK_EQ(memcmp(map, "old", 3), 0);
	map[0] = 'X';
	CHECK_EQ(memcmp(map, "Xld", 3), 0);
	CHECK(file_is("old", "new"));
}

/* Somebody who looks all the time always finds one of the two versions. */
static void replacement_is_atomic(void)
{
	pid_t pid;

	make_file("file", 0644, "1");
	IN_CHILD(pid) {
		for (int i = 0; i < 1000; i++) {
			make_file("new", 0644, i % 2 ? "1" : "2");
			MUST(rename("new", "file"));
		}
		_exit(0);
	}
	int looks = 0, status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		char byte = 0;
		int fd = open("file", O_RDONLY);

		if (fd < 0 || read(fd, &byte, 1) != 1 ||
		    (byte != '1' && byte != '2')) {
			posix_fail(__FILE__, __LINE__,
				   "no whole file after %d looks: %s", looks,
				   posix_error_name(errno));
			break;
		}
		close(fd);
		looks++;
	}
	child_status(pid);
	CHECK(looks > 0);
}

/* Renamed by one process, at once under the new name alone in another. */
static void seen_by_others(void)
{
	int ping[2], pong[2];
	pid_t pid;
	char byte;

	MUST(pipe(ping));
	MUST(pipe(pong));
	make_file("a", 0644, "x");
	IN_CHILD(pid) {
		for (int i = 0; i < 200; i++) {
			MUST(read(ping[0], &byte, 1));
			CHECK(exists(i % 2 ? "a" : "b"));
			CHECK(!exists(i % 2 ? "b" : "a"));
			MUST(write(pong[1], "x", 1));
		}
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		CHECK_OK(i % 2 ? rename("b", "a") : rename("a", "b"));
		MUST(write(ping[1], "x", 1));
		MUST(read(pong[0], &byte, 1));
	}
	CHECK_CHILD(pid);
}

static const struct posix_test tests[] = {
	T(plain),
	T(errors),
	T(directory_over_empty_one),
	T(noreplace),
	T(exchange),
	T(whiteout),
	T(over_open_file),
	T(over_mapped_file),
	T(replacement_is_atomic),
	T(seen_by_others),
};

POSIX_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hard links and symbolic links.
 */
#include "posix.h"

#include <sys/syscall.h>

static void hard_links_are_one_file(void)
{
	struct stat a, b;

	make_file("a", 0644, "one");
	CHECK_OK(link("a", "b"));
	MUST(mkdir("dir", 0755));
	CHECK_OK(link("b", "dir/c"));
	a = stat_of("a");
	b = stat_of("dir/c");
	CHECK_EQ(a.st_nlink, 3);
	CHECK_EQ(b.st_nlink, 3);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_dev, b.st_dev);
	make_file("dir/c", 0600, "two!");
	CHECK(file_is("a", "two!"));
	CHECK_MODE(mode_of("b"), 0600);
	CHECK_OK(unlink("a"));
	CHECK_EQ(stat_of("b").st_nlink, 2);
	CHECK_OK(unlink("dir/c"));
	CHECK_EQ(stat_of("b").st_nlink, 1);
	CHECK(file_is("b", "two!"));
}

static void nlink_through_descriptor(void)
{
	struct stat st;

	make_file("a", 0644, "x");
	int fd = MUST(open("a", O_RDWR));
	CHECK_OK(link("a", "b"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(unlink("a"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_OK(unlink("b"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3);
}

static void link_errors(void)
{
	make_file("a", 0644, "x");
	make_file("b", 0644, "y");
	MUST(mkdir("dir", 0755));
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("dir", "dir2"), EPERM);
	CHECK_ERR(link("none", "c"), ENOENT);
	CHECK_ERR(link("a", "none/c"), ENOENT);
	CHECK_ERR(link("a", "b/c"), ENOTDIR);
	CHECK_ERR(link("a", "/dev/posix-c"), EXDEV);
	CHECK_ERR(link("a", "c/"), ENOENT);
	CHECK_ERR(unlink("dir"), EISDIR);
	CHECK_ERR(unlink("none"), ENOENT);
	CHECK_ERR(unlink("a/"), ENOTDIR);
	CHECK(file_is("b", "y"));
}

static void links_to_other_kinds(void)
{
	MUST(symlink("target", "s"));
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "s2", 0));
	CHECK(S_ISLNK(stat_of("s2").st_mode));
	CHECK_EQ(stat_of("s").st_nlink, 2);
	CHECK_ERR(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW),
		  ENOENT);
	make_file("target", 0644, "x");
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	CHECK(S_ISREG(stat_of("s3").st_mode));
	MUST(mkfifo("fifo", 0600));
	CHECK_OK(link("fifo", "fifo2"));
	CHECK_EQ(stat_of("fifo").st_nlink, 2);
}

static void link_from_proc_fd(void)
{
	char path[64];

	make_file("a", 0644, "x");
	int fd = MUST(open("a", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
	CHECK_OK(linkat(fd, "", AT_FDCWD, "c", AT_EMPTY_PATH));
	CHECK_EQ(stat_of("c").st_nlink, 3);
	/* a file with no name left cannot come back, if no O_TMPFILE */
	unlink("a");
	unlink("b");
	unlink("c");
	CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "d", AT_SYMLINK_FOLLOW),
		  ENOENT);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "d", AT_EMPTY_PATH), ENOENT);
}

static void many_links(void)
{
	char name[32];

	make_file("a", 0644, "x");
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK_OK(link("a", name));
	}
	CHECK_EQ(stat_of("a").st_nlink, 2001);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK_OK(unlink(name));
	}
	CHECK_EQ(stat_of("a").st_nlink, 1);
}

static void symlinks(void)
{
	char target[PATH_MAX + 16], got[PATH_MAX + 16];
	size_t length;

	CHECK_OK(symlink("dir/target", "s"));
	CHECK_EQ(stat_of("s").st_size, 10);
	CHECK_EQ(readlink("s", got, sizeof(got)), 10);
	CHECK_EQ(memcmp(got, "dir/target", 10), 0);
	CHECK_EQ(readlink("s", got, 4), 4);
	CHECK_ERR(open("s", O_RDONLY), ENOENT);
	CHECK_ERR(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(stat("s", &(struct stat) { 0 }), ENOENT);
	CHECK_ERR(symlink("", "empty"), ENOENT);
	make_file("file", 0644, "x");
	CHECK_ERR(readlink("file", got, sizeof(got)), EINVAL);
	/* short ones live in the inode, long ones in a page */
	static const size_t lengths[] = { 1, 31, 127, 128, 1000, 4094, 4095 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		length = lengths[i];
		memset(target, 'a' + i, length);
		target[length] = 0;
		CHECK_OK(symlink(target, "long"));
		CHECK_EQ(readlink("long", got, sizeof(got)), length);
		CHECK_EQ(memcmp(got, target, length), 0);
		CHECK_EQ(stat_of("long").st_size, length);
		CHECK_OK(unlink("long"));
	}
	memset(target, 'z', 4096);
	target[4096] = 0;
	CHECK_ERR(symlink(target, "long"), ENAMETOOLONG);
	MUST(symlink("loop2", "loop1"));
	MUST(symlink("loop1", "loop2"));
	CHECK_ERR(open("loop1", O_RDONLY), ELOOP);
}

static void symlinks_lead_on(void)
{
	MUST(mkdir("dir", 0755));
	make_file("dir/file", 0644, "inside");
	CHECK_OK(symlink("dir", "d"));
	CHECK(file_is("d/file", "inside"));
	CHECK_OK(symlink("../dir/file", "dir/up"));
	CHECK(file_is("d/up", "inside"));
	int fd = MUST(open("d", O_PATH | O_NOFOLLOW));
	char got[16];
	CHECK_EQ(readlinkat(fd, "", got, sizeof(got)), 3);
	CHECK_ERR(rmdir("d"), ENOTDIR);
	CHECK_OK(unlink("d"));
	CHECK(exists("dir/file"));
	/* replaced by another target: nothing old may be remembered */
	for (int i = 0; i < 20; i++) {
		char target[24];

		snprintf(target, sizeof(target), "target%d", i);
		MUST(symlink(target, "s"));
		CHECK_EQ(readlink("s", got, sizeof(got)),
			 (ssize_t) strlen(target));
		CHECK_EQ(memcmp(got, target, strlen(target)), 0);
		MUST(unlink("s"));
	}
}

static const struct posix_test tests[] = {
	T(hard_links_are_one_file),
	T(nlink_through_descriptor),
	T(link_errors),
	T(links_to_other_kinds),
	T(link_from_proc_fd),
	T(many_links),
	T(symlinks),
	T(symlinks_lead_on),
};

POSIX_MAIN(tests)

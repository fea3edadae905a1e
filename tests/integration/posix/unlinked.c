/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files without a name: O_TMPFILE, unlinked but open, unlinked but mapped;
 * and directories removed while in use.
 */
#include "posix.h"

#include <dirent.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static void tmpfile_gets_a_name(void)
{
	char path[64], buffer[8];
	struct stat st;

	int fd = open(".", O_TMPFILE | O_RDWR, 0640);
	if (fd < 0 && errno == EOPNOTSUPP)
		posix_fail(__FILE__, __LINE__, "no O_TMPFILE");
	MUST(fd);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_MODE(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(write(fd, "content", 7), 7);
	CHECK_EQ(pread(fd, buffer, 7, 0), 7);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 7);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK(file_is("named", "content"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(stat_of("named").st_ino, st.st_ino);
	CHECK_OK(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH));
	CHECK_EQ(stat_of("named").st_nlink, 2);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH), EEXIST);
	close(fd);
	CHECK(file_is("second", "content"));
}

static void tmpfile_may_refuse_a_name(void)
{
	char path[64];

	int fd = MUST(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW),
		  ENOENT);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERR(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT);
	make_file("file", 0644, "");
	CHECK_ERR(open("file", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
}

static void tmpfile_of_user(void)
{
	struct stat st;

	user_is(USER_A, GROUP_A);
	umask(027);
	int fd = MUST(open(".", O_TMPFILE | O_RDWR, 0666));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_uid, USER_A);
	CHECK_EQ(st.st_gid, GROUP_A);
	CHECK_MODE(st.st_mode & 0777, 0640);
	CHECK_OK(ftruncate(fd, 10000));
	CHECK_OK(fchmod(fd, 0600));
	CHECK_OK(fsetxattr(fd, "user.a", "b", 1, 0));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	root_again();
	CHECK_EQ(stat_of("named").st_uid, USER_A);
	CHECK_EQ(stat_of("named").st_size, 10000);
	CHECK_EQ(getxattr("named", "user.a", NULL, 0), 1);
}

static void unlinked_but_open(void)
{
	char buffer[8], path[64];
	struct stat st;

	make_file("file", 0644, "content");
	int fd = MUST(open("file", O_RDWR));
	CHECK_OK(unlink("file"));
	CHECK(!exists("file"));
	CHECK_EQ(pread(fd, buffer, 7, 0), 7);
	CHECK_EQ(pwrite(fd, "C", 1, 0), 1);
	CHECK_OK(ftruncate(fd, 100000));
	CHECK_OK(fallocate(fd, 0, 0, 200000));
	CHECK_OK(fchmod(fd, 0600));
	CHECK_OK(fchown(fd, USER_A, GROUP_A));
	CHECK_OK(fsetxattr(fd, "user.a", "b", 1, 0));
	CHECK_EQ(fgetxattr(fd, "user.a", buffer, 8), 1);
	CHECK_OK(futimens(fd, (struct timespec[2]) { { 1, 0 }, { 2, 0 } }));
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 200000);
	CHECK_EQ(st.st_uid, USER_A);
	CHECK_MODE(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_mtim.tv_sec, 2);
	CHECK_EQ(st.st_nlink, 0);
	/* reopened through /proc it is still the same file */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = MUST(open(path, O_RDWR));
	CHECK_EQ(pread(again, buffer, 7, 0), 7);
	CHECK_EQ(memcmp(buffer, "Content", 7), 0);
	CHECK_OK(truncate(path, 3));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3);
	/* a new file of the same name is another file */
	make_file("file", 0644, "other");
	CHECK_EQ(pread(fd, buffer, 3, 0), 3);
	CHECK_EQ(memcmp(buffer, "Con", 3), 0);
	CHECK(file_is("file", "other"));
}

static void unlinked_but_mapped(void)
{
	size_t size = 4 << 20;
	unsigned char *map;

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, size));
	map = MUST(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	for (size_t i = 0; i < size; i += 4096)
		map[i] = i / 4096;
	close(fd);
	CHECK_OK(unlink("file"));
	sleep_ms(50); /* the release that nobody waits for */
	/* others come and go in the same inodes and pages */
	for (int i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		make_file(name, 0644, "other");
		unlink(name);
	}
	for (size_t i = 0; i < size; i += 4096) {
		if (map[i] != (unsigned char) (i / 4096)) {
			posix_fail(__FILE__, __LINE__, "byte %zu lost", i);
			break;
		}
		map[i + 1] = 1;
	}
	CHECK_OK(msync(map, size, MS_SYNC));
	CHECK_OK(munmap(map, size));
}

/* The memory comes back with the last use, not before and not never. */
static void space_is_given_back(void)
{
	struct statvfs before, during, after;
	size_t size = 16 << 20;
	char *map;

	CHECK_OK(statvfs(".", &before));
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(fallocate(fd, 0, 0, size));
	map = MUST(mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0));
	MUST(unlink("file"));
	close(fd);
	CHECK_OK(statvfs(".", &during));
	CHECK(before.f_bfree - during.f_bfree >= size / before.f_frsize);
	munmap(map, size);
	for (int i = 0; i < 100; i++) {
		CHECK_OK(statvfs(".", &after));
		if (after.f_bfree + 16 >= before.f_bfree)
			break;
		sleep_ms(20);
	}
	CHECK(after.f_bfree + 16 >= before.f_bfree);
}

static void removed_working_directory(void)
{
	char buffer[PATH_MAX];

	MUST(mkdir("dir", 0755));
	MUST(chdir("dir"));
	CHECK_OK(rmdir("../dir"));
	CHECK_ERR(open("file", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(mkdir("sub", 0700), ENOENT);
	CHECK_ERR(syscall(SYS_getcwd, buffer, sizeof(buffer)), ENOENT);
	CHECK_ERR(rmdir("."), EINVAL);
	struct stat st;
	CHECK_OK(stat(".", &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_OK(chdir(".."));
	CHECK_ERR(chdir("dir"), ENOENT);
}

static void removed_open_directory(void)
{
	struct stat st;

	MUST(mkdir("dir", 0755));
	int fd = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	CHECK_OK(rmdir("dir"));
	CHECK_ERR(openat(fd, "file", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK_ERR(symlinkat("x", fd, "s"), ENOENT);
	CHECK_ERR(mknodat(fd, "s", S_IFIFO | 0600, 0), ENOENT);
	CHECK_ERR(faccessat(fd, "file", F_OK, 0), ENOENT);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_OK(fchmod(fd, 0700));
	CHECK_OK(fstat(fd, &st));
	CHECK_MODE(st.st_mode & 07777, 0700);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	char buffer[1024];
	/* the kernel refuses to read a dead directory */
	CHECK_ERR(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), ENOENT);
	/* one of the same name is a new one */
	MUST(mkdir("dir", 0755));
	make_file("dir/file", 0644, "x");
	CHECK_ERR(faccessat(fd, "file", F_OK, 0), ENOENT);
	CHECK_ERR(rmdir("dir"), ENOTEMPTY);
}

/* Names that come and go many times: no stale answer for any. */
static void names_come_and_go(void)
{
	char text[16];

	for (int i = 0; i < 300; i++) {
		CHECK(!exists("name"));
		snprintf(text, sizeof(text), "%d", i);
		if (i % 3 == 0) {
			CHECK_OK(mkdir("name", 0755));
			CHECK(S_ISDIR(stat_of("name").st_mode));
			CHECK_OK(rmdir("name"));
		} else if (i % 3 == 1) {
			make_file("name", 0644, text);
			CHECK(file_is("name", text));
			CHECK_OK(unlink("name"));
		} else {
			CHECK_OK(symlink(text, "name"));
			CHECK(S_ISLNK(stat_of("name").st_mode));
			CHECK_OK(unlink("name"));
		}
	}
}

static const struct posix_test tests[] = {
	T(tmpfile_gets_a_name),
	T(tmpfile_may_refuse_a_name),
	T(tmpfile_of_user),
	T(unlinked_but_open),
	T(unlinked_but_mapped),
	T(space_is_given_back),
	T(removed_working_directory),
	T(removed_open_directory),
	T(names_come_and_go),
};

POSIX_MAIN(tests)

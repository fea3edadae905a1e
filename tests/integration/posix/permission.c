/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may do what: mode bits for owner, group and others, sticky directories,
 * chmod and chown, access(2), search permission.
 */
#include "posix.h"

#include <sys/time.h>

static void open_for(uid_t uid, gid_t gid, int flags, int error)
{
	int fd;

	user_is(uid, gid);
	errno = 0;
	fd = open("file", flags);
	CHECK_EQ(fd < 0 ? errno : 0, error);
	if (fd >= 0)
		close(fd);
	root_again();
}

static void owner_group_others(void)
{
	make_file("file", 0640, "x");
	MUST(chown("file", USER_A, GROUP_X));
	open_for(USER_A, GROUP_A, O_RDWR, 0);
	open_for(USER_B, GROUP_X, O_RDONLY, 0);
	open_for(USER_B, GROUP_X, O_WRONLY, EACCES);
	open_for(USER_B, GROUP_B, O_RDONLY, EACCES);
	open_for(USER_B, GROUP_B, O_RDONLY | O_TRUNC, EACCES);
	/* the owner's bits alone count for the owner */
	MUST(chmod("file", 0077));
	open_for(USER_A, GROUP_X, O_RDONLY, EACCES);
	open_for(USER_B, GROUP_X, O_RDWR, 0);
	open_for(USER_B, GROUP_B, O_RDWR, 0);
	MUST(chmod("file", 0707));
	open_for(USER_B, GROUP_X, O_RDONLY, EACCES);
	MUST(chmod("file", 0));
	open_for(0, 0, O_RDWR, 0);
	open_for(USER_A, GROUP_A, O_RDONLY, EACCES);
}

/* A change of mode, owner or group counts from the next open on, for all. */
static void changes_count_at_once(void)
{
	make_file("file", 0600, "x");
	open_for(USER_A, GROUP_A, O_RDONLY, EACCES);
	MUST(chmod("file", 0604));
	open_for(USER_A, GROUP_A, O_RDONLY, 0);
	MUST(chmod("file", 0600));
	open_for(USER_A, GROUP_A, O_RDONLY, EACCES);
	MUST(chown("file", USER_A, -1));
	open_for(USER_A, GROUP_A, O_RDONLY, 0);
	MUST(chown("file", 0, GROUP_A));
	MUST(chmod("file", 0660));
	open_for(USER_A, GROUP_A, O_RDWR, 0);
	MUST(chmod(".", 0700));
	open_for(USER_A, GROUP_A, O_RDWR, EACCES);
	MUST(chmod(".", 0711));
	open_for(USER_A, GROUP_A, O_RDWR, 0);
}

static void directories(void)
{
	MUST(mkdir("dir", 0755));
	make_file("dir/file", 0644, "x");
	MUST(chown("dir/file", USER_A, GROUP_A));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(open("dir/new", O_CREAT | O_RDWR, 0600), EACCES);
	CHECK_ERR(mkdir("dir/new", 0700), EACCES);
	CHECK_ERR(symlink("x", "dir/new"), EACCES);
	CHECK_ERR(mkfifo("dir/new", 0600), EACCES);
	CHECK_ERR(link("dir/file", "dir/new"), EACCES);
	CHECK_ERR(unlink("dir/file"), EACCES);
	CHECK_ERR(rename("dir/file", "dir/new"), EACCES);
	CHECK_ERR(rename("dir/file", "stolen"), EACCES);
	CHECK_ERR(open("dir", O_TMPFILE | O_RDWR, 0600), EACCES);
	root_again();
	MUST(chmod("dir", 0744)); /* names may be read, nothing else */
	user_is(USER_A, GROUP_A);
	CHECK_ERR(access("dir/file", F_OK), EACCES);
	CHECK_ERR(open("dir/file", O_RDONLY), EACCES);
	CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(chdir("dir"), EACCES);
	root_again();
	MUST(chmod("dir", 0711)); /* names must be known */
	user_is(USER_A, GROUP_A);
	CHECK_OK(access("dir/file", R_OK));
	CHECK_ERR(open("dir", O_RDONLY | O_DIRECTORY), EACCES);
	CHECK_OK(chdir("dir"));
	root_again();
}

static void moving_a_directory_writes_dotdot(void)
{
	MUST(mkdir("own", 0777));
	MUST(chmod("own", 0777));
	MUST(mkdir("own/foreign", 0755));
	MUST(mkdir("target", 0777));
	MUST(chmod("target", 0777));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(rename("own/foreign", "target/foreign"), EACCES);
	CHECK_OK(rename("own/foreign", "own/other"));
	root_again();
}

static void sticky_directory(void)
{
	MUST(mkdir("dir", 0777));
	MUST(chmod("dir", 01777));
	make_file("dir/a", 0666, "x");
	MUST(chown("dir/a", USER_A, GROUP_A));
	MUST(mkdir("dir/sub", 0777));
	MUST(chown("dir/sub", USER_A, GROUP_A));
	user_is(USER_B, GROUP_B);
	make_file("dir/b", 0666, "x");
	MUST(mkdir("dir/empty", 0700));
	CHECK_ERR(unlink("dir/a"), EPERM);
	CHECK_ERR(rename("dir/a", "dir/c"), EPERM);
	CHECK_ERR(rename("dir/b", "dir/a"), EPERM);
	CHECK_ERR(rename("dir/empty", "dir/sub"), EPERM);
	CHECK_ERR(rename("dir/a", "a"), EPERM);
	CHECK_ERR(rmdir("dir/sub"), EPERM);
	CHECK_OK(rename("dir/b", "dir/c"));
	CHECK_OK(unlink("dir/c"));
	root_again();
	MUST(chown("dir", USER_B, -1)); /* the owner of the directory may */
	user_is(USER_B, GROUP_B);
	CHECK_OK(unlink("dir/a"));
	CHECK_OK(rmdir("dir/sub"));
	root_again();
}

static void who_may_chmod_and_chown(void)
{
	static const gid_t member[] = { GROUP_B };

	make_file("file", 0644, "x");
	MUST(chown("file", USER_A, GROUP_A));
	user_is(USER_B, GROUP_B);
	CHECK_ERR(chmod("file", 0666), EPERM);
	CHECK_ERR(chown("file", USER_B, -1), EPERM);
	CHECK_ERR(chown("file", -1, GROUP_B), EPERM);
	root_again();
	user_is_in(USER_A, GROUP_A, 1, member);
	CHECK_OK(chmod("file", 0600));
	CHECK_OK(chown("file", USER_A, GROUP_A));
	CHECK_OK(chown("file", -1, GROUP_B));
	CHECK_ERR(chown("file", USER_B, -1), EPERM);
	CHECK_ERR(chown("file", -1, GROUP_X), EPERM);
	CHECK_OK(chown("file", -1, -1));
	root_again();
	CHECK_EQ(stat_of("file").st_gid, GROUP_B);
	CHECK_OK(chown("file", 4000000000u, 4000000000u));
	CHECK_EQ(stat_of("file").st_uid, 4000000000u);
	MUST(symlink("file", "link"));
	CHECK_OK(lchown("link", 7, 8));
	CHECK_EQ(stat_of("link").st_uid, 7);
	CHECK_EQ(stat_of("file").st_uid, 4000000000u);
	CHECK_ERR(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW),
		  EOPNOTSUPP);
	int fd = MUST(open("file", O_RDONLY));
	CHECK_OK(fchmod(fd, 0444));
	CHECK_MODE(mode_of("file"), 0444);
	CHECK_OK(fchown(fd, 9, 9));
	CHECK_EQ(stat_of("file").st_uid, 9);
	close(fd);
	fd = MUST(open("file", O_PATH));
	CHECK_ERR(fchmod(fd, 0600), EBADF);
}

static void access_call(void)
{
	make_file("file", 0640, "x");
	MUST(chown("file", USER_A, GROUP_X));
	CHECK_OK(access("file", R_OK | W_OK));
	/* no x for anybody: not root */
	CHECK_ERR(access("file", X_OK), EACCES);
	user_is(USER_A, GROUP_A);
	CHECK_OK(access("file", R_OK | W_OK));
	CHECK_ERR(access("file", X_OK), EACCES);
	root_again();
	user_is(USER_B, GROUP_X);
	CHECK_OK(access("file", R_OK));
	CHECK_ERR(access("file", W_OK), EACCES);
	root_again();
	user_is(USER_B, GROUP_B);
	CHECK_OK(access("file", F_OK));
	CHECK_ERR(access("file", R_OK), EACCES);
	root_again();
	MUST(chmod("file", 0650));
	CHECK_OK(access("file", X_OK));
	/* access() asks for the real ids, AT_EACCESS for the others */
	MUST(setresuid(USER_B, 0, 0));
	CHECK_ERR(access("file", R_OK), EACCES);
	CHECK_OK(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
	MUST(setresuid(0, 0, 0));
}

/* An open descriptor keeps what it was granted. */
static void descriptors_keep_rights(void)
{
	char byte;

	make_file("file", 0666, "x");
	user_is(USER_A, GROUP_A);
	int rw = MUST(open("file", O_RDWR)), ro = MUST(open("file", O_RDONLY));
	root_again();
	MUST(chmod("file", 0));
	user_is(USER_A, GROUP_A);
	CHECK_EQ(write(rw, "y", 1), 1);
	CHECK_OK(ftruncate(rw, 10));
	CHECK_OK(fallocate(rw, 0, 0, 8192));
	CHECK_EQ(pread(ro, &byte, 1, 0), 1);
	CHECK_ERR(write(ro, "y", 1), EBADF);
	CHECK_ERR(ftruncate(ro, 1), EINVAL);
	CHECK_ERR(fallocate(ro, 0, 0, 1), EBADF);
	CHECK_ERR(truncate("file", 1), EACCES);
	CHECK_ERR(open("file", O_RDONLY), EACCES);
	int wo = dup(rw);
	CHECK_EQ(pread(wo, &byte, 1, 0), 1);
	root_again();
	CHECK_EQ(stat_of("file").st_size, 8192);
}

static void truncate_needs_write(void)
{
	make_file("file", 0444, "content");
	MUST(chown("file", USER_B, GROUP_B));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(truncate("file", 0), EACCES);
	root_again();
	CHECK_OK(truncate("file", 3));
	CHECK_ERR(truncate("file", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK_EQ(stat_of("file").st_size, 3);
}

static const struct posix_test tests[] = {
	T(owner_group_others),
	T(changes_count_at_once),
	T(directories),
	T(moving_a_directory_writes_dotdot),
	T(sticky_directory),
	T(who_may_chmod_and_chown),
	T(access_call),
	T(descriptors_keep_rights),
	T(truncate_needs_write),
};

POSIX_MAIN(tests)

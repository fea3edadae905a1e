/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is created belongs to its caller: owner, group, umask, set-group-ID
 * directories, and callers from a user namespace.
 */
#include "posix.h"

#include <sched.h>
#include <sys/syscall.h>

static void check_owner(const char *name, uid_t uid, gid_t gid)
{
	struct stat st = stat_of(name);

	CHECK_EQ(st.st_uid, uid);
	CHECK_EQ(st.st_gid, gid);
}

static void owner_of_each_kind(void)
{
	int fd;

	user_is(USER_A, GROUP_A);
	fd = MUST(open("file", O_CREAT | O_EXCL | O_RDWR, 0644));
	close(fd);
	CHECK_OK(mkdir("dir", 0755));
	CHECK_OK(symlink("file", "symlink"));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(mknod("node", S_IFREG | 0640, 0));
	fd = MUST(open(".", O_TMPFILE | O_RDWR, 0600));
	root_again();
	check_owner("file", USER_A, GROUP_A);
	check_owner("dir", USER_A, GROUP_A);
	check_owner("symlink", USER_A, GROUP_A);
	check_owner("fifo", USER_A, GROUP_A);
	check_owner("node", USER_A, GROUP_A);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_uid, USER_A);
	CHECK_EQ(st.st_gid, GROUP_A);
	close(fd);
	make_file("root", 0644, "");
	check_owner("root", 0, 0);
}

/* The file system's own ids count, not the effective ones. */
static void owner_is_fsuid(void)
{
	MUST(syscall(SYS_setfsgid, GROUP_B));
	MUST(syscall(SYS_setfsuid, USER_B));
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));

	close(fd);
	CHECK_OK(mkdir("dir", 0755));
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	check_owner("file", USER_B, GROUP_B);
	check_owner("dir", USER_B, GROUP_B);
}

/* Two users at once: no request may borrow the other's ids. */
static void owners_do_not_mix(void)
{
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		IN_CHILD(pids[i]) {
			char name[32];

			user_is(USER_A + i, GROUP_A + i);
			for (int j = 0; j < 200; j++) {
				snprintf(name, sizeof(name), "f%d.%d", i, j);
				close(open(name, O_CREAT | O_RDWR, 0644));
				struct stat st = stat_of(name);
				CHECK_EQ(st.st_uid, USER_A + i);
				CHECK_EQ(st.st_gid, GROUP_A + i);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_CHILD(pids[i]);
}

static void umask_is_applied(void)
{
	static const mode_t masks[] = { 0, 022, 027, 077, 0777, 0111 };

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		umask(masks[i]);
		close(MUST(open("file", O_CREAT | O_RDWR, 0777)));
		CHECK_MODE(mode_of("file"), 0777 & ~masks[i]);
		CHECK_OK(mkdir("dir", 0777));
		CHECK_MODE(mode_of("dir"), 0777 & ~masks[i]);
		CHECK_OK(mknod("node", S_IFIFO | 0666, 0));
		CHECK_MODE(mode_of("node"), 0666 & ~masks[i]);
		CHECK_OK(symlink("x", "symlink"));
		CHECK_MODE(mode_of("symlink"), 0777);
		CHECK_OK(unlink("file"));
		CHECK_OK(unlink("node"));
		CHECK_OK(unlink("symlink"));
		CHECK_OK(rmdir("dir"));
	}
}

static void special_bits_at_creation(void)
{
	umask(0);
	close(MUST(open("file", O_CREAT | O_RDWR, 07777)));
	CHECK_MODE(mode_of("file"), 07777);
	CHECK_OK(mkdir("dir", 07777));
	CHECK_MODE(mode_of("dir"), 01777);
	CHECK_OK(mknod("node", S_IFREG | 07711, 0));
	CHECK_MODE(mode_of("node"), 07711);
	/* a descriptor that a mode without permission was created with works */
	int fd = MUST(open("none", O_CREAT | O_RDWR, 0));
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	CHECK_MODE(mode_of("none"), 0);
	user_is(USER_A, GROUP_A);
	fd = MUST(open("none-a", O_CREAT | O_RDWR, 0));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(pread(fd, (char[1]) { 0 }, 1, 0), 1);
	close(fd);
	CHECK_ERR(open("none-a", O_RDONLY), EACCES);
}

static void setgid_directory(void)
{
	MUST(mkdir("dir", 0777));
	MUST(chown("dir", 0, GROUP_X));
	MUST(chmod("dir", 02777));
	user_is(USER_A, GROUP_A);
	close(MUST(open("dir/file", O_CREAT | O_RDWR, 0644)));
	CHECK_OK(mkdir("dir/sub", 0755));
	CHECK_OK(symlink("x", "dir/symlink"));
	CHECK_OK(mkfifo("dir/fifo", 0644));
	check_owner("dir/file", USER_A, GROUP_X);
	check_owner("dir/sub", USER_A, GROUP_X);
	check_owner("dir/symlink", USER_A, GROUP_X);
	check_owner("dir/fifo", USER_A, GROUP_X);
	CHECK_MODE(mode_of("dir/file"), 0644);
	CHECK_MODE(mode_of("dir/sub"), 02755);
	close(MUST(open("dir/sub/file", O_CREAT | O_RDWR, 0644)));
	check_owner("dir/sub/file", USER_A, GROUP_X);
	root_again();
}

/* S_ISGID is stripped from a group-executable file of a foreign group. */
static void setgid_is_stripped(void)
{
	static const gid_t member[] = { GROUP_X };

	umask(0);
	MUST(mkdir("dir", 0777));
	MUST(chown("dir", 0, GROUP_X));
	MUST(chmod("dir", 02777));
	user_is(USER_A, GROUP_A);
	close(MUST(open("dir/exec", O_CREAT | O_RDWR, 02775)));
	CHECK_MODE(mode_of("dir/exec"), 0775);
	close(MUST(open("dir/plain", O_CREAT | O_RDWR, 02664)));
	CHECK_MODE(mode_of("dir/plain"), 02664);
	CHECK_OK(mknod("dir/node", S_IFREG | 02775, 0));
	CHECK_MODE(mode_of("dir/node"), 0775);
	root_again();
	user_is_in(USER_A, GROUP_A, 1, member);
	close(MUST(open("dir/member", O_CREAT | O_RDWR, 02775)));
	CHECK_MODE(mode_of("dir/member"), 02775);
	int fd = MUST(open("dir", O_TMPFILE | O_RDWR, 02775));
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_gid, GROUP_X);
	CHECK_MODE(st.st_mode & 07777, 02775);
	root_again();
	user_is(USER_A, GROUP_A);
	fd = MUST(open("dir", O_TMPFILE | O_RDWR, 02775));
	CHECK_OK(fstat(fd, &st));
	CHECK_MODE(st.st_mode & 07777, 0775);
	root_again();
}

static void supplementary_groups(void)
{
	static const gid_t groups[] = { GROUP_B, GROUP_X };
	static gid_t many[400];

	MUST(mkdir("dir", 0777));
	MUST(chown("dir", 0, GROUP_X));
	MUST(chmod("dir", 0770));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(open("dir/file", O_CREAT | O_RDWR, 0644), EACCES);
	root_again();
	user_is_in(USER_A, GROUP_A, 2, groups);
	close(MUST(open("dir/file", O_CREAT | O_RDWR, 0644)));
	check_owner("dir/file", USER_A, GROUP_A);
	CHECK_OK(chown("dir/file", -1, GROUP_B));
	check_owner("dir/file", USER_A, GROUP_B);
	CHECK_ERR(chown("dir/file", -1, 5), EPERM);
	root_again();
	for (int i = 0; i < 399; i++)
		many[i] = 70000 + i;
	many[399] = GROUP_X;
	user_is_in(USER_B, GROUP_B, 400, many);
	close(MUST(open("dir/many", O_CREAT | O_RDWR, 0644)));
	check_owner("dir/many", USER_B, GROUP_B);
	CHECK_OK(chown("dir/many", -1, GROUP_X));
	check_owner("dir/many", USER_B, GROUP_X);
	root_again();
}

static void exclusive_and_truncating(void)
{
	make_file("file", 0644, "content");
	CHECK_ERR(open("file", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(file_is("file", "content"));
	MUST(symlink("nowhere", "dangling"));
	CHECK_ERR(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(!exists("nowhere"));
	close(MUST(open("dangling", O_CREAT | O_RDWR, 0600)));
	CHECK(exists("nowhere"));
	close(MUST(open("file", O_CREAT | O_RDWR, 0600)));
	CHECK_MODE(mode_of("file"), 0644);
	CHECK(file_is("file", "content"));
	close(MUST(open("file", O_TRUNC | O_WRONLY)));
	CHECK_EQ(stat_of("file").st_size, 0);
	MUST(mkdir("dir", 0755));
	CHECK_ERR(open("dir", O_CREAT | O_RDWR, 0600), EISDIR);
	CHECK_ERR(open("dir", O_RDWR), EISDIR);
	CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("file/x", O_RDWR | O_CREAT, 0600), ENOTDIR);
	CHECK_ERR(open("no/x", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERR(mkdir("dir", 0700), EEXIST);
	CHECK_ERR(mkdir("file", 0700), EEXIST);
	CHECK_ERR(symlink("x", "file"), EEXIST);
	CHECK_ERR(mknod("file", S_IFIFO | 0600, 0), EEXIST);
	CHECK_ERR(open("dangling2/", O_CREAT | O_RDWR, 0600), EISDIR);
}

/* Exactly one of several racing O_EXCL creators wins each name. */
static void exclusive_race(void)
{
	int *wins = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		IN_CHILD(pids[i]) {
			char name[32];

			for (int j = 0; j < 300; j++) {
				snprintf(name, sizeof(name), "f%d", j);
				int fd = open(name, O_CREAT | O_EXCL | O_RDWR,
					      0600);
				if (fd >= 0)
					__atomic_add_fetch(wins, 1,
							   __ATOMIC_RELAXED);
				else
					CHECK_EQ(errno, EEXIST);
				close(fd);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_CHILD(pids[i]);
	CHECK_EQ(*wins, 300);
}

static void write_text(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* uid 0 of a user namespace is an ordinary user of the mount. */
static void user_namespace(void)
{
	char map[64];
	pid_t pid;

	make_file("root-only", 0600, "secret");
	IN_CHILD(pid) {
		user_is(USER_A, GROUP_A);
		if (setresuid(USER_A, USER_A, USER_A) ||
		    unshare(CLONE_NEWUSER))
			_exit(POSIX_SKIP);
		write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %d 1", USER_A);
		write_text("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %d 1", GROUP_A);
		write_text("/proc/self/gid_map", map);
		CHECK_EQ(getuid(), 0);
		close(MUST(open("file", O_CREAT | O_RDWR, 0644)));
		CHECK_EQ(stat_of("file").st_uid, 0);
		CHECK_OK(mkdir("dir", 0755));
		CHECK_ERR(open("root-only", O_RDONLY), EACCES);
		CHECK_ERR(chown("file", 1, -1), EINVAL);
		CHECK_ERR(mknod("null", S_IFCHR | 0666, 0x103), EPERM);
		CHECK_ERR(chmod("root-only", 0666), EPERM);
		_exit(0);
	}
	int status = child_status(pid);
	if (WEXITSTATUS(status) == POSIX_SKIP)
		SKIP("no user namespaces for unprivileged users");
	CHECK_EQ(status, 0);
	check_owner("file", USER_A, GROUP_A);
	check_owner("dir", USER_A, GROUP_A);
}

static const struct posix_test tests[] = {
	T(owner_of_each_kind),
	T(owner_is_fsuid),
	T(owners_do_not_mix),
	T(umask_is_applied),
	T(special_bits_at_creation),
	T(setgid_directory),
	T(setgid_is_stripped),
	T(supplementary_groups),
	T(exclusive_and_truncating),
	T(exclusive_race),
	T(user_namespace),
};

POSIX_MAIN(tests)

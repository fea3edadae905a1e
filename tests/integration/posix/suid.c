/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What takes away set-user-ID, set-group-ID and file capabilities, and what a
 * stat or an exec afterwards sees of it.
 */
#include "posix.h"

#include <linux/capability.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"

static void make_suid(const char *name)
{
	static const struct vfs_cap_data cap = {
		.magic_etc = VFS_CAP_REVISION_2,
		.data[0].permitted = 1 << 10,
	};

	unlink(name);
	make_file(name, 0755, "0123456789");
	MUST(setxattr(name, CAPABILITY, &cap, XATTR_CAPS_SZ_2, 0));
	MUST(chmod(name, 06777));
}

static bool has_capability(const char *name)
{
	return getxattr(name, CAPABILITY, NULL, 0) >= 0;
}

static void check_cleared(const char *how)
{
	struct stat st = stat_of("file");

	if ((st.st_mode & 07777) != 0777)
		posix_fail(__FILE__, __LINE__,
			   "%s: expected mode 0777 as on tmpfs, got %#o", how,
			   st.st_mode & 07777);
	if (has_capability("file"))
		posix_fail(__FILE__, __LINE__,
			   "%s: expected no file capability as on tmpfs", how);
}

static void do_write(int fd)
{
	CHECK_EQ(write(fd, "x", 1), 1);
}

static void do_pwritev(int fd)
{
	struct iovec vector = { "xy", 2 };

	CHECK_EQ(pwritev(fd, &vector, 1, 3), 2);
}

static void do_append(int fd)
{
	MUST(fcntl(fd, F_SETFL, O_APPEND));
	CHECK_EQ(write(fd, "x", 1), 1);
}

static void do_ftruncate(int fd)
{
	CHECK_OK(ftruncate(fd, 5));
}

static void do_truncate(int fd)
{
	(void) fd;
	CHECK_OK(truncate("file", 3));
}

static void do_open_trunc(int fd)
{
	(void) fd;
	close(MUST(open("file", O_WRONLY | O_TRUNC)));
}

static void do_fallocate(int fd)
{
	CHECK_OK(fallocate(fd, 0, 0, 8192));
}

static void do_punch(int fd)
{
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   4096));
}

static void do_chown(int fd)
{
	(void) fd;
	CHECK_OK(chown("file", -1, GROUP_A));
}

static void do_splice(int fd)
{
	int pipes[2];

	MUST(pipe(pipes));
	CHECK_EQ(write(pipes[1], "xyz", 3), 3);
	CHECK_EQ(splice(pipes[0], NULL, fd, NULL, 3, 0), 3);
	close(pipes[0]);
	close(pipes[1]);
}

static void do_copy_range(int fd)
{
	int from = MUST(open("source", O_RDONLY));

	CHECK_EQ(copy_file_range(from, NULL, fd, NULL, 4, 0), 4);
	close(from);
}

static void do_sendfile(int fd)
{
	int from = MUST(open("source", O_RDONLY));

	CHECK_EQ(sendfile(fd, from, NULL, 4), 4);
	close(from);
}

static const struct {
	const char *name;
	void (*run)(int fd);
} changes[] = {
	{ "write", do_write },
	{ "pwritev", do_pwritev },
	{ "append", do_append },
	{ "ftruncate", do_ftruncate },
	{ "truncate", do_truncate },
	{ "open with O_TRUNC", do_open_trunc },
	{ "fallocate", do_fallocate },
	{ "punch", do_punch },
	{ "splice", do_splice },
	{ "copy_file_range", do_copy_range },
	{ "sendfile", do_sendfile },
};

#define NR_CHANGES (sizeof(changes) / sizeof(changes[0]))

static void changes_by_others(void)
{
	make_file("source", 0644, "source");
	for (size_t i = 0; i < NR_CHANGES; i++) {
		make_suid("file");
		CHECK_MODE(mode_of("file"), 06777);
		user_is(USER_A, GROUP_A);
		int fd = MUST(open("file", O_RDWR));
		CHECK_MODE(mode_of("file"), 06777);
		changes[i].run(fd);
		check_cleared(changes[i].name);
		close(fd);
		root_again();
		check_cleared(changes[i].name);
	}
}

static void changes_by_the_owner(void)
{
	make_file("source", 0644, "source");
	for (size_t i = 0; i < NR_CHANGES; i++) {
		make_suid("file");
		MUST(chown("file", USER_A, GROUP_A));
		MUST(chmod("file", 06777));
		user_is(USER_A, GROUP_A);
		int fd = MUST(open("file", O_RDWR));
		changes[i].run(fd);
		check_cleared(changes[i].name);
		close(fd);
		root_again();
	}
}

/* A descriptor opened before the bits were set finds them too. */
static void bits_set_while_open(void)
{
	make_file("file", 0666, "x");
	int root_fd = MUST(open("file", O_RDWR));
	user_is(USER_A, GROUP_A);
	int fd = MUST(open("file", O_RDWR));
	CHECK_EQ(write(fd, "a", 1), 1);
	root_again();
	MUST(fchmod(root_fd, 06777));
	CHECK_MODE(mode_of("file"), 06777);
	user_is(USER_A, GROUP_A);
	CHECK_EQ(write(fd, "b", 1), 1);
	CHECK_MODE(mode_of("file"), 0777);
	root_again();
	/* and again, with an answer that could be remembered in between */
	MUST(chmod("file", 06777));
	CHECK_MODE(mode_of("file"), 06777);
	user_is(USER_A, GROUP_A);
	CHECK_EQ(write(fd, "c", 1), 1);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_MODE(st.st_mode & 07777, 0777);
	root_again();
}

/* What is cleared does not take effect at exec. */
static void cleared_means_not_executed_with(void)
{
	char source[] = "/usr/bin/id", buffer[65536];
	ssize_t nr;
	int pipes[2];
	pid_t pid;

	int from = open(source, O_RDONLY);
	if (from < 0)
		SKIP("no %s", source);
	int to = MUST(open("id", O_CREAT | O_RDWR, 0755));
	while ((nr = read(from, buffer, sizeof(buffer))) > 0)
		CHECK_EQ(write(to, buffer, nr), nr);
	close(from);
	close(to);
	MUST(chmod("id", 04777));
	for (int cleared = 0; cleared < 2; cleared++) {
		if (cleared) {
			user_is(USER_A, GROUP_A);
			to = MUST(open("id", O_WRONLY | O_APPEND));
			CHECK_EQ(write(to, "x", 1), 1);
			close(to);
			root_again();
		}
		MUST(pipe(pipes));
		IN_CHILD(pid) {
			MUST(setresgid(GROUP_A, GROUP_A, GROUP_A));
			MUST(setresuid(USER_A, USER_A, USER_A));
			dup2(pipes[1], STDOUT_FILENO);
			execl("id", "id", "-u", NULL);
			_exit(1);
		}
		close(pipes[1]);
		memset(buffer, 0, 64);
		CHECK(read(pipes[0], buffer, 63) > 0);
		CHECK_CHILD(pid);
		CHECK_EQ(atoi(buffer), cleared ? USER_A : 0);
		close(pipes[0]);
	}
}

static void chown_clears(void)
{
	make_suid("file");
	MUST(chown("file", USER_A, GROUP_A));
	CHECK_MODE(mode_of("file"), 0777);
	CHECK(!has_capability("file"));
	MUST(chmod("file", 06777));
	user_is(USER_A, GROUP_A);
	do_chown(0);
	root_again();
	CHECK_MODE(mode_of("file"), 0777);
	/* without group execution S_ISGID means locking and stays for root */
	MUST(chmod("file", 02644));
	MUST(chown("file", USER_B, GROUP_B));
	CHECK_MODE(mode_of("file"), 02644);
	/* directories keep theirs */
	MUST(mkdir("dir", 0755));
	MUST(chmod("dir", 06755));
	MUST(chown("dir", USER_A, GROUP_A));
	CHECK_MODE(mode_of("dir"), 06755);
	/* nothing asked for, nothing taken: but chown(-1, -1) clears */
	MUST(chmod("file", 04755));
	CHECK_OK(chown("file", -1, -1));
	CHECK_MODE(mode_of("file"), 0755);
}

static void chmod_outside_the_group(void)
{
	make_file("file", 0755, "x");
	MUST(chown("file", USER_A, GROUP_X));
	user_is(USER_A, GROUP_A);
	CHECK_OK(chmod("file", 02755));
	CHECK_MODE(mode_of("file"), 0755);
	CHECK_OK(chmod("file", 04755));
	CHECK_MODE(mode_of("file"), 04755);
	root_again();
	CHECK_OK(chmod("file", 02755));
	CHECK_MODE(mode_of("file"), 02755);
	user_is_in(USER_A, GROUP_A, 1, (gid_t[]) { GROUP_X });
	CHECK_OK(chmod("file", 06755));
	CHECK_MODE(mode_of("file"), 06755);
	root_again();
}

/* Root's own changes take the capability away in any case. */
static void root_writes_clear_capabilities(void)
{
	make_suid("file");
	int fd = MUST(open("file", O_RDWR));
	do_write(fd);
	CHECK(!has_capability("file"));
	make_suid("file");
	MUST(truncate("file", 3));
	CHECK(!has_capability("file"));
	CHECK_MODE(mode_of("file") & 0777, 0777);
}

/* Stores through a mapping clear nothing, reads neither. */
static void reading_clears_nothing(void)
{
	char byte;

	make_suid("file");
	user_is(USER_A, GROUP_A);
	int fd = MUST(open("file", O_RDWR));
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(write(fd, &byte, 0), 0);
	close(fd);
	CHECK_MODE(mode_of("file"), 06777);
	CHECK(has_capability("file"));
	root_again();
}

static const struct posix_test tests[] = {
	T(changes_by_others),
	T(changes_by_the_owner),
	T(bits_set_while_open),
	T(cleared_means_not_executed_with),
	T(chown_clears),
	T(chmod_outside_the_group),
	T(root_writes_clear_capabilities),
	T(reading_clears_nothing),
};

POSIX_MAIN(tests)

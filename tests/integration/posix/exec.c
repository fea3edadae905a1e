/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs run from the mount: exec, interpreters, ETXTBSY, set-user-ID.
 */
#include "posix.h"

#include <sys/sendfile.h>

static void copy_program(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY);
	struct stat st;
	off_t done = 0;

	if (in < 0)
		SKIP("no %s", from);
	int out = MUST(open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700));
	MUST(fstat(in, &st));
	while (done < st.st_size)
		MUST(sendfile(out, in, &done, st.st_size - done));
	MUST(fchmod(out, mode));
	close(out);
	close(in);
}

/* Exit status of a program run as this user, 126 when exec fails. */
static int run(const char *path, const char *argument, uid_t uid)
{
	pid_t pid;

	IN_CHILD(pid) {
		if (uid) {
			MUST(setresgid(uid, uid, uid));
			MUST(setresuid(uid, uid, uid));
		}
		execl(path, path, argument, NULL);
		_exit(errno == EACCES ? 126 : errno == ENOEXEC ? 125 : 124);
	}
	return WEXITSTATUS(child_status(pid));
}

static void programs_run(void)
{
	copy_program("/bin/true", "true", 0755);
	CHECK_EQ(run("./true", NULL, 0), 0);
	CHECK_EQ(run("./true", NULL, USER_A), 0);
	MUST(chmod("true", 0644));
	CHECK_EQ(run("./true", NULL, 0), 126);
	MUST(chmod("true", 0711));
	CHECK_EQ(run("./true", NULL, USER_A), 0);
	MUST(chmod("true", 0700));
	CHECK_EQ(run("./true", NULL, USER_A), 126);
	MUST(rename("true", "moved"));
	CHECK_EQ(run("./moved", NULL, 0), 0);
	make_file("text", 0755, "not a program");
	CHECK_EQ(run("./text", NULL, 0), 125);
	CHECK_EQ(run("/proc/self/cwd", NULL, 0), 126);
}

static void scripts_run(void)
{
	make_file("script", 0755, "#!/bin/sh\nexit 7\n");
	CHECK_EQ(run("./script", NULL, 0), 7);
	CHECK_EQ(run("./script", NULL, USER_A), 7);
	make_file("script", 0755, "#!/bin/sh\nexit 8\n");
	CHECK_EQ(run("./script", NULL, USER_A), 8);
}

static void text_busy(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	copy_program("/bin/sleep", "sleep", 0755);
	/* open for writing: not to be run */
	int fd = MUST(open("sleep", O_RDWR));
	CHECK_EQ(run("./sleep", "0", 0), 124);
	close(fd);
	CHECK_EQ(run("./sleep", "0", 0), 0);
	/* running: not to be written */
	MUST(pipe2(ready, O_CLOEXEC));
	IN_CHILD(pid) {
		close(ready[0]);
		execl("./sleep", "sleep", "60", NULL);
		_exit(1);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 0); /* exec has closed it */
	CHECK_ERR(open("sleep", O_RDWR), ETXTBSY);
	CHECK_ERR(open("sleep", O_WRONLY | O_TRUNC), ETXTBSY);
	CHECK_ERR(truncate("sleep", 0), ETXTBSY);
	CHECK_OK(open("sleep", O_RDONLY));
	CHECK_OK(rename("sleep", "sleep2"));
	CHECK_OK(unlink("sleep2"));
	kill(pid, SIGKILL);
	child_status(pid);
}

static void set_user_id(void)
{
	char text[32] = "";
	int pipes[2];
	pid_t pid;

	copy_program("/usr/bin/id", "id", 0755);
	MUST(chown("id", USER_B, GROUP_B));
	MUST(chmod("id", 06755));
	for (int group = 0; group < 2; group++) {
		MUST(pipe(pipes));
		IN_CHILD(pid) {
			dup2(pipes[1], STDOUT_FILENO);
			MUST(setresgid(GROUP_A, GROUP_A, GROUP_A));
			MUST(setresuid(USER_A, USER_A, USER_A));
			execl("./id", "id", group ? "-g" : "-u", NULL);
			_exit(1);
		}
		CHECK_CHILD(pid);
		CHECK(read(pipes[0], text, sizeof(text) - 1) > 0);
		CHECK_EQ(atoi(text), group ? GROUP_B : USER_B);
	}
}

static const struct posix_test tests[] = {
	T(programs_run),
	T(scripts_run),
	T(text_busy),
	T(set_user_id),
};

POSIX_MAIN(tests)

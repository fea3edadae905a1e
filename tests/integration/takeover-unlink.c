/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both names of an inode removed at once, by two callers. The daemon keeps an
 * inode when it removes its last name, and sees by the number of names which one
 * that is. That is enough only because the kernel, which holds the inode's lock
 * meanwhile, asks for one removal after the other: here the first one is held
 * where the daemon is about to remove the name, until the second caller waits
 * for that lock. The inode must then be there for the next daemon.
 *
 *	takeover-unlink KEEPER DIRECTORY
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "must.h"
#include "takeover.h"
#include "traced.h"

#define HANG_US 30000000

static struct {
	pid_t callers[2]; /* 0: not there, or ended */
	pid_t held;	  /* thread of the daemon that is about to remove one */
	uint64_t until_us;
} me;

static pid_t begin_removal(const char *name)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid)
		_exit(syscall(SYS_unlinkat, AT_FDCWD, name, 0) ? 1 : 0);
	return pid;
}

/* Whether it is in the system call, and waits for what no signal ends. */
static bool waits_for_lock(pid_t pid)
{
	char path[64], state = 0;
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int) pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%ld", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return number == SYS_unlinkat && state == 'D';
}

static void caller_ended(pid_t pid, int status)
{
	for (int i = 0; i < 2; i++) {
		if (me.callers[i] != pid)
			continue;
		must(WIFEXITED(status) && !WEXITSTATUS(status));
		me.callers[i] = 0;
	}
}

/* Whether the thread that has stopped is about to remove a name. */
static bool is_removal(pid_t tid, int status)
{
	struct __ptrace_syscall_info info;

	return WSTOPSIG(status) == (SIGTRAP | 0x80) &&
	       traced_is_step(traced_thread_of(tid), &info) &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       info.entry.nr == SYS_unlinkat;
}

/* What has happened, if anything has; the removal that comes first is held. */
static void look(bool hold)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);

	must(takeover_now_us() < me.until_us);
	if (tid <= 0) {
		usleep(100);
	} else if (!WIFSTOPPED(status)) {
		caller_ended(tid, status);
	} else if (hold && is_removal(tid, status)) {
		/* two at once: then none of them sees that it is the last */
		must(!me.held);
		me.held = tid;
	} else {
		traced_go_on(tid, status);
	}
}

/* Ends with the process: only then the daemon goes on without it. */
static _Noreturn void remove_both(pid_t daemon)
{
	me.until_us = takeover_now_us() + HANG_US;
	traced_begin(daemon);
	me.callers[0] = begin_removal("a/file");
	while (!me.held)
		look(true);
	me.callers[1] = begin_removal("b/file");
	while (!waits_for_lock(me.callers[1]))
		look(true);
	traced_go_on(me.held, (SIGTRAP | 0x80) << 8 | 0x7f);
	while (me.callers[0] || me.callers[1])
		look(false);
	exit(0);
}

static int make_both(void)
{
	int fd;

	must(!mkdir("a", 0755) && !mkdir("b", 0755));
	fd = open("a/file", O_CREAT | O_EXCL | O_RDWR, 0644);
	must(fd >= 0 && write(fd, "file", 4) == 4 && !close(fd));
	must(!link("a/file", "b/file"));
	/* known, but not open: nothing but the removal has it kept */
	fd = open("a/file", O_PATH);
	must(fd >= 0);
	return fd;
}

static void look_at_it(int path_fd)
{
	char path[32], text[8];
	struct stat st;
	int fd;

	must(!fstat(path_fd, &st) && st.st_nlink == 0 && st.st_size == 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && read(fd, text, 8) == 4 && !memcmp(text, "file", 4));
	must(!close(fd) && !close(path_fd));
}

int main(int argc, char **argv)
{
	pid_t keeper, daemon, tracer;
	int fd, status;

	if (argc != 3)
		return 2;
	keeper = atoi(argv[1]);
	must(!chdir(argv[2]));
	fd = make_both();
	daemon = daemon_of(keeper);
	tracer = fork();
	if (!tracer)
		remove_both(daemon);
	must(waitpid(tracer, &status, 0) == tracer && !status);
	must(!kill(daemon, SIGKILL));
	look_at_it(fd);
	must(daemon_of(keeper) != daemon);
	must(!rmdir("a") && !rmdir("b") && !chdir("/"));
	return !takeover_tables_are_empty(keeper);
}

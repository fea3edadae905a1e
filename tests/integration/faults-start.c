/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command, and all that it starts, with one system call failing:
 *
 *	faults-start NTH PIDS COMMAND [ARG...]
 *
 * The NTH that can fail does, whichever process or thread makes it. The file
 * PIDS then has the processes that were started, one a line. The exit code is
 * the command's; 99 when there were not so many calls by its end, 98 when it
 * was killed. What it leaves running goes on without the tracer.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
/* after sys/ptrace.h: both name the same things */
#include <linux/ptrace.h>

#include "registers.h"

enum { NOT_REACHED = 99, KILLED = 98, CANNOT = 97 };

/* What cannot fail, or is lost with nothing then. */
static const long infallible[] = {
	SYS_clock_nanosleep, SYS_exit,	       SYS_exit_group,
	SYS_futex,	     SYS_getpid,       SYS_getppid,
	SYS_gettid,	     SYS_getuid,       SYS_geteuid,
	SYS_restart_syscall, SYS_rt_sigaction, SYS_rt_sigprocmask,
	SYS_rt_sigreturn,    SYS_rt_sigsuspend, SYS_sched_yield,
	SYS_set_robust_list, SYS_set_tid_address, SYS_setfsgid,
	SYS_setfsuid,	     SYS_sigaltstack,  SYS_umask,
	SYS_kill,	     SYS_wait4,
#ifdef SYS_pause /* newer architectures have neither this nor poll(2) */
	SYS_pause,
#endif
};

static struct {
	unsigned long nth, nr;
	pid_t failing;	/* the thread whose call fails, until it has */
	int error;
	bool carried_out; /* it fails after that */
	bool done;
	FILE *pids;
} me;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(CANNOT);
}

/* Where what a fd of the process leads to begins with this. */
static bool leads_to(pid_t pid, uint64_t fd, const char *what)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) pid, (int) fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return !strncmp(link, what, strlen(what));
}

/* The errno that a call may well fail with; 0 when it does not. */
static int error_of(pid_t pid, const struct __ptrace_syscall_info *info)
{
	uint64_t fd = info->entry.args[0];

	for (size_t i = 0; i < sizeof(infallible) / sizeof(*infallible); i++)
		if ((uint64_t) infallible[i] == info->entry.nr)
			return 0;
	switch (info->entry.nr) {
	case SYS_write:
	case SYS_writev:
		/* the message that is looked for */
		return fd == STDERR_FILENO ? 0 : ENOMEM;
	case SYS_read:
		return leads_to(pid, fd, "pipe:") ||
				       leads_to(pid, fd, "/dev/fuse")
			       ? EINTR
			       : EIO;
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		return EINTR;
	case SYS_clone:
	case SYS_clone3:
		return EAGAIN;
	default:
		return ENOMEM;
	}
}

/* A system call begins or ends. */
static void look_at(pid_t tid)
{
	struct __ptrace_syscall_info info;
	int error;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return;
	if (tid == me.failing && info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (registers_set_result(tid, -(long) me.error))
			die("the registers");
		me.failing = 0;
	}
	if (me.done || info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	error = error_of(tid, &info);
	if (!error || me.nr++ != me.nth)
		return;
	me.done = true;
	me.failing = tid;
	me.error = error;
	printf("call %lu, system call %llu of %d: %s\n", me.nth,
	       (unsigned long long) info.entry.nr, (int) tid, strerror(error));
	fflush(stdout);
	/* what is closed is gone whatever close(2) says */
	if (info.entry.nr != SYS_close && registers_set_number(tid, SYS_getpid))
		die("the registers");
}

static void go_on(pid_t tid, int status)
{
	int signal = WSTOPSIG(status);
	unsigned long child;

	if (status >> 16 == PTRACE_EVENT_FORK ||
	    status >> 16 == PTRACE_EVENT_VFORK) {
		ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child);
		fprintf(me.pids, "%lu\n", child);
	}
	if (signal == (SIGTRAP | 0x80))
		look_at(tid);
	/* stops of the tracer's own making bring no signal */
	if (signal == (SIGTRAP | 0x80) || status >> 16)
		signal = 0;
	ptrace(PTRACE_SYSCALL, tid, NULL, signal);
}

/* Until the command has ended; its exit code. */
static int trace(pid_t command)
{
	int status;
	pid_t tid;

	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0)
			die("waitpid");
		if (WIFSTOPPED(status))
			go_on(tid, status);
		else if (tid == command)
			return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
	}
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC;
	pid_t pid = fork();
	int status;

	if (!pid) {
		raise(SIGSTOP);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid)
		die("fork");
	if (ptrace(PTRACE_SEIZE, pid, NULL, options) || kill(pid, SIGCONT))
		die("ptrace");
	/* what comes before the command itself is not of it */
	do {
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			die("the command");
		if (status >> 16 == PTRACE_EVENT_EXEC)
			break;
		ptrace(PTRACE_CONT, pid, NULL,
		       status >> 16 ? 0 : WSTOPSIG(status));
	} while (true);
	ptrace(PTRACE_SYSCALL, pid, NULL, 0);
	return pid;
}

int main(int argc, char **argv)
{
	int code;

	if (argc < 4)
		return CANNOT;
	if (!REGISTERS_ARE_KNOWN) {
		fputs(registers_unknown, stderr);
		return CANNOT;
	}
	me.nth = strtoul(argv[1], NULL, 10);
	me.pids = fopen(argv[2], "we");
	if (!me.pids)
		die(argv[2]);
	code = trace(start(argv + 3));
	if (fclose(me.pids))
		die(argv[2]);
	return me.done ? code : NOT_REACHED;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each operation, with each system call of the daemon failing once: the kernel
 * is short of memory, or says that something went wrong. What the client sees
 * then is either the operation, whole, or an error and nothing of it; no other
 * error than the one that was made; and in the end nothing is left in the
 * tables. The calls are found by tracing, as in takeover-steps.c.
 *
 *	faults KEEPER DIRECTORY STRIDE
 *
 * With a stride of 1 each call fails in its turn, with N each Nth, beginning
 * with another one for each operation.
 */
#include "faults.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "registers.h"
#include "takeover.h"
#include "traced.h"

#define QUIET_MS 5 /* nobody works on the operation any more */
#define HANG_MS	 30000

static struct {
	pid_t actor; /* who does the operation; 0 when it has ended */
	int result;  /* its wait status then */
} me;

static uint64_t now_ms(void)
{
	return takeover_now_us() / 1000;
}

/* ---- which calls fail, and how ---- */

#define CARRIED_OUT 0x10000 /* it fails after that */

static const struct {
	long number;
	const char *name;
	int error; /* 0: it cannot fail, or what it does is lost with nothing */
} calls[] = {
	{ SYS_futex, "futex", 0 },
	{ SYS_exit, "exit", 0 },
	{ SYS_exit_group, "exit_group", 0 },
	{ SYS_rt_sigprocmask, "rt_sigprocmask", 0 },
	{ SYS_rt_sigreturn, "rt_sigreturn", 0 },
	{ SYS_sigaltstack, "sigaltstack", 0 },
	{ SYS_set_robust_list, "set_robust_list", 0 },
	{ SYS_rseq, "rseq", 0 },
	{ SYS_setfsuid, "setfsuid", 0 },
	{ SYS_setfsgid, "setfsgid", 0 },
	{ SYS_umask, "umask", 0 },
	{ SYS_getpid, "getpid", 0 },
	{ SYS_gettid, "gettid", 0 },
	{ SYS_sched_yield, "sched_yield", 0 },
	{ SYS_clock_nanosleep, "clock_nanosleep", 0 },
	{ SYS_restart_syscall, "restart_syscall", 0 },
	{ SYS_wait4, "wait4", 0 },
	{ SYS_close, "close", EIO | CARRIED_OUT },
	{ SYS_clone3, "clone3", EAGAIN },
	{ SYS_clone, "clone", EAGAIN },
	{ SYS_read, "read", EIO },
	{ SYS_write, "write", ENOMEM },
	{ SYS_writev, "writev", ENOMEM },
	{ SYS_open_by_handle_at, "open_by_handle_at", ENOMEM },
	{ SYS_name_to_handle_at, "name_to_handle_at", ENOMEM },
	{ SYS_openat, "openat", ENOMEM },
	{ SYS_ioctl, "ioctl", ENOMEM },
	{ SYS_fcntl, "fcntl", ENOMEM },
	{ SYS_newfstatat, "newfstatat", ENOMEM },
	{ SYS_fstat, "fstat", ENOMEM },
	{ SYS_capset, "capset", ENOMEM },
	{ SYS_capget, "capget", ENOMEM },
	{ SYS_lseek, "lseek", EIO },
	{ SYS_getdents64, "getdents64", EIO },
	/* a sanitizer's own memory comes by these, and it must have it */
	{ SYS_mmap, "mmap", SANITIZED ? 0 : ENOMEM },
	{ SYS_munmap, "munmap", SANITIZED ? 0 : ENOMEM },
	{ SYS_mprotect, "mprotect", SANITIZED ? 0 : ENOMEM },
	{ SYS_madvise, "madvise", SANITIZED ? 0 : ENOMEM },
};

/* The errno of a call that begins; 0 when it is not to fail. */
static int error_of(const struct __ptrace_syscall_info *info)
{
	const uint64_t *args = info->entry.args;

	/* nobody loses a request by that: the next read has it */
	if (info->entry.nr == SYS_read && args[0] == 3)
		return EINTR;
	/* the kernel closes a backing id, or it knows none */
	if (info->entry.nr == SYS_ioctl && (uint32_t) args[1] == 0x4004e502)
		return ENOMEM | CARRIED_OUT;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if ((uint64_t) calls[i].number == info->entry.nr)
			return calls[i].error;
	return ENOMEM;
}

static void note_failed(long number, int nth)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i].number == number) {
			faults_note("%s (call %d)", calls[i].name, nth);
			return;
		}
	faults_note("system call %ld (call %d)", number, nth);
}

/* ---- a phase of an operation, in a process of its own ---- */

static void reap(pid_t pid, int status)
{
	if (pid == me.actor && (WIFEXITED(status) || WIFSIGNALED(status))) {
		me.actor = 0;
		me.result = status;
	}
}

/* Which call is to fail, and what has been seen so far. */
struct failing {
	int nth;
	int nr;
	bool done;
};

/* Whether this is a stop of a thread that works on the operation. */
static bool look_at(pid_t tid, struct failing *failing)
{
	struct traced_thread *thread = traced_thread_of(tid);
	struct __ptrace_syscall_info info;
	int error;

	if (!traced_is_step(thread, &info))
		return false;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return true;
	error = error_of(&info);
	if (error && failing->nr++ == failing->nth) {
		note_failed(thread->number, failing->nth);
		traced_fail(thread, error & ~CARRIED_OUT, error & CARRIED_OUT);
		failing->done = true;
	}
	return true;
}

/*
 * Lets the daemon serve what the actor does, and then until all has been quiet
 * for a while; the nth call of it fails. False when there were not so many.
 */
static bool serve(pid_t daemon, int nth, uint64_t quiet_ms)
{
	struct failing failing = { .nth = nth };
	uint64_t last = now_ms();
	int status;
	pid_t tid;

	while (me.actor || now_ms() < last + quiet_ms) {
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid <= 0) {
			if (now_ms() > last + HANG_MS)
				faults_fail("it hangs");
			usleep(50);
			continue;
		}
		if (tid == daemon && !WIFSTOPPED(status))
			faults_fail("the daemon has ended");
		if (!WIFSTOPPED(status)) {
			reap(tid, status);
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    look_at(tid, &failing))
			last = now_ms();
		traced_go_on(tid, status);
	}
	return failing.done;
}

static pid_t traced_daemon;

static bool carry_out(int (*phase)(unsigned), unsigned operation, int nth,
		      int *status)
{
	bool has_failed;

	if (nth >= 0)
		traced_forget_requests();
	me.actor = faults_begin(phase, operation);
	has_failed = serve(traced_daemon, nth, nth >= 0 ? QUIET_MS : 0);
	*status = me.result;
	return has_failed;
}

/* Ends with the process: only then the daemon goes on without it. */
static _Noreturn void run_all(pid_t daemon, int stride)
{
	traced_daemon = daemon;
	traced_begin(daemon);
	exit(faults_run_all(carry_out, stride));
}

int main(int argc, char **argv)
{
	pid_t keeper, daemon, tracer;
	int status;

	if (argc != 4 || atoi(argv[3]) < 1)
		return 2;
	if (!REGISTERS_ARE_KNOWN) {
		fputs(registers_unknown, stderr);
		return 77;
	}
	keeper = atoi(argv[1]);
	if (chdir(argv[2])) {
		perror(argv[2]);
		return 1;
	}
	umask(0);
	daemon = daemon_of(keeper);
	tracer = fork();
	if (!tracer)
		run_all(daemon, atoi(argv[3]));
	if (waitpid(tracer, &status, 0) != tracer || status)
		return 1;
	if (daemon_of(keeper) != daemon) {
		fprintf(stderr, "the daemon has ended meanwhile\n");
		return 1;
	}
	return chdir("/") || !takeover_tables_are_empty(keeper);
}

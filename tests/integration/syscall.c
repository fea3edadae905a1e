/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscall PID CALL: has the main thread of another process make a system call,
 * and prints what came of it: "done", or the name of the error. "dumpable"
 * prints the number that prctl(PR_GET_DUMPABLE) gives there.
 *
 * The thread is stopped, its instruction pointer set to a syscall instruction
 * of the vdso or the C library that it is in, and set back afterwards: a call
 * that it waits in is begun anew.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "registers.h"

static const struct call {
	const char *name;
	long number;
	unsigned long args[6];
} calls[] = {
	{ "bpf", SYS_bpf, { 0 } },
	{ "close", SYS_close, { 1 << 30 } },
	{ "dumpable", SYS_prctl, { PR_GET_DUMPABLE } },
	{ "execve", SYS_execve, { 0 } },
	{ "init_module", SYS_init_module, { 0 } },
	{ "mmap-exec", SYS_mmap,
	  { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1UL } },
	{ "mount", SYS_mount, { 0 } },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, 1 } },
	{ "reboot", SYS_reboot, { 0 } }, /* without the magic numbers */
	{ "setns", SYS_setns, { -1UL } },
	{ "socket-inet", SYS_socket, { AF_INET, SOCK_DGRAM } },
	{ "unshare-files", SYS_unshare, { CLONE_FS } },
	{ "unshare-namespace", SYS_unshare, { CLONE_NEWNS } },
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void wait_for_stop(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		die("waitpid");
}

/* One stop at the entry or the exit of a system call. */
static void step(pid_t pid)
{
	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
		die("PTRACE_SYSCALL");
	wait_for_stop(pid);
}

static long call_there(pid_t pid, const struct call *call)
{
	struct user_regs_struct before, regs;

	if (registers_get(pid, &before))
		die("the registers");
	regs = before;
	if (registers_put_call(pid, &regs, call->number, call->args) ||
	    registers_set(pid, &regs))
		die("the registers");
	step(pid);
	step(pid);
	if (registers_get(pid, &regs) || registers_set(pid, &before))
		die("the registers");
	return registers_result(&regs);
}

static const struct call *find(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	fprintf(stderr, "no call %s\n", name);
	exit(1);
}

int main(int argc, char **argv)
{
	const struct call *call;
	pid_t pid;
	long ret;

	if (argc != 3)
		return 1;
	if (!REGISTERS_ARE_KNOWN) {
		fputs(registers_unknown, stderr);
		return 2;
	}
	pid = atoi(argv[1]);
	call = find(argv[2]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
		die("ptrace");
	wait_for_stop(pid);
	ret = call_there(pid, call);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	if (!strcmp(call->name, "dumpable"))
		printf("%ld\n", ret);
	else if (ret < 0)
		puts(strerrorname_np((int) -ret));
	else
		puts("done");
	return 0;
}

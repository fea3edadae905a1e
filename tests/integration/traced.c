/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracing of a daemon, system call by system call. */
#include "traced.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registers.h"

#define MAX_THREADS 512
#define LAST_THREAD "control" /* that a daemon starts */
#define REQUEST_BYTES 40 /* the least that a request has */

static struct {
	pid_t daemon;
	struct traced_thread threads[MAX_THREADS];
	unsigned nr_threads;
} traced;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

struct traced_thread *traced_thread_of(pid_t tid)
{
	for (unsigned i = 0; i < traced.nr_threads; i++)
		if (traced.threads[i].tid == tid)
			return &traced.threads[i];
	if (traced.nr_threads == MAX_THREADS)
		die("too many threads");
	traced.threads[traced.nr_threads] = (struct traced_thread){ .tid = tid };
	return &traced.threads[traced.nr_threads++];
}

void traced_forget_thread(pid_t tid)
{
	struct traced_thread *thread = traced_thread_of(tid);

	*thread = traced.threads[--traced.nr_threads];
}

pid_t traced_find(pid_t daemon, const char *name)
{
	char path[400], comm[32];
	struct dirent *entry;
	pid_t tid = 0;
	DIR *stream;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", (int) daemon);
	stream = opendir(path);
	if (!stream)
		die(path);
	while (!tid && (entry = readdir(stream))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm",
			 (int) daemon, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%31s", comm) == 1 && !strcmp(comm, name))
			tid = atoi(entry->d_name);
		fclose(file);
	}
	closedir(stream);
	return tid;
}

void traced_begin(pid_t daemon)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
	struct dirent *entry;
	char path[64];
	DIR *stream;

	/* one that takes over answers before it has all its threads */
	while (!traced_find(daemon, LAST_THREAD))
		usleep(1000);
	traced.daemon = daemon;
	traced.nr_threads = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int) daemon);
	stream = opendir(path);
	if (!stream)
		die(path);
	while ((entry = readdir(stream))) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, options) ||
		    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL)) {
			/* the kernel's own, for a ring, may end any time */
			if (errno == ESRCH)
				continue;
			die("ptrace");
		}
		traced_thread_of(tid);
	}
	closedir(stream);
	for (unsigned i = 0; i < traced.nr_threads; i++) {
		int status;

		if (waitpid(traced.threads[i].tid, &status, __WALL) <= 0)
			die("waitpid");
		ptrace(PTRACE_SYSCALL, traced.threads[i].tid, NULL, 0);
	}
}

void traced_forget_requests(void)
{
	for (unsigned i = 0; i < traced.nr_threads; i++)
		traced.threads[i].serves = false;
}

/* Whether what has ended is the receipt of a request: only that reads so much. */
static bool is_receipt(const struct traced_thread *thread,
		       const struct __ptrace_syscall_info *info)
{
	char path[64], line[64] = "", start[32];
	FILE *file;

	if (info->op != PTRACE_SYSCALL_INFO_EXIT ||
	    info->exit.rval < REQUEST_BYTES)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall",
		 (int) traced.daemon, (int) thread->tid);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
	}
	snprintf(start, sizeof(start), "%d 0x3 ", SYS_read);
	return !strncmp(line, start, strlen(start));
}

/* The end of a system call that fails: what the thread sees of it. */
static void end_failing(struct traced_thread *thread)
{
	if (registers_set_result(thread->tid, -(long) thread->failing))
		die("the registers");
	thread->failing = 0;
}

bool traced_is_step(struct traced_thread *thread,
		    struct __ptrace_syscall_info *info)
{
	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->tid, sizeof(*info),
		   info) <= 0)
		return false;
	if (info->op == PTRACE_SYSCALL_INFO_ENTRY)
		thread->number = (long) info->entry.nr;
	else if (thread->failing)
		end_failing(thread);
	if (thread->serves)
		return true;
	thread->serves = is_receipt(thread, info);
	return thread->serves;
}

void traced_fail(struct traced_thread *thread, int error, bool carried_out)
{
	/* what a filter of system calls has nothing against */
	if (!carried_out && registers_set_number(thread->tid, SYS_getpid))
		die("the registers");
	thread->failing = error;
	thread->carried_out = carried_out;
}

void traced_go_on(pid_t tid, int status)
{
	int signal = WSTOPSIG(status);

	/* stops of the tracer's own making bring no signal */
	if (signal == (SIGTRAP | 0x80) || status >> 16)
		signal = 0;
	ptrace(PTRACE_SYSCALL, tid, NULL, signal);
}

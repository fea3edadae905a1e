/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon of a mount, traced: each system call of the threads that serve
 * requests is seen as it begins and as it ends.
 */
#ifndef TRACED_H
#define TRACED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
/* after sys/ptrace.h: both name the same things */
#include <linux/ptrace.h>

struct traced_thread {
	pid_t tid;
	bool serves; /* has received a request since traced_begin(), or a test
		      * says so */
	long number; /* of the system call that it is in */
	int failing; /* traced_fail(): the errno, 0 when it goes on as usual */
	bool carried_out; /* it fails after it was carried out */
};

/* The thread of a daemon with this name; 0 when there is none. */
pid_t traced_find(pid_t daemon, const char *name);

/*
 * Traces all threads of this process, and those that they start, until the
 * tracing process ends. Exits when that is not possible.
 */
void traced_begin(pid_t daemon);

/* They count as serving from their next request on. */
void traced_forget_requests(void);

struct traced_thread *traced_thread_of(pid_t tid);

/* It has ended. */
void traced_forget_thread(pid_t tid);

/*
 * Whether this stop of a system call is one of a thread that serves; fills
 * info, and the thread's number.
 */
bool traced_is_step(struct traced_thread *thread,
		    struct __ptrace_syscall_info *info);

/*
 * Has the system call that begins fail with this errno: without being carried
 * out, or after it has been.
 */
void traced_fail(struct traced_thread *thread, int error, bool carried_out);

/* Lets a stopped thread go on, up to its next stop. */
void traced_go_on(pid_t tid, int status);

#endif

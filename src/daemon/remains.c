/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that is killed is gone when its memory has been taken apart, page
 * by page: milliseconds when it knows many inodes. All that time the keeper does
 * not start the next daemon, and everybody waits.
 *
 * So the memory has a second owner: a process that shares it and nothing else,
 * takes no signals and waits for the end of the daemon. That lets go of the
 * memory only, so it is gone at once, its descriptors and the lock of the tables
 * with it; the last owner takes the memory apart, at low priority, beside the
 * next daemon. Then it is the keeper's child, which reaps it.
 *
 * No thread of the daemon runs any more by then, nor does the kernel copy
 * anything for one: the tables are free when their lock says so (table_lock()),
 * as ever.
 *
 * The second process runs with the thread-local data of the first thread, so it
 * must not call anything that uses those: system calls that do not fail are all.
 */
#include "daemon/remains.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 16384
#define STACK_ALIGN 64
#define NICE	    10

static int daemon_fd; /* for the second process, at any time */
static char *stack;   /* on the heap, which is locked: large arrays are not */
static pid_t second;  /* 0: there is none */

static int be_second(void *arg)
{
	struct pollfd pollfd = { .fd = daemon_fd, .events = POLLIN };

	(void) arg;
	if (daemon_fd)
		syscall(SYS_close_range, 0, daemon_fd - 1, 0);
	syscall(SYS_close_range, daemon_fd + 1, ~0U, 0);
	syscall(SYS_prctl, PR_SET_NAME, "daemon-memory", 0, 0, 0);
	syscall(SYS_setpriority, PRIO_PROCESS, 0, NICE);
	syscall(SYS_ppoll, &pollfd, 1, NULL, NULL, 0);
	syscall(SYS_exit_group, 0);
	return 0;
}

static int start_second(void)
{
	sigset_t all, before;
	int ret = 0;

	sigfillset(&all);
	/* what is blocked now stays blocked in it */
	sigprocmask(SIG_SETMASK, &all, &before);
	second = clone(be_second, stack + STACK_BYTES, CLONE_VM, NULL);
	if (second < 0) {
		ret = -errno;
		second = 0;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

int remains_begin(pid_t *out)
{
	int ret;

	*out = 0;
	if (SANITIZED)
		return 0;
	stack = aligned_alloc(STACK_ALIGN, STACK_BYTES);
	if (!stack)
		return -ENOMEM;
	daemon_fd = pidfd_open(getpid(), 0);
	if (daemon_fd < 0) {
		ret = -errno;
		goto err_free;
	}
	ret = start_second();
	/* the second one has its own */
	close(daemon_fd);
	*out = second;
	if (!ret)
		return 0;
err_free:
	free(stack);
	stack = NULL;
	return ret;
}

void remains_end(void)
{
	if (!second)
		return;
	kill(second, SIGKILL);
	while (waitpid(second, NULL, __WALL) < 0 && errno == EINTR)
		;
	second = 0;
	free(stack);
	stack = NULL;
}

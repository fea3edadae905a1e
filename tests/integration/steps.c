/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Killing at a step of an operation. */
#include "steps.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"
#include "takeover.h"
#include "traced.h"

#define QUIET_MS 15 /* nobody works on the operation any more */

static uint64_t now_ms(void)
{
	return takeover_now_us() / 1000;
}

static void note_end(struct steps *steps, pid_t pid, int status)
{
	if (pid != steps->actor)
		return;
	steps->actor = 0;
	steps->result = status;
}

/* Whether steps may still come, the last one of which was at that time. */
static bool is_under_way(const struct steps *steps, uint64_t last_ms)
{
	uint64_t quiet_ms = now_ms() - last_ms;

	if (!steps->actor)
		return quiet_ms < QUIET_MS;
	return !steps->stalled_ms || quiet_ms < steps->stalled_ms;
}

bool steps_go_to(struct steps *steps, unsigned step)
{
	struct __ptrace_syscall_info info;
	uint64_t last_ms = now_ms();
	unsigned nr = 0;
	int status;
	pid_t tid;

	while (is_under_way(steps, last_ms)) {
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid <= 0) {
			usleep(50);
			continue;
		}
		if (tid == steps->actor) {
			note_end(steps, tid, status);
			continue;
		}
		if (!WIFSTOPPED(status))
			continue;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    traced_is_step(traced_thread_of(tid), &info)) {
			last_ms = now_ms();
			if (nr++ == step)
				return true;
		}
		traced_go_on(tid, status);
	}
	return false;
}

void steps_kill(struct steps *steps, pid_t victim)
{
	pid_t tid;
	int status;

	must(!kill(victim, SIGKILL));
	/* its keeper hears of it when all that was traced has been reaped */
	do {
		tid = waitpid(-1, &status, __WALL);
		must(tid > 0);
		note_end(steps, tid, status);
	} while (tid != steps->daemon || WIFSTOPPED(status));
}

bool steps_actor_succeeds(struct steps *steps)
{
	int status;
	pid_t pid;

	while (steps->actor) {
		pid = waitpid(steps->actor, &status, 0);
		note_end(steps, pid, status);
	}
	return !steps->result;
}

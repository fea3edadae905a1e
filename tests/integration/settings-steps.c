/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings that are changed, with the daemon or its keeper killed at each step
 * of the daemon's control thread, or the keeper as well, which does nothing any
 * more from before the change on. Who was told that the change is done must find
 * it with those who come next; who was not told finds the old or the new.
 *
 *	settings-steps DIRECTORY STRIDE
 *
 * somebody starts another keeper where one has died. With a stride of 1 at every
 * step, with N at each Nth, and in any case when all has been done that is
 * without who dies then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hugetmpfs/hugetmpfs.h>

#include "must.h"
#include "steps.h"
#include "takeover.h"
#include "traced.h"

#define PATIENCE_US (UINT64_C(60) * 1000000)
#define STALLED_MS  300

enum victim {
	DAEMON,
	KEEPER,
	STOPPED_KEEPER,
	NR_VICTIMS,
};

static const char *const victim_names[] = {
	[DAEMON] = "the daemon",
	[KEEPER] = "the keeper",
	[STOPPED_KEEPER] = "the keeper, stopped",
};

static const char *const commands[] = { "set", "remount" };

/* What there is on the mount at a time. */
struct state {
	int keeper;
	int daemon;
	int max_holes;
};

/* ---- asking ---- */

static int take_line(void *arg, const char *key, const char *value)
{
	struct state *state = arg;

	if (!strcmp(key, "keeper_pid"))
		state->keeper = atoi(value);
	if (!strcmp(key, "daemon_pid"))
		state->daemon = atoi(value);
	if (!strcmp(key, "setting"))
		sscanf(value, "max_holes %d", &state->max_holes);
	return 0;
}

static bool ask_state(struct state *state)
{
	struct hugetmpfs_connection *connection;
	int ret;

	*state = (struct state){ 0 };
	if (hugetmpfs_connect(&connection, "."))
		return false;
	ret = hugetmpfs_status(connection, HUGETMPFS_STATUS_NO_SCAN, take_line,
			       state);
	hugetmpfs_close(connection);
	return !ret;
}

/* With another daemon than the one before. */
static void wait_for_state(struct state *state, int old_daemon)
{
	uint64_t until_us = takeover_now_us() + PATIENCE_US;

	while (!ask_state(state) || state->daemon == old_daemon) {
		must(takeover_now_us() < until_us);
		usleep(1000);
	}
	must(state->keeper > 0 && state->daemon > 0 && state->max_holes > 0);
}

/* In a process of its own. */
static _Noreturn void change(const char *command, int max_holes)
{
	struct hugetmpfs_connection *connection;
	char argument[32];
	int ret;

	snprintf(argument, sizeof(argument), "max_holes=%d", max_holes);
	ret = hugetmpfs_connect(&connection, ".");
	if (!ret)
		ret = hugetmpfs_request(connection, command, argument, NULL,
					NULL, NULL, 0);
	_exit(ret ? 1 : 0);
}

/* ---- killing ---- */

/* A thread that runs stops when the signal has got to it. */
static void stop(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	must(!kill(pid, SIGSTOP));
	snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
	while (state != 'T') {
		file = fopen(path, "re");
		must(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
	}
}

/* Whether what is has to be, after the change from what was before. */
static bool is_right(const struct state *after, const struct state *before,
		     int wanted, bool was_told)
{
	return after->max_holes == wanted ||
	       (!was_told && after->max_holes == before->max_holes);
}

/* False when the change had ended before it came to this step. */
static bool run(const char *command, enum victim victim, unsigned step,
		bool *was_told)
{
	struct steps steps = { 0 };
	struct state before, after;
	bool has_step;
	int wanted;

	wait_for_state(&before, 0);
	wanted = before.max_holes % 500 + 1;
	steps.daemon = before.daemon;
	if (victim == STOPPED_KEEPER) {
		stop(before.keeper);
		steps.stalled_ms = STALLED_MS;
	}
	traced_begin(before.daemon);
	traced_thread_of(traced_find(before.daemon, "control"))->serves = true;
	steps.actor = fork();
	if (!steps.actor)
		change(command, wanted);
	has_step = steps_go_to(&steps, step);
	steps_kill(&steps, victim == DAEMON ? before.daemon : before.keeper);
	*was_told = steps_actor_succeeds(&steps);
	wait_for_state(&after, before.daemon);
	must((after.keeper == before.keeper) == (victim == DAEMON));
	if (is_right(&after, &before, wanted, *was_told))
		return has_step;
	fprintf(stderr, "%s, at step %u of %s: max_holes=%d, was %d, %s %d\n",
		victim_names[victim], step, command, after.max_holes,
		before.max_holes, *was_told ? "answered was" : "asked for was",
		wanted);
	exit(1);
}

static void run_all(const char *command, enum victim victim, unsigned step,
		    unsigned stride)
{
	bool was_told;

	while (run(command, victim, step, &was_told))
		step += stride;
	/* at the end it is done, but where nobody is there to do it */
	must(was_told || victim == STOPPED_KEEPER);
	printf("%s, killed in %s: up to step %u\n", victim_names[victim],
	       command, step);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned stride;

	if (argc != 3)
		return 2;
	must(!chdir(argv[1]));
	stride = (unsigned) atoi(argv[2]);
	must(stride > 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		for (int victim = 0; victim < NR_VICTIMS; victim++)
			run_all(commands[i], (enum victim) victim,
				(unsigned) victim % stride, stride);
	}
	return 0;
}

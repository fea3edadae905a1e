/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs each operation with one call failing after the other, and judges. */
#include "faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	const char *operation;
	unsigned nr_wrong;
	char failed[256]; /* the call that was made to fail */
	faults_carry_out_fn *carry_out;
} me;

static struct faults_shared {
	char before[FAULTS_STATE_BYTES];
	char after[FAULTS_STATE_BYTES];
	char now[FAULTS_STATE_BYTES];
} *shared;

void faults_note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(me.failed, sizeof(me.failed), format, ap);
	va_end(ap);
}

/* What is wrong, and the test goes on with what it can still see. */
static void say_wrong(const char *what)
{
	fprintf(stderr, "%s, with %s failing: %s\n", me.operation,
		me.failed[0] ? me.failed : "no call", what);
	me.nr_wrong++;
}

_Noreturn void faults_fail(const char *what)
{
	say_wrong(what);
	exit(1);
}

pid_t faults_begin(int (*phase)(unsigned), unsigned operation)
{
	pid_t pid = fork();

	if (pid < 0)
		faults_fail("fork");
	if (!pid)
		_exit(phase(operation));
	return pid;
}

/* Without a call that fails, so it has to succeed. */
static void do_phase(const char *what, int (*phase)(unsigned),
		     unsigned operation)
{
	int status;

	me.carry_out(phase, operation, FAULTS_NEVER, &status);
	if (status)
		faults_fail(what);
}

static int phase_prepare(unsigned operation)
{
	faults_prepare(operation);
	return 0;
}

static int phase_look(unsigned operation)
{
	(void) operation;
	faults_state(shared->now);
	return 0;
}

static int phase_clear(unsigned operation)
{
	(void) operation;
	faults_clear();
	return 0;
}

static void must_be(const char *expected, const char *what)
{
	if (!strcmp(shared->now, expected))
		return;
	fprintf(stderr, "expected:\n%sfound:\n%s", expected, shared->now);
	say_wrong(what);
}

/* Without any failure: what it is like before and after. */
static void learn(unsigned operation)
{
	do_phase("cannot prepare", phase_prepare, operation);
	do_phase("cannot look", phase_look, operation);
	memcpy(shared->before, shared->now, FAULTS_STATE_BYTES);
	do_phase("does not work at all", faults_act, operation);
	do_phase("cannot look", phase_look, operation);
	memcpy(shared->after, shared->now, FAULTS_STATE_BYTES);
	do_phase("cannot clear", phase_clear, operation);
}

static void judge(unsigned operation, int result, bool has_failed)
{
	switch (result) {
	case FAULTS_DONE:
	case FAULTS_DONE_NOT_SEEN:
		do_phase("cannot look", phase_look, operation);
		must_be(shared->after, "it is not done, but no error was seen");
		break;
	case FAULTS_NOT_DONE:
		if (!has_failed)
			say_wrong("an error without any");
		do_phase("cannot look", phase_look, operation);
		must_be(shared->before, "an error, and yet it was done");
		break;
	default:
		say_wrong("see above");
	}
}

/* False when there is no such call. */
static bool run(unsigned operation, int nth)
{
	bool has_failed;
	int status;

	me.failed[0] = '\0';
	do_phase("cannot prepare", phase_prepare, operation);
	has_failed = me.carry_out(faults_act, operation, nth, &status);
	if (!WIFEXITED(status))
		faults_fail("the client was killed");
	judge(operation, WEXITSTATUS(status), has_failed);
	do_phase("cannot clear", phase_clear, operation);
	return has_failed;
}

int faults_run_all(faults_carry_out_fn *carry_out, int stride)
{
	unsigned total = 0;
	int nth;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		faults_fail("mmap");
	me.carry_out = carry_out;
	for (unsigned i = 0; (me.operation = faults_name(i)); i++) {
		me.failed[0] = '\0';
		learn(i);
		for (nth = (int) i % stride; run(i, nth); nth += stride)
			total++;
		printf("%s: up to call %d\n", me.operation, nth);
		fflush(stdout);
	}
	printf("%u calls failed\n", total);
	return me.nr_wrong != 0;
}

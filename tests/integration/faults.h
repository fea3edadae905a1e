/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations that faults.c makes fail, and how a directory is then. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAULTS_STATE_BYTES 4096

enum {
	FAULTS_DONE,
	FAULTS_NOT_DONE, /* an error of those that are made on purpose */
	FAULTS_DONE_NOT_SEEN, /* done, then such an error when looking at it */
	FAULTS_WRONG, /* something else, which was said */
};

/* 0 or -errno. */
struct faults_operation {
	const char *name;
	int (*act)(void);
};

/* Whether the commands of the control socket are among the operations. */
extern bool faults_with_control;

/* faults-control.c: those, NULL after the last one. */
const struct faults_operation *faults_control_operation(unsigned nth);

/* What the mount is told before the operation; what it says of itself. */
void faults_control_prepare(const struct faults_operation *operation);
size_t faults_control_state(char *text, size_t room);

void faults_must(bool holds, const char *text, int line);
#define must(condition) faults_must(condition, #condition, __LINE__)

/* The name of an operation, NULL after the last one. */
const char *faults_name(unsigned operation);

/* Makes a directory t with what the operation needs. Exits on errors. */
void faults_prepare(unsigned operation);

/* Carries the operation out in t. */
int faults_act(unsigned operation);

/* Writes down what is in t: names, attributes, content. Exits on errors. */
void faults_state(char *text);

/* Removes t with all that is in it. Exits on errors. */
void faults_clear(void);

enum { FAULTS_NEVER = -1 }; /* no call fails */

/*
 * Carries out a phase of an operation in a process of its own (faults_begin()),
 * with the nth call failing that can. Returns whether there were so many; the
 * call is to be named by faults_note(). *status: of the process.
 */
typedef bool faults_carry_out_fn(int (*phase)(unsigned), unsigned operation,
				 int nth, int *status);

/*
 * faults-run.c: each operation, with each call failing in turn; with a stride of
 * N each Nth. Returns an exit code.
 */
int faults_run_all(faults_carry_out_fn *carry_out, int stride);

pid_t faults_begin(int (*phase)(unsigned), unsigned operation);
void faults_note(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Says what is wrong, and that nothing goes on from here. */
_Noreturn void faults_fail(const char *what);

#endif

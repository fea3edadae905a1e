/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a command of hugetmpfsctl is: one file with its usage, its function and
 * the struct command at its end, which main.c lists.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Exit codes, documented in hugetmpfsctl(8). */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_USAGE = 1,	/* the command line makes no sense */
	CTL_ERROR = 2,	/* nothing was done */
	CTL_PARTLY = 3,	/* some of it was done */
};

struct command {
	const char *name;
	const char *summary;	/* one line for the list of commands */
	const char *usage;	/* what follows "usage: hugetmpfsctl " */
	int (*run)(int argc, char **argv); /* returns an enum ctl_exit */
};

extern const struct command command_cancel;
extern const struct command command_counters;
extern const struct command command_map;
extern const struct command command_metrics;
extern const struct command command_policy;
extern const struct command command_recover;
extern const struct command command_set;
extern const struct command command_status;
extern const struct command command_trace;
extern const struct command command_upgrade;
extern const struct command command_why;

struct option;

/*
 * getopt_long(3) over long options, and -h for --help. Returns the option's
 * val, -1 at the end of the options, or -2 when the command is over with the
 * exit code in *code (help was asked for, or an option makes no sense).
 */
int command_option(const struct command *command, int argc, char **argv,
		   const struct option *options, int *code);

/*
 * The options of a command that has --json and no other. False when the command
 * is over with the exit code in *code.
 */
bool command_json_option(const struct command *command, int argc, char **argv,
			 bool *json, int *code);

/* Says what is wrong with the command line. Returns CTL_USAGE. */
int command_misused(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

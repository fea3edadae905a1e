/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What commands have in common: their options and --help.
 */
#include "ctl/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

int command_misused(const struct command *command, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "hugetmpfsctl %s: ", command->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\ntry: hugetmpfsctl %s --help\n", command->name);
	return CTL_USAGE;
}

int command_option(const struct command *command, int argc, char **argv,
		   const struct option *options, int *code)
{
	/* the colon: we say ourselves what is wrong */
	int c = getopt_long(argc, argv, ":h", options, NULL);

	if (c == 'h') {
		printf("usage: hugetmpfsctl %s", command->usage);
		*code = CTL_DONE;
		return -2;
	}
	if (c == ':') {
		*code = command_misused(command, "%s: a value is missing",
					argv[optind - 1]);
		return -2;
	}
	if (c == '?') {
		*code = command_misused(command, "%s: unknown option",
					argv[optind - 1]);
		return -2;
	}
	return c;
}

bool command_json_option(const struct command *command, int argc, char **argv,
			 bool *json, int *code)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*json = false;
	while ((c = command_option(command, argc, argv, options, code)) >= 0)
		*json |= c == 'j';
	return c != -2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl: finds the command and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hugetmpfs/hugetmpfs.h>

#include "ctl/command.h"
#include "ctl/message.h"

static const struct command *const commands[] = {
	&command_cancel,
	&command_counters,
	&command_map,
	&command_metrics,
	&command_policy,
	&command_recover,
	&command_set,
	&command_status,
	&command_trace,
	&command_upgrade,
	&command_why,
};

static void print_help(void)
{
	puts("usage: hugetmpfsctl COMMAND [OPTION]... ARGUMENT...\n"
	     "Sees and recovers the huge pages of files on a hugetmpfs mount.\n"
	     "\n"
	     "commands:");
	for (size_t i = 0; i < NR(commands); i++)
		printf("  %-10s%s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "  hugetmpfsctl COMMAND --help  tells about one of them\n"
	     "  hugetmpfsctl --version       tells the version\n"
	     "\n"
	     "exit codes: 0 done, 1 usage, 2 error, 3 partly\n"
	     "manual: hugetmpfsctl(8)");
}

/* What was printed has to arrive; a full disk is an error like others. */
static int flush_output(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	ctl_error("standard output: %s", strerror(errno));
	return CTL_ERROR;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: hugetmpfsctl COMMAND [OPTION]... ARGUMENT...\n"
		      "try: hugetmpfsctl --help\n", stderr);
		return CTL_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		print_help();
		return flush_output(CTL_DONE);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("hugetmpfsctl %s\n", hugetmpfs_version());
		return flush_output(CTL_DONE);
	}
	for (size_t i = 0; i < NR(commands); i++) {
		if (!strcmp(argv[1], commands[i]->name))
			return flush_output(
				commands[i]->run(argc - 1, argv + 1));
	}
	ctl_error("unknown command \"%s\"", argv[1]);
	fputs("try: hugetmpfsctl --help\n", stderr);
	return CTL_USAGE;
}

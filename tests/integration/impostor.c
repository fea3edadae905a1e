/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is installed in place of hugetmpfs and is none. What it does as
 * a daemon, or when it is only tried, stands in the file "how" beside it, in
 * words: trial=WHAT daemon=WHAT, where WHAT is
 *
 *	crash	die by a signal
 *	fail	end with exit code 3
 *	hang	do nothing
 *	pass	say that all is well
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/child.h"
#include "keeper/report.h"

static void read_how(char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	FILE *file;

	if (n < 0)
		exit(2);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/how");
	file = fopen(path, "re");
	if (!file || !fgets(text, (int) size, file))
		exit(2);
	fclose(file);
}

int main(int argc, char **argv)
{
	char how[256], key[16];
	const char *what;

	if (argc < CHILD_NR_ARGS)
		return 1;
	read_how(how, sizeof(how));
	snprintf(key, sizeof(key), "%s=",
		 strcmp(argv[CHILD_ARG_MODE], CHILD_MODE_TRIAL) ? "daemon"
								: "trial");
	what = strstr(how, key);
	if (!what)
		return 2;
	what += strlen(key);
	if (!strncmp(what, "crash", 5))
		abort();
	if (!strncmp(what, "hang", 4))
		pause();
	if (!strncmp(what, "pass", 4))
		return report_send(CHILD_REPORT_FD, REPORT_READY, "9.9") ? 2
									 : 0;
	return 3;
}

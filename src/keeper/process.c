/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that /proc shows is read from the memory where the kernel
 * put the arguments. It may be overwritten; where it has lost its last zero
 * byte, the kernel reads on into the environment, which lies behind it. So a
 * title may be as long as both, once the environment has moved away.
 */
#include "keeper/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *title_start;
static size_t arguments_size;
static size_t title_size; /* of both; 0 when they are not known */

/* Copies the environment. False when it must stay where it is. */
static bool move_environment(void)
{
	size_t nr = 0;
	char **copy;

	while (environ[nr])
		nr++;
	copy = calloc(nr + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < nr; i++) {
		copy[i] = strdup(environ[i]);
		if (!copy[i])
			return false; /* no memory: what is copied is lost */
	}
	if (copy)
		environ = copy;
	return copy;
}

/* Or else what is opened next would take their places. */
static void open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

void process_init(int argc, char **argv)
{
	char *end = argv[0];
	char **old_environ = environ;

	open_standard_fds();
	/* who ignores it has its children reaped unasked */
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < argc; i++) {
		if (argv[i] != end)
			break;
		end += strlen(end) + 1;
	}
	arguments_size = (size_t) (end - argv[0]);
	if (move_environment()) {
		for (; *old_environ && *old_environ == end; old_environ++)
			end += strlen(end) + 1;
	}
	title_size = (size_t) (end - argv[0]);
	title_start = argv[0];
}

void process_set_title(const char *name, const char *role,
		       const char *mountpoint)
{
	char *title;
	int length;

	prctl(PR_SET_NAME, name, 0, 0, 0);
	/* the mount point may lie in what is overwritten */
	length = asprintf(&title, "hugetmpfs: %s %s", role, mountpoint);
	if (length < 0)
		return;
	if (!title_size) {
		free(title);
		return;
	}
	/* no more of the environment than is needed: it tells who started us */
	memset(title_start, 0, arguments_size);
	if ((size_t) length >= title_size)
		length = (int) title_size - 1;
	memcpy(title_start, title, (size_t) length);
	title_start[length] = '\0';
	free(title);
}

void process_detach_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int std = 0; std < 3; std++)
		dup2(fd, std);
	if (fd > 2)
		close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the daemon of a mount; for what is in contrib, too. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#define DAEMON_LOOKS 3

static inline pid_t daemon_look(const char *path)
{
	FILE *file = fopen(path, "re");
	int pid = 0;

	while (file && fscanf(file, "%d", &pid) == 1 && getpgid(pid) != pid)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

/*
 * The child of a keeper that leads its own process group, as what daemons leave
 * behind does not; 0 when there is none just now. The kernel passes over a child
 * when the one before it is reaped as it writes down that.
 */
static inline pid_t daemon_of(int keeper)
{
	pid_t pid = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", keeper, keeper);
	for (int i = 0; !pid && i < DAEMON_LOOKS; i++)
		pid = daemon_look(path);
	return pid;
}

#endif

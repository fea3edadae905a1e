/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the daemon of a mount; for what is in contrib, too. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * The child of a keeper that leads its own process group, as what daemons leave
 * behind does not; 0 when there is none just now.
 */
static inline pid_t daemon_of(int keeper)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", keeper, keeper);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1 && getpgid(pid) != pid)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

#endif

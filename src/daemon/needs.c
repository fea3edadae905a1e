/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that walks into its own mount waits for itself. The keeper and the
 * daemons walk to few places, all of them known beforehand: /proc and /sys, the
 * folder of all mounts, the log, and, to start the next daemon, the program
 * with its libraries. None of them may lie at the mount point or below.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hugetmpfs/protocol.h>

#include "base/log.h"
#include "daemon/commands.h"

static const char *const needed[] = {
	"/proc", "/sys", "/dev", "/dev/log", "/etc", "/etc/localtime",
	"/proc/self/exe", "/run", PROTOCOL_RUNTIME_DIR,
};

bool needs_is_below(const char *path, const char *mountpoint)
{
	size_t length = strlen(mountpoint);

	if (!strcmp(mountpoint, "/"))
		return true;
	return !strncmp(path, mountpoint, length) &&
	       (!path[length] || path[length] == '/');
}

static int refuse(const char *path, const char *mountpoint)
{
	log_error("cannot mount on %s: hugetmpfs itself needs %s, and would "
		  "wait for its own mount: choose another mount point",
		  mountpoint, path);
	return -EBUSY;
}

/* The program and its libraries, as they are mapped. */
static int check_mapped(const char *mountpoint)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL, *path;
	size_t size = 0;
	int ret = 0;

	while (maps && !ret && getline(&line, &size, maps) > 0) {
		path = strchr(line, '/');
		if (!path)
			continue;
		path[strcspn(path, "\n")] = '\0';
		if (needs_is_below(path, mountpoint))
			ret = refuse(path, mountpoint);
	}
	free(line);
	if (maps)
		fclose(maps);
	return ret;
}

int needs_check(const char *mountpoint)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(needed) / sizeof(*needed); i++) {
		char *path = realpath(needed[i], NULL);

		if (path && needs_is_below(path, mountpoint))
			ret = refuse(needed[i], mountpoint);
		free(path);
	}
	return ret ? ret : check_mapped(mountpoint);
}

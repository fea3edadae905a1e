/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of /proc/PID/maps.
 */
#include "base/procmaps.h"

#include <stdio.h>
#include <sys/sysmacros.h>

bool procmaps_parse(const char *text, struct procmaps_line *line)
{
	unsigned long long start, end, offset, ino;
	unsigned dev_major, dev_minor;
	char perms[5];

	if (sscanf(text, "%llx-%llx %4s %llx %x:%x %llu", &start, &end, perms,
		   &offset, &dev_major, &dev_minor, &ino) != 7)
		return false;
	*line = (struct procmaps_line){
		.start = start,
		.end = end,
		.offset = offset,
		.ino = ino,
		.dev = makedev(dev_major, dev_minor),
		.shared = perms[3] == 's',
		.readable = perms[0] == 'r',
	};
	return true;
}

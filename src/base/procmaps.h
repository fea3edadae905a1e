/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of /proc/PID/maps.
 */
#ifndef BASE_PROCMAPS_H
#define BASE_PROCMAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procmaps_line {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t ino;	 /* 0: none */
	dev_t dev;
	bool shared;
	bool readable;
};

/* False for what is no such line. */
bool procmaps_parse(const char *text, struct procmaps_line *line);

#endif

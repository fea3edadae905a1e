/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to hold in a program of a test; it ends with 1 where it does not. */
#ifndef MUST_H
#define MUST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must(condition) must_at(condition, #condition, __LINE__)

static inline void must_at(bool holds, const char *text, int line)
{
	if (holds)
		return;
	fprintf(stderr, "line %d: not so: %s (%s)\n", line, text,
		strerror(errno));
	exit(1);
}

#endif

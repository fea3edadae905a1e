/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers and sizes as users write them.
 */
#include "base/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool number_parse(const char *text, bool suffix, const char **end,
		  uint64_t *number)
{
	static const char suffixes[] = "kmgtpe";
	const char *found = NULL;
	unsigned shift = 0;
	char *rest;

	/* strtoull() takes blanks and signs, too */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &rest, 10);
	if (errno)
		return false;
	if (suffix && *rest)
		found = strchr(suffixes, *rest | 0x20);
	if (found) {
		shift = 10 * (unsigned) (found - suffixes + 1);
		rest++;
	}
	if (*number > UINT64_MAX >> shift)
		return false;
	*number <<= shift;
	*end = rest;
	return true;
}

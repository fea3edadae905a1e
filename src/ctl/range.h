/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of a file that a command is to work on.
 */
#ifndef CTL_RANGE_H
#define CTL_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* Extents from first on, before end; an end of 0 is that of the file. */
struct range {
	uint64_t first;
	uint64_t end;
};

/*
 * "START-END": the extents with bytes from START on and before END, which may
 * be left out; with suffixes as number_parse() has them. False for nonsense.
 */
bool range_parse_bytes(const char *text, struct range *range);

/* "INDEX" or "FIRST-LAST": extents by their index. */
bool range_parse_extents(const char *text, struct range *range);

/* The bytes of it in a file of this size. */
uint64_t range_bytes(const struct range *range, uint64_t size_bytes);

#endif

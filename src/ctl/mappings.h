/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes that have a file mapped, as far as the caller may see them,
 * and how they have its extents. Looks only: page tables are read, no page is
 * touched. Blocks while somebody holds the address space of a process.
 */
#ifndef CTL_MAPPINGS_H
#define CTL_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPPING_NAME_BYTES 64

/* One mapping of the file. */
struct mapping {
	pid_t pid;
	char name[MAPPING_NAME_BYTES]; /* of the process, "" unknown */
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	bool shared;
};

struct mappings {
	struct mapping *list; /* by process, then by address */
	size_t nr;
	size_t capacity;
	unsigned hidden; /* processes that may not be looked at */
};

/* All zero is none. Returns 0 or a negative errno. */
int mappings_find(struct mappings *mappings, dev_t dev, uint64_t ino);
void mappings_clear(struct mappings *mappings);

/* What a mapping has of an extent. */
enum mapping_use {
	MAPPING_NONE,	    /* it is not in it */
	MAPPING_FIT,	    /* it could have it huge, and uses nothing of it */
	MAPPING_HUGE,	    /* it has it huge */
	MAPPING_SMALL,	    /* it uses it by small pages and could have it huge */
	MAPPING_MISALIGNED, /* address and offset differ modulo 2 MiB */
	MAPPING_SHORT,	    /* it does not cover the whole extent */
	MAPPING_PRIVATE,
};

/* What it has of extents, by the place of the mapping alone: never HUGE or
 * SMALL. */
enum mapping_use mapping_fit(const struct mapping *mapping, uint64_t index);

/* The address of the extent, or of its first byte that is mapped. */
uint64_t mapping_address(const struct mapping *mapping, uint64_t index);

/*
 * Fills in nr extents from first on. Where the page tables cannot be seen, what
 * fits counts as not used.
 */
void mapping_look(const struct mapping *mapping, uint64_t first, uint32_t nr,
		  uint8_t *uses);

/*
 * The first page of an extent that a mapping shows and that is locked, under
 * write-back or taken off the lists of pages, which is what keeps a page from
 * being moved; its state in *why. Needs root. Returns its number in the
 * extent, or -1.
 */
int mapping_busy_page(const struct mapping *mapping, uint64_t index,
		      const char **why);

#endif

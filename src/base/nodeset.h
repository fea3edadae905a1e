/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of NUMA nodes, and their text: "0,2-3". Pure; knows nothing of which
 * nodes there are.
 */
#ifndef BASE_NODESET_H
#define BASE_NODESET_H

#include <stdbool.h>
#include <stddef.h>

/* As many as a kernel can have; nodes are numbered from 0 on. */
#define NODESET_NODES 1024

#define NODESET_WORD_BITS (8 * sizeof(unsigned long))

/* The words are a nodemask as the system calls want it. All zero: empty. */
struct nodeset {
	unsigned long word[NODESET_NODES / NODESET_WORD_BITS];
};

/* node is 0 to NODESET_NODES - 1. */
void nodeset_add(struct nodeset *set, int node);

/* False for every other number, too. */
bool nodeset_has(const struct nodeset *set, int node);

unsigned nodeset_count(const struct nodeset *set);

/* The lowest member from there (0 or more) on, -1 when there is none. */
int nodeset_next(const struct nodeset *set, int from);

/* What is in both, into set. */
void nodeset_intersect(struct nodeset *set, const struct nodeset *other);

/* What is in set and not in other, into set. */
void nodeset_subtract(struct nodeset *set, const struct nodeset *other);

/*
 * Reads the length bytes of text as a list, an empty one included. Returns 0;
 * or -EINVAL (no list), -ERANGE (a number too large), -EDOM (a range that ends
 * before it begins), and set is undefined.
 */
int nodeset_parse(const char *text, size_t length, struct nodeset *set);

/*
 * Writes it as a list, in the manner of snprintf(3): returns the length that
 * it needs, and cuts off what has no room.
 */
size_t nodeset_format(const struct nodeset *set, char *text, size_t size);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of 64-bit numbers, for walks that must take each inode once. 8 to 16
 * bytes a member. For one thread at a time.
 */
#ifndef BASE_U64SET_H
#define BASE_U64SET_H

#include <stddef.h>
#include <stdint.h>

/* All zero is the empty set. */
struct u64set {
	uint64_t *slots; /* open addressing, 0 is free */
	size_t nr_slots; /* 0 or a power of two */
	size_t nr;
};

/*
 * Adds a number, which is not 0. Returns 1 when it is new, 0 when it was there,
 * or -ENOMEM.
 */
int u64set_add(struct u64set *set, uint64_t number);

/* Makes the set empty and frees its memory. */
void u64set_clear(struct u64set *set);

#endif

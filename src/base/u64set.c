/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of 64-bit numbers: a hash table with linear probing, doubled when it
 * is more than half full.
 */
#include "base/u64set.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SLOTS 64

/* The slot of a number: where it is, or where it would go. */
static uint64_t *slot_of(const struct u64set *set, uint64_t number)
{
	uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t) (hash ^ hash >> 32) & (set->nr_slots - 1);

	while (set->slots[i] && set->slots[i] != number)
		i = (i + 1) & (set->nr_slots - 1);
	return &set->slots[i];
}

static int grow(struct u64set *set)
{
	struct u64set bigger = {
		.nr_slots = set->nr_slots ? set->nr_slots * 2 : FIRST_SLOTS,
		.nr = set->nr,
	};

	bigger.slots = calloc(bigger.nr_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->nr_slots; i++) {
		if (set->slots[i])
			*slot_of(&bigger, set->slots[i]) = set->slots[i];
	}
	free(set->slots);
	*set = bigger;
	return 0;
}

int u64set_add(struct u64set *set, uint64_t number)
{
	uint64_t *slot;

	if (set->nr * 2 >= set->nr_slots && grow(set))
		return -ENOMEM;
	slot = slot_of(set, number);
	if (*slot)
		return 0;
	*slot = number;
	set->nr++;
	return 1;
}

void u64set_clear(struct u64set *set)
{
	free(set->slots);
	*set = (struct u64set){ 0 };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict, in the order in which things stand in the way: what nothing can
 * change, what the last recovery came to, and then, for what nobody has tried,
 * why the background leaves it alone.
 */
#include "ctl/why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/mappings.h"

static const struct {
	const char *name;
	const char *words;
	bool by_name;
	const char *advice;
} causes[] = {
#define X(constant, name, words, by_name, advice) \
	[WHY_##constant] = { name, words, by_name, advice },
	WHY_CAUSES(X)
#undef X
};

const char *why_name(enum why_cause cause)
{
	return causes[cause].name;
}

const char *why_words(enum why_cause cause)
{
	return causes[cause].words;
}

const char *why_advice(enum why_cause cause)
{
	return causes[cause].advice;
}

bool why_recover_helps(enum why_cause cause)
{
	return causes[cause].by_name;
}

/* What the daemon knows for sure; NR_CAUSES when it is for us to find out. */
static enum why_cause judge_reason(const struct why *why,
				   const struct hugetmpfs_extent *extent)
{
	if (extent->reason == HUGETMPFS_REASON_EMPTY)
		return WHY_EMPTY;
	if (extent->reason == HUGETMPFS_REASON_UNSUPPORTED)
		return WHY_UNSUPPORTED;
	if (why->policy.denied || extent->reason == HUGETMPFS_REASON_DENIED)
		return WHY_DENIED;
	if (!why->policy.recoveries)
		return WHY_RECOVERY_OFF;
	switch (extent->reason) {
	case HUGETMPFS_REASON_BEYOND_EOF:
		return WHY_BEYOND_EOF;
	case HUGETMPFS_REASON_PREALLOCATED:
		return WHY_PREALLOCATED;
	case HUGETMPFS_REASON_QUEUED:
		return WHY_QUEUED;
	case HUGETMPFS_REASON_PINNED:
		return WHY_PINNED;
	case HUGETMPFS_REASON_AGAIN:
		return WHY_BUSY;
	case HUGETMPFS_REASON_NO_HUGE_PAGE:
		return WHY_NO_HUGE_PAGE;
	case HUGETMPFS_REASON_OVER_LIMIT:
		return extent->group ? WHY_GROUP_FULL : WHY_MOUNT_FULL;
	case HUGETMPFS_REASON_NODE_FULL:
		return WHY_NODE_FULL;
	case HUGETMPFS_REASON_NO_NODE:
		return WHY_NO_NODE;
	case HUGETMPFS_REASON_SWAP_FAILED:
		return WHY_SWAP_FAILED;
	case HUGETMPFS_REASON_FAILED:
		return WHY_FAILED;
	default:
		return WHY_NR_CAUSES;
	}
}

/* Why the background leaves it alone. */
static enum why_cause judge_background(const struct why *why,
				       const struct hugetmpfs_extent *extent,
				       bool used, bool misused)
{
	const struct hugetmpfs_policy *policy = &why->policy;
	uint16_t holes = HUGETMPFS_EXTENT_PAGES - extent->data_pages;

	if (policy->background == HUGETMPFS_BACKGROUND_OFF)
		return policy->background_file == HUGETMPFS_BACKGROUND_OFF
			       ? WHY_FILE_OFF
			       : WHY_MOUNT_OFF;
	if (holes > policy->max_holes)
		return WHY_HOLES;
	if (used)
		return WHY_WAITING;
	if (misused)
		return WHY_MISALIGNED;
	if (extent->swapped_pages &&
	    (extent->swapped_pages == extent->data_pages ||
	     policy->background == HUGETMPFS_BACKGROUND_MAPPED))
		return WHY_COLD;
	return policy->background == HUGETMPFS_BACKGROUND_ALL ? WHY_WAITING
							      : WHY_UNUSED;
}

enum why_cause why_judge(const struct why *why,
			 const struct hugetmpfs_extent *extent, uint8_t *uses)
{
	bool used = false, misused = false;
	enum why_cause cause;

	for (size_t i = 0; i < why->nr_mappings; i++) {
		if (uses[i] == MAPPING_FIT || uses[i] == MAPPING_HUGE)
			uses[i] = MAPPING_NONE;
		used |= uses[i] == MAPPING_SMALL;
		misused |= uses[i] > MAPPING_SMALL;
	}
	cause = judge_reason(why, extent);
	/* huge, but not where it belongs: that is worth some words, too */
	if (extent->state == HUGETMPFS_HUGE && extent->misplaced_pages)
		return cause == WHY_NR_CAUSES ? WHY_MISPLACED : cause;
	if (extent->state == HUGETMPFS_HUGE)
		return WHY_HUGE;
	return cause != WHY_NR_CAUSES
		       ? cause
		       : judge_background(why, extent, used, misused);
}

static bool is_alike(const struct why *why, const struct why_group *group,
		     const struct hugetmpfs_extent *extent,
		     enum why_cause cause, const uint8_t *uses, int page,
		     const char *page_state)
{
	return group->first + group->nr == extent->index &&
	       group->state == extent->state && group->cause == cause &&
	       group->error == extent->error && group->group == extent->group &&
	       group->nid == extent->nid &&
	       group->target_nid == extent->target_nid &&
	       group->page == page && group->page_state == page_state &&
	       !memcmp(group->uses, uses, why->nr_mappings);
}

static void widen(struct why_group *group,
		  const struct hugetmpfs_extent *extent)
{
	uint16_t holes = extent->hole_pages, swapped = extent->swapped_pages;
	uint16_t misplaced = extent->misplaced_pages;

	if (misplaced < group->misplaced_least)
		group->misplaced_least = misplaced;
	if (misplaced > group->misplaced_most)
		group->misplaced_most = misplaced;
	if (holes < group->holes_least)
		group->holes_least = holes;
	if (holes > group->holes_most)
		group->holes_most = holes;
	if (swapped < group->swapped_least)
		group->swapped_least = swapped;
	if (swapped > group->swapped_most)
		group->swapped_most = swapped;
}

static struct why_group *group_new(struct why *why, const uint8_t *uses)
{
	size_t capacity = why->capacity * 2 + 16;
	struct why_group *groups = why->groups, *group;

	if (why->nr == why->capacity) {
		groups = reallocarray(groups, capacity, sizeof(*groups));
		if (!groups)
			return NULL;
		why->groups = groups;
		why->capacity = capacity;
	}
	group = &groups[why->nr];
	*group = (struct why_group){ 0 };
	/* never empty, so that NULL is for want of memory only */
	group->uses = malloc(why->nr_mappings + 1);
	if (!group->uses)
		return NULL;
	memcpy(group->uses, uses, why->nr_mappings);
	why->nr++;
	return group;
}

/* A huge extent is worth a line only if somebody does not have it so. */
static bool is_of_interest(const struct why *why, enum why_cause cause,
			   const uint8_t *uses)
{
	for (size_t i = 0; i < why->nr_mappings; i++) {
		if (uses[i] != MAPPING_NONE)
			return true;
	}
	return cause != WHY_HUGE;
}

int why_add(struct why *why, const struct hugetmpfs_extent *extent, uint64_t nr,
	    enum why_cause cause, const uint8_t *uses, int page,
	    const char *page_state)
{
	struct why_group *group = why->nr ? &why->groups[why->nr - 1] : NULL;

	why->nr_extents += nr;
	why->nr_huge += extent->state == HUGETMPFS_HUGE ? nr : 0;
	if (!is_of_interest(why, cause, uses))
		return 0;
	if (group && is_alike(why, group, extent, cause, uses, page,
			      page_state)) {
		widen(group, extent);
		group->nr += nr;
		return 0;
	}
	group = group_new(why, uses);
	if (!group)
		return -ENOMEM;
	group->first = extent->index;
	group->nr = nr;
	group->state = extent->state;
	group->cause = cause;
	group->error = extent->error;
	group->group = extent->group;
	group->nid = extent->nid;
	group->target_nid = extent->target_nid;
	group->misplaced_least = extent->misplaced_pages;
	group->misplaced_most = extent->misplaced_pages;
	group->page = page;
	group->page_state = page_state;
	group->holes_least = group->holes_most = extent->hole_pages;
	group->swapped_least = group->swapped_most = extent->swapped_pages;
	return 0;
}

void why_clear(struct why *why)
{
	for (size_t i = 0; i < why->nr; i++)
		free(why->groups[i].uses);
	free(why->groups);
	why->groups = NULL;
	why->nr = why->capacity = 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan of a dry run as a table and as JSON.
 */
#include "ctl/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/command.h"
#include "ctl/json.h"

/* In the order in which they run; migrate is named when it is asked for. */
static const struct {
	uint8_t bit;
	const char *name;
} passes[] = {
	{ HUGETMPFS_PASS_SWAPIN, "swapin" },
	{ HUGETMPFS_PASS_MIGRATE, "migrate" },
	{ HUGETMPFS_PASS_COLLAPSE, "collapse" },
	{ HUGETMPFS_PASS_REMAP, "remap" },
};

int plan_add(struct plan *plan, const struct hugetmpfs_extent *extent,
	     uint64_t nr)
{
	struct plan_group *last = plan->nr ? &plan->groups[plan->nr - 1] : NULL;

	if (last && last->state == extent->state &&
	    last->reason == extent->reason && last->passes == extent->passes) {
		last->nr += nr;
		return 0;
	}
	if (plan->nr == plan->capacity) {
		size_t capacity = plan->capacity ? 2 * plan->capacity : 64;
		struct plan_group *groups = reallocarray(
			plan->groups, capacity, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		plan->groups = groups;
		plan->capacity = capacity;
	}
	plan->groups[plan->nr++] = (struct plan_group){
		.first = extent->index,
		.nr = nr,
		.state = extent->state,
		.reason = extent->reason,
		.passes = extent->passes,
	};
	return 0;
}

/* What would come of it, in a word or two. */
static const char *verdict(const struct plan_group *group)
{
	if (group->passes & HUGETMPFS_PASS_COLLAPSE)
		return "recover";
	if (group->passes & HUGETMPFS_PASS_REMAP)
		return "map huge";
	return hugetmpfs_reason_name(group->reason);
}

void plan_print(const struct plan *plan)
{
	printf("  %-23s%10s  %-8s", "extents", "number", "state");
	for (size_t p = 0; p < NR(passes); p++)
		printf("  %-8s", passes[p].name);
	puts("  verdict");
	for (size_t i = 0; i < plan->nr; i++) {
		const struct plan_group *group = &plan->groups[i];
		char range[48];

		snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64,
			 group->first, group->first + group->nr - 1);
		printf("  %-23s%10" PRIu64 "  %-8s", range, group->nr,
		       hugetmpfs_state_name(group->state));
		for (size_t p = 0; p < NR(passes); p++)
			printf("  %-8s",
			       group->passes & passes[p].bit ? "yes" : "-");
		printf("  %s\n", verdict(group));
	}
}

json_t *plan_json(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->nr; i++) {
		const struct plan_group *group = &plan->groups[i];
		json_t *object = json_object(), *names = json_array();

		for (size_t p = 0; p < NR(passes); p++) {
			if (group->passes & passes[p].bit)
				json_append(names,
					    json_string(passes[p].name));
		}
		json_set_integer(object, "first", group->first);
		json_set_integer(object, "last", group->first + group->nr - 1);
		json_set(object, "state",
			 json_string(hugetmpfs_state_name(group->state)));
		json_set(object, "passes", names);
		json_set(object, "reason",
			 json_string(hugetmpfs_reason_name(group->reason)));
		json_append(array, object);
	}
	return array;
}

void plan_clear(struct plan *plan)
{
	free(plan->groups);
	*plan = (struct plan){ 0 };
}

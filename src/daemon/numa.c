/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * numa= and mpol=: the kernel's words for a rule are ours.
 */
#include "daemon/numa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"
#include "placement/policy.h"

int numa_check(const struct placement_rule *rule, char *error,
	       size_t error_size)
{
	struct placement_policy policy = { .nr = 1 };
	struct nodeset present;

	policy.rules[0] = *rule;
	mm_nodes_present(&present);
	return placement_check(&policy, &present, NULL, error, error_size);
}

void numa_follow_mpol(const char *mpol, struct placement_rule *rule)
{
	struct nodeset present;

	mm_nodes_present(&present);
	placement_from_mpol(mpol, &present, rule);
}

int numa_mpol(const struct placement_rule *rule, char **mpol)
{
	struct placement_policy policy = { .nr = 1 };
	char text[HUGETMPFS_NUMA_BYTES];
	struct nodeset present;

	*mpol = NULL;
	if (rule->mode == HUGETMPFS_NUMA_DEFAULT ||
	    rule->mode == HUGETMPFS_NUMA_FOLLOW)
		return 0;
	mm_nodes_present(&present);
	if (nodeset_count(&present) <= 1)
		return 0;
	policy.rules[0] = *rule;
	placement_format(&policy, text, sizeof(text));
	*mpol = strdup(text);
	return *mpol ? 0 : -ENOMEM;
}

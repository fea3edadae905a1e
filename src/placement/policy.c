/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies: rules on top of each other, and which nodes they name.
 *
 * An extent is interleaved by its inode and index as the kernel does it for a
 * huge page of a shared policy, so what the kernel has put somewhere at the
 * first touch is where it belongs.
 */
#include "placement/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const struct placement_rule *
placement_rule_of(const struct placement_policy *policy, uint64_t index)
{
	for (unsigned i = policy->nr; i-- > 0;) {
		const struct placement_rule *rule = &policy->rules[i];

		if (index >= rule->first && index <= rule->last)
			return rule;
	}
	return NULL;
}

struct nodeset placement_nodes(const struct placement_policy *policy)
{
	struct nodeset nodes = { 0 };

	for (unsigned i = 0; i < policy->nr; i++) {
		const struct nodeset *more = &policy->rules[i].nodes;

		for (size_t w = 0; w < sizeof(nodes) / sizeof(nodes.word[0]);
		     w++)
			nodes.word[w] |= more->word[w];
	}
	return nodes;
}

/* The nodes of a set that are not in good, as text; false when all are. */
static bool placement_others(const struct nodeset *set,
			     const struct nodeset *good, char *others,
			     size_t others_size, char *names, size_t names_size)
{
	struct nodeset bad = *set;

	nodeset_subtract(&bad, good);
	nodeset_format(&bad, others, others_size);
	nodeset_format(good, names, names_size);
	return nodeset_count(&bad);
}

int placement_check(const struct placement_policy *policy,
		    const struct nodeset *present,
		    const struct nodeset *allowed, char *error,
		    size_t error_size)
{
	struct nodeset named = placement_nodes(policy);
	char others[64], names[64];

	if (placement_others(&named, present, others, sizeof(others), names,
			     sizeof(names))) {
		snprintf(error, error_size,
			 "node %s: no such NUMA node with memory here; there "
			 "is %s",
			 others, names);
		return -ENODEV;
	}
	if (allowed && placement_others(&named, allowed, others, sizeof(others),
					names, sizeof(names))) {
		snprintf(error, error_size,
			 "node %s: the caller's cpuset does not allow it; it "
			 "allows %s",
			 others, names);
		return -EACCES;
	}
	return 0;
}

bool placement_is_default(const struct placement_policy *policy)
{
	for (unsigned i = 0; i < policy->nr; i++) {
		if (policy->rules[i].mode != HUGETMPFS_NUMA_DEFAULT)
			return false;
	}
	return true;
}

int placement_add(struct placement_policy *policy,
		  const struct placement_rule *rule)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < policy->nr; i++) {
		const struct placement_rule *old = &policy->rules[i];

		kept += old->first < rule->first || old->last > rule->last;
	}
	if (kept >= HUGETMPFS_NUMA_RULES)
		return -E2BIG;
	kept = 0;
	for (unsigned i = 0; i < policy->nr; i++) {
		const struct placement_rule *old = &policy->rules[i];

		if (old->first < rule->first || old->last > rule->last)
			policy->rules[kept++] = *old;
	}
	policy->rules[kept] = *rule;
	policy->nr = kept + 1;
	return 0;
}

/* What is left of a rule without first to last: none, one or two. */
static unsigned placement_cut(const struct placement_rule *rule, uint64_t first,
			      uint64_t last, struct placement_rule *left)
{
	unsigned nr = 0;

	if (rule->last < first || rule->first > last) {
		left[nr++] = *rule;
		return nr;
	}
	if (rule->first < first) {
		left[nr] = *rule;
		left[nr++].last = first - 1;
	}
	if (rule->last > last) {
		left[nr] = *rule;
		left[nr++].first = last + 1;
	}
	return nr;
}

int placement_remove(struct placement_policy *policy, uint64_t first,
		     uint64_t last)
{
	struct placement_policy left = { .nr = 0 };
	struct placement_rule pieces[2];

	for (unsigned i = 0; i < policy->nr; i++) {
		unsigned nr = placement_cut(&policy->rules[i], first, last,
					    pieces);

		if (left.nr + nr > HUGETMPFS_NUMA_RULES)
			return -E2BIG;
		memcpy(&left.rules[left.nr], pieces, nr * sizeof(pieces[0]));
		left.nr += nr;
	}
	*policy = left;
	return 0;
}

void placement_put_below(struct placement_policy *policy,
			 const struct placement_rule *rule)
{
	memmove(&policy->rules[1], &policy->rules[0],
		policy->nr * sizeof(policy->rules[0]));
	policy->rules[0] = *rule;
	policy->nr++;
}

static int placement_distance(const struct placement_machine *machine, int from,
			      int to)
{
	int distance;

	if (from == to)
		return 0;
	distance = from < 0 ? 0 : machine->distance(machine->arg, from, to);
	return distance > 0 ? distance : INT_MAX;
}

/* The members of a set by distance from a node, at most nr. */
static unsigned placement_sort(const struct nodeset *set, int from,
			       const struct placement_machine *machine,
			       int16_t *nodes, unsigned nr)
{
	unsigned count = 0, at;

	for (int node = nodeset_next(set, 0); node >= 0;
	     node = nodeset_next(set, node + 1)) {
		int distance = placement_distance(machine, from, node);

		for (at = count; at > 0; at--) {
			if (placement_distance(machine, from, nodes[at - 1]) <=
			    distance)
				break;
		}
		if (at == nr)
			continue;
		if (count < nr)
			count++;
		memmove(&nodes[at + 1], &nodes[at],
			(count - 1 - at) * sizeof(nodes[0]));
		nodes[at] = (int16_t) node;
	}
	return count;
}

static int16_t placement_interleave(const struct nodeset *nodes, uint64_t ino,
				    uint64_t index)
{
	uint64_t turn = (ino + index) % nodeset_count(nodes);
	int node = nodeset_next(nodes, 0);

	while (turn--)
		node = nodeset_next(nodes, node + 1);
	return (int16_t) node;
}

int placement_candidates(const struct placement_rule *rule, uint64_t ino,
			 uint64_t index, int16_t majority_nid,
			 const struct placement_machine *machine,
			 int16_t *nodes, unsigned nr)
{
	struct nodeset there;
	int node;

	if (!rule || !nr || rule->mode == HUGETMPFS_NUMA_DEFAULT ||
	    rule->mode == HUGETMPFS_NUMA_FOLLOW)
		return 0;
	there = rule->nodes;
	nodeset_intersect(&there, &machine->nodes);
	node = nodeset_next(&there, 0);
	if (rule->mode == HUGETMPFS_NUMA_PREFER)
		return node < 0 ? 0
				: (int) placement_sort(&machine->nodes, node,
						       machine, nodes, nr);
	if (node < 0)
		return -ENODEV;
	if (rule->mode == HUGETMPFS_NUMA_BIND)
		return (int) placement_sort(&there, majority_nid, machine,
					    nodes, nr);
	nodes[0] = placement_interleave(&there, ino, index);
	return 1;
}

bool placement_is_home(const struct placement_rule *rule, int16_t target_nid,
		       int16_t nid)
{
	if (!rule || rule->mode == HUGETMPFS_NUMA_DEFAULT)
		return true;
	if (rule->mode == HUGETMPFS_NUMA_BIND)
		return nodeset_has(&rule->nodes, nid);
	return target_nid < 0 || nid == target_nid;
}

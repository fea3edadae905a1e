/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the pages of a file belong: policies, their text, and which node they
 * name for an extent. Pure: asks nobody, keeps nothing.
 */
#ifndef PLACEMENT_POLICY_H
#define PLACEMENT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hugetmpfs/types.h>

#include "base/nodeset.h"

#define PLACEMENT_TO_END UINT64_MAX

struct placement_rule {
	uint64_t first;
	uint64_t last; /* not before first; PLACEMENT_TO_END */
	enum hugetmpfs_numa mode;
	struct nodeset nodes; /* empty for default and follow */
};

/* Some 9 KiB. The last rule that fits an extent holds for it. */
struct placement_policy {
	unsigned nr;
	/* one more than a text may have: what the mount says lies below */
	struct placement_rule rules[HUGETMPFS_NUMA_RULES + 1];
};

/* The nodes of a machine, those that pages may go to. */
struct placement_machine {
	struct nodeset nodes;
	/* as numa_distance(3): larger is farther, 0 is not known */
	int (*distance)(void *arg, int from, int to);
	void *arg;
};

const char *placement_mode_name(enum hugetmpfs_numa mode);

/*
 * Reads the size bytes of a text, see <hugetmpfs/types.h>. Returns 0; or
 * -EINVAL, and error (NULL: not wanted) says what is wrong and what to do.
 * Whether its nodes exist is another question: placement_nodes().
 */
int placement_parse(const char *text, size_t size,
		    struct placement_policy *policy, char *error,
		    size_t error_size);

/*
 * Writes the text, in the manner of snprintf(3): returns the length that it
 * needs, and cuts off what has no room.
 */
size_t placement_format(const struct placement_policy *policy, char *text,
			size_t size);

/*
 * The rule that says what an mpol= of tmpfs does; there are the nodes with
 * memory. False when none does: then it is default.
 */
bool placement_from_mpol(const char *mpol, const struct nodeset *there,
			 struct placement_rule *rule);

/*
 * Puts a rule on top of the others and takes those away of which nothing can
 * be seen any more. -E2BIG when HUGETMPFS_NUMA_RULES are left as it is.
 */
int placement_add(struct placement_policy *policy,
		  const struct placement_rule *rule);

/* Takes the extents from first to last out of all rules. -E2BIG as above. */
int placement_remove(struct placement_policy *policy, uint64_t first,
		     uint64_t last);

/* Puts a rule below all others, for what they leave open. */
void placement_put_below(struct placement_policy *policy,
			 const struct placement_rule *rule);

/*
 * Whether the nodes that it names are among those present (with memory) and
 * those that the caller is allowed (NULL: not known): 0; -ENODEV or -EACCES,
 * and error says which are not, and which there are.
 */
int placement_check(const struct placement_policy *policy,
		    const struct nodeset *present,
		    const struct nodeset *allowed, char *error,
		    size_t error_size);

/* All nodes that its rules name. */
struct nodeset placement_nodes(const struct placement_policy *policy);

/* Whether it asks for anything but default, for any extent. */
bool placement_is_default(const struct placement_policy *policy);

/* The rule for an extent, NULL when none fits: as default. */
const struct placement_rule *
placement_rule_of(const struct placement_policy *policy, uint64_t index);

/*
 * The nodes, at most nr, that an extent may go to, the best first. ino is the
 * file's; majority_nid has most of its pages, -1 when that is not known.
 * Returns their number: 0 when the rule (or NULL) names none, that is also
 * when the node that it prefers is not there; -ENODEV when there is none of
 * those that it insists on.
 */
int placement_candidates(const struct placement_rule *rule, uint64_t ino,
			 uint64_t index, int16_t majority_nid,
			 const struct placement_machine *machine,
			 int16_t *nodes, unsigned nr);

/*
 * Whether pages on a node are where the rule wants those of an extent, whose
 * first candidate is target_nid. True when the rule (or NULL) names none.
 */
bool placement_is_home(const struct placement_rule *rule, int16_t target_nid,
		       int16_t nid);

#endif

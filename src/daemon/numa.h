/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How numa= of ours and mpol= of tmpfs go together: where only one of them is
 * given, the other says the same.
 */
#ifndef DAEMON_NUMA_H
#define DAEMON_NUMA_H

#include <stdbool.h>
#include <stddef.h>

struct placement_rule;

/* Whether its nodes exist: 0, or -ENODEV with words for the user in error. */
int numa_check(const struct placement_rule *rule, char *error,
	       size_t error_size);

/* The rule of a mount with that mpol=, the nearest that there is. */
void numa_follow_mpol(const char *mpol, struct placement_rule *rule);

/*
 * The mpol= that has new pages put where the rule says, for the caller to free;
 * NULL when there is none, or when the machine has one node. Returns 0 or
 * -ENOMEM.
 */
int numa_mpol(const struct placement_rule *rule, char **mpol);

#endif

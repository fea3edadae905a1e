/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy follow, on a machine: what a look at all processes says of where
 * the mappers of files run.
 */
#ifndef RECOVERY_FOLLOW_H
#define RECOVERY_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mm_mapped;
struct recovery;

/*
 * Takes in a look at a time in ticks: all mappings there are, by ino and pid.
 * One caller at a time; blocks for some 10 us a thread of a mapper, at most 64
 * each. Returns whether an extent may have got another home.
 */
bool recovery_follow_look(struct recovery *recovery,
			  const struct mm_mapped *mapped, size_t nr,
			  uint64_t now);

/*
 * The node that an extent with the policy is to be on, -1 when it may stay
 * where it is. By any thread; does not block.
 */
int16_t recovery_follow_home(struct recovery *recovery, uint64_t ino,
			     uint64_t index);

#endif

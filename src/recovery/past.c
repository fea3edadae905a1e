/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What earlier works left behind: why an extent could not be made huge, and
 * whether a later work goes on where that one had stopped.
 *
 * A table of fixed size, one place for each hash: a newer extent drives an
 * older one out. It is a belief like any other: it holds only while the
 * extent still looks as it was left.
 */
#include "recovery/internal.h"

static struct recovery_past *recovery_past_at(struct recovery *recovery,
					      uint64_t ino, uint64_t index)
{
	uint64_t hash =
		(ino * 0x9e3779b97f4a7c15u) ^ (index * 0xc2b2ae3d27d4eb4fu);

	return &recovery->past[(hash >> 32) % RECOVERY_PAST_ENTRIES];
}

static bool recovery_past_is(const struct recovery_past *past, uint64_t ino,
			     uint64_t index)
{
	return past->used && past->ino == ino && past->index == index;
}

void recovery_past_store(struct recovery *recovery, uint64_t ino,
			 const struct team *team, uint32_t group)
{
	struct recovery_past *past;

	past = recovery_past_at(recovery, ino, team->index);
	if (team->reason == HUGETMPFS_REASON_DONE) {
		if (recovery_past_is(past, ino, team->index))
			past->used = false;
		return;
	}
	*past = (struct recovery_past){
		.ino = ino,
		.index = team->index,
		.resident = team->now.resident,
		.swapped = team->now.swapped,
		.group = group,
		.reason = (uint8_t) team->reason,
		.error = team->error,
		.used = true,
		.partial = team_outcome(team) == TEAM_PARTIAL,
	};
}

bool recovery_past_is_partial(struct recovery *recovery, uint64_t ino,
			      uint64_t index)
{
	const struct recovery_past *past;

	past = recovery_past_at(recovery, ino, index);
	return recovery_past_is(past, ino, index) && past->partial;
}

void recovery_past_resume(struct recovery *recovery, uint64_t ino,
			  const struct team *team)
{
	struct recovery_past *past;

	past = recovery_past_at(recovery, ino, team->index);
	if (!recovery_past_is(past, ino, team->index) || !past->partial)
		return;
	past->partial = false;
	if (past->resident == team->now.resident &&
	    past->swapped == team->now.swapped)
		recovery_count(recovery, RECOVERY_COUNT_resume_teamed, 1);
	else
		recovery_count(recovery, RECOVERY_COUNT_resume_tagged, 1);
}

void recovery_past_show(struct recovery *recovery, uint64_t ino,
			struct hugetmpfs_extent *extent)
{
	const struct recovery_past *past;

	past = recovery_past_at(recovery, ino, extent->index);
	if ((extent->reason != HUGETMPFS_REASON_NOT_ASKED &&
	     extent->reason != HUGETMPFS_REASON_MISPLACED) ||
	    !recovery_past_is(past, ino, extent->index) ||
	    past->resident + past->swapped != extent->data_pages ||
	    past->swapped != extent->swapped_pages)
		return;
	extent->reason = past->reason;
	extent->error = past->error;
	extent->group = past->group;
}

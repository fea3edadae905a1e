/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was counted for single files: a table of fixed size, with some places
 * for each hash, of which that file loses its own which was counted for the
 * longest ago. Whatever is not recovered takes no place.
 */
#include "recovery/internal.h"

#define TALLY_PLACES 4

/* The file's entry, or the one that it would take. */
static struct recovery_tally *recovery_tally_at(struct recovery *recovery,
						uint64_t ino)
{
	uint64_t hash = (ino * 0x9e3779b97f4a7c15u) >> 32;
	struct recovery_tally *first, *oldest;

	first = &recovery->tallies[hash * TALLY_PLACES % RECOVERY_TALLIES];
	oldest = first;
	for (unsigned i = 0; i < TALLY_PLACES; i++) {
		if (first[i].ino == ino)
			return &first[i];
		if (first[i].last < oldest->last)
			oldest = &first[i];
	}
	return oldest;
}

void recovery_tally_add_locked(struct recovery *recovery, uint64_t ino,
			       enum hugetmpfs_reason reason, bool completed)
{
	struct recovery_tally *tally = recovery_tally_at(recovery, ino);

	if (tally->ino != ino)
		*tally = (struct recovery_tally){.ino = ino};
	tally->last = ++recovery->tallied;
	tally->ended[reason]++;
	tally->completed += completed;
}

void recovery_file_tally(struct recovery *recovery, uint64_t ino,
			 struct recovery_tally *out)
{
	const struct recovery_tally *tally;

	pthread_mutex_lock(&recovery->lock);
	tally = recovery_tally_at(recovery, ino);
	*out = (struct recovery_tally){.ino = ino};
	if (tally->ino == ino)
		*out = *tally;
	pthread_mutex_unlock(&recovery->lock);
}

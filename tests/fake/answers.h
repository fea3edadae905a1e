/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine answers that is none, to those who only ask it. A header,
 * because each test is one program.
 */
#ifndef FAKE_ANSWERS_H
#define FAKE_ANSWERS_H

#include "recovery/recovery.h"

void recovery_file_tally(struct recovery *recovery, uint64_t ino,
			 struct recovery_tally *out)
{
	(void) recovery;
	*out = (struct recovery_tally){ .ino = ino, .completed = 3 };
	out->ended[HUGETMPFS_REASON_PINNED] = ino;
}

void recovery_load(struct recovery *recovery, struct recovery_load *load)
{
	(void) recovery;
	*load = (struct recovery_load){ .recoveries = 8, .queued = 2,
					.running = 1 };
}

enum hugetmpfs_background recovery_policy_own(int fd)
{
	(void) fd;
	return HUGETMPFS_BACKGROUND_UNSET;
}

bool recovery_has_own_policies(struct recovery *recovery)
{
	(void) recovery;
	return true;
}

#endif

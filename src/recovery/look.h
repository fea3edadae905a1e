/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One look at all processes: which extents of our files they use by small
 * entries, and which they have mapped at all.
 */
#ifndef RECOVERY_LOOK_H
#define RECOVERY_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mm/mm.h"

struct recovery_look;

struct recovery_look_result {
	const struct mm_use *uses; /* by ino and index, each extent once */
	size_t nr;
	/* by ino and pid, if wanted; of what is stuck, as it was before */
	const struct mm_mapped *mapped;
	size_t nr_mapped;
	unsigned processes; /* that there were */
	unsigned mappers;   /* of those, that map a file of ours */
	unsigned stuck;	    /* of all, that could not be looked at */
};

/* mm is borrowed. Returns 0 or a negative errno, -EOPNOTSUPP when the kernel
 * does not show small entries. */
int recovery_look_open(struct recovery_look **out, const struct mm_ops *mm,
		       dev_t dev);

/* Does not wait for what is stuck. */
void recovery_look_close(struct recovery_look *look);

/*
 * Looks; mapped says whether mappings are wanted as such. Threads of its own
 * do it, so that it lasts as long as there is progress, and patience_ms for each
 * process that is stuck for the first time. The result is valid until the next
 * call. Returns 0 or a negative errno, -EINTR when it was stopped, -EBUSY while
 * too many are stuck.
 */
int recovery_look_run(struct recovery_look *look, unsigned patience_ms,
		      bool mapped, struct recovery_look_result *result);

/* Has the look that is under way end soon, and all later ones. */
void recovery_look_stop(struct recovery_look *look);

#endif

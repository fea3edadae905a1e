/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recovery of files, slice by slice, and what came of it.
 */
#ifndef CTL_RECOVER_H
#define CTL_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <hugetmpfs/hugetmpfs.h>

#include "ctl/plan.h"
#include "ctl/progress.h"
#include "ctl/range.h"

/* What came of one file, or of all. */
struct recover_result {
	struct hugetmpfs_summary before;
	struct hugetmpfs_summary after;	/* a dry run: as before */
	uint64_t nr_recovered;		/* extents that are huge now */
	uint64_t nr_missed;		/* that should be huge and are not, */
	uint64_t nr_misplaced;		/* and that are, on another node than */
					/* policy says */
	uint64_t nr_queued;		/* without a wait: that are now, */
	uint64_t nr_queued_before;	/* and that were already */
	uint64_t size_bytes;
	uint64_t time_ns;
	int error;			/* 0 or a negative errno */
};

/* What is the same for all files. */
struct recover_how {
	struct range range;
	bool no_wait;
	struct progress *progress;
	const volatile int *interrupted;
	uint64_t ticket; /* 0 before the first file of a mount */
};

/*
 * Recovers a file by an O_PATH fd on it, or with plan not NULL fills in what
 * would be done. Blocks; ends with -EINTR in result->error once *interrupted
 * is set, with -ECANCELED when somebody has cancelled it. path is for the
 * progress only; flags are HUGETMPFS_RECOVER_BOUNDED or 0.
 */
void recover_file(struct recover_how *how, int path_fd, const char *path,
		  uint32_t flags, struct plan *plan,
		  struct recover_result *result);

/* Adds the result of a file to that of all; not the error. */
void recover_result_add(struct recover_result *total,
			const struct recover_result *result);

double recover_bytes_per_second(const struct recover_result *result);

#endif

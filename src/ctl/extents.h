/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the command line, and the way through all extents of one.
 */
#ifndef CTL_EXTENTS_H
#define CTL_EXTENTS_H

#include <stdint.h>

#include <hugetmpfs/hugetmpfs.h>

#include "ctl/range.h"

/*
 * Opens a regular file by an O_PATH fd on it, with O_RDONLY or O_WRONLY.
 * Returns the fd or a negative errno: -EISDIR, -EMEDIUMTYPE (a fifo, a device
 * and such, which are never opened), those of open(2).
 */
int extents_reopen(int path_fd, int flags);

/* The same by path; a symbolic link is followed. */
int extents_open(const char *path, int flags);

/* Most extents that a slice has. */
#define EXTENTS_SLICE HUGETMPFS_IOC_EXTENTS

/* The way through a file: where the slices come from and go to. */
struct extents_visitor {
	/*
	 * Fills in up to nr extents (at most EXTENTS_SLICE) from first on,
	 * with the results of hugetmpfs_map().
	 */
	int (*get)(struct extents_visitor *visitor, int fd, uint64_t first,
		   uint32_t nr, struct hugetmpfs_extent *extents,
		   uint64_t *size_bytes);
	/* nr extents from first on. Returns 0, or what ends the way. */
	int (*slice)(struct extents_visitor *visitor, uint64_t first,
		     uint32_t nr, const struct hugetmpfs_extent *extents);
	/* nr extents from first on without any data. As slice. */
	int (*holes)(struct extents_visitor *visitor, uint64_t first,
		     uint64_t nr);
	uint64_t size_bytes; /* of the file, as far as it is known */
	struct range range;  /* the part to go through; all zero: the whole */
};

/*
 * Goes through the extents of a file. Runs of extents without data are stepped
 * over, since a file may be 8 EiB long. Returns 0 or a negative errno; -ENOTTY
 * for a file that is not on a hugetmpfs mount, also when it is empty; -ENXIO
 * when the range begins beyond the end of the file.
 */
int extents_visit(int fd, struct extents_visitor *visitor);

/* An extent without data of a file of this size, as the daemon shows it. */
struct hugetmpfs_extent extents_hole(uint64_t size_bytes, uint64_t index);

/* Adds nr such extents from first on. */
void extents_add_holes(struct hugetmpfs_summary *summary, uint64_t size_bytes,
		       uint64_t first, uint64_t nr);

#endif

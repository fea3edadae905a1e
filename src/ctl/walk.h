/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The regular files of a command line: those named, and those below the
 * directories named. Below a directory no other mount is entered, no symbolic
 * link is followed, and a file with several links is taken once.
 */
#ifndef CTL_WALK_H
#define CTL_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/u64set.h"

struct walk {
	/*
	 * A regular file, by an O_PATH fd. Returns 0 to go on or what
	 * ends the walk.
	 */
	int (*file)(struct walk *walk, const char *path, int path_fd,
		    const struct stat *st);
	/* Something that cannot be looked at; error is a negative errno. */
	void (*error)(struct walk *walk, const char *path, int error);
	bool named; /* for file(): it was named, not found below a directory */
	/* the rest is the walk's own and begins as zero */
	struct u64set linked; /* inodes with several links that were seen */
	char *path;
	size_t path_bytes;
};

/*
 * Goes through one path of the command line. A directory that is not on a
 * hugetmpfs mount is an error (-ENOTTY). Returns 0 or what file() returned.
 */
int walk_path(struct walk *walk, const char *path);

#endif

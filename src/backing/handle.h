/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File handles of the backing tmpfs: how an inode is named without a path and
 * without an fd. A handle works as long as the inode lives: while it has a
 * link, or somebody holds an fd on it.
 */
#ifndef BACKING_HANDLE_H
#define BACKING_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

/* tmpfs needs 12 bytes: generation and inode number. */
#define BACKING_HANDLE_BYTES 12

struct backing_handle {
	uint32_t type;
	unsigned char bytes[BACKING_HANDLE_BYTES];
};

/*
 * The handle of an open file (O_PATH will do). Returns 0 or a negative errno;
 * -EOPNOTSUPP when the file is not on a tmpfs as we know it.
 */
int backing_handle_of(int fd, struct backing_handle *handle);

/*
 * Opens the inode of a handle with open(2) flags (O_CLOEXEC is added), without
 * following a symbolic link. Needs CAP_DAC_READ_SEARCH. Returns an fd or a
 * negative errno, -ESTALE when the inode is gone.
 */
int backing_handle_open(int root_fd, const struct backing_handle *handle,
			int flags);

bool backing_handle_is_equal(const struct backing_handle *a,
			     const struct backing_handle *b);

#endif

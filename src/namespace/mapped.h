/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that are mapped although the kernel has forgotten their inodes: a
 * mapping keeps the backing file, not the FUSE inode (FACTS F2). They are
 * remembered by st_ino, which is what /proc/PID/maps shows, with the handle by
 * which they can be opened. Thread-safe.
 */
#ifndef NAMESPACE_MAPPED_H
#define NAMESPACE_MAPPED_H

#include <stdint.h>

#include "backing/handle.h"

struct mapped;

/* root_fd is borrowed. Returns 0 or -ENOMEM. */
int mapped_open(struct mapped **out, int root_fd);
void mapped_close(struct mapped *mapped);

/*
 * Remembers a regular file that was opened once, unless the kernel says that
 * nobody has it open or mapped any more. Without memory it is not remembered.
 */
void mapped_add(struct mapped *mapped, uint64_t ino,
		const struct backing_handle *handle);

/* The handle of a file that is remembered. Returns 0 or -ENOENT. */
int mapped_find(struct mapped *mapped, uint64_t ino,
		struct backing_handle *handle);

#endif

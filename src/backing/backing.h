/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The private tmpfs that holds the bytes. It is never attached to a mount
 * namespace (FACTS K9): it lives as long as somebody holds its root fd.
 */
#ifndef BACKING_BACKING_H
#define BACKING_BACKING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>

/*
 * Creates a tmpfs with the given options of tmpfs ("size=4G,huge=always";
 * see tmpfs(5)), checked by the kernel itself. atime_attr is one of
 * MOUNT_ATTR_RELATIME, NOATIME, STRICTATIME, and may be or'ed with
 * MOUNT_ATTR_NODIRATIME. Returns the fd of its root
 * (O_RDONLY|O_DIRECTORY|O_CLOEXEC; serves openat and open_by_handle_at) or a
 * negative errno with a message for the user in error.
 */
int backing_create(const char *options, uint64_t atime_attr, char *error,
		   size_t error_size);

/*
 * Changes the options that tmpfs can change on a living mount (size,
 * nr_inodes, nr_blocks, huge, mpol): fspick(2), fsconfig RECONFIGURE
 * (FACTS S10). All or nothing. Returns 0 or a negative errno with a message.
 */
int backing_reconfigure(int root_fd, const char *options, char *error,
			size_t error_size);

#endif

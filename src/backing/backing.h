/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The private tmpfs that holds the bytes. It is never attached to a mount
 * namespace (FACTS K9): it lives as long as somebody holds its root fd.
 */
#ifndef BACKING_BACKING_H
#define BACKING_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>

/*
 * options below is a list of tmpfs's own options ("size=4G,huge=always"; see
 * tmpfs(5)), which the kernel itself checks. Functions return a negative errno
 * with a message for the user in error, which names the option and the value.
 */

/*
 * Checks options without creating anything. Returns 0, -EINVAL for what the
 * kernel refuses, -EPERM without CAP_SYS_ADMIN, or another negative errno.
 */
int backing_check(const char *options, char *error, size_t error_size);

/*
 * Creates a tmpfs. atime_attr is one of MOUNT_ATTR_RELATIME, NOATIME,
 * STRICTATIME, and may be or'ed with MOUNT_ATTR_NODIRATIME. Returns the fd of
 * its root (O_RDONLY|O_DIRECTORY|O_CLOEXEC; serves openat and
 * open_by_handle_at) or a negative errno. *mount_fd gets an O_PATH|O_CLOEXEC
 * fd on the mount, which backing_set_atime() needs open, in any process.
 */
int backing_create(const char *options, uint64_t atime_attr, int *mount_fd,
		   char *error, size_t error_size);

/*
 * Changes the options that tmpfs can change on a living mount (size,
 * nr_inodes, nr_blocks, huge, mpol): fspick(2), fsconfig RECONFIGURE
 * (FACTS S10). All or nothing. Returns 0, -EINVAL for a bad option, -EBUSY for
 * one that what is in use forbids, or another negative errno.
 */
int backing_reconfigure(int root_fd, const char *options, char *error,
			size_t error_size);

/*
 * Changes what reading does to access times; atime_attr as above. The mount_fd
 * must still be open somewhere: the kernel refuses to change a mount that
 * belongs to no namespace at all, not even an anonymous one (-EINVAL).
 */
int backing_set_atime(int root_fd, uint64_t atime_attr);

/* What holds of that now. Returns 0 or a negative errno. */
int backing_atime(int root_fd, uint64_t *atime_attr);

/* Whether its root directory has no entry; false when that cannot be told. */
bool backing_is_empty(int root_fd);

#endif

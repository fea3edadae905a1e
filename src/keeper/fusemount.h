/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE mount that applications see. Nothing here opens, stats or walks
 * into it: that would wait for a daemon that may not be there.
 */
#ifndef KEEPER_FUSEMOUNT_H
#define KEEPER_FUSEMOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FUSEMOUNT_TYPE "fuse.hugetmpfs"

struct fusemount {
	int fuse_fd;	/* /dev/fuse, or -1 */
	int id;		/* of the mount in mountinfo; used again after it */
	uint64_t unique_id; /* never used again; 0: the kernel has none */
	dev_t dev;
};

/*
 * Opens /dev/fuse and mounts. mountpoint is absolute, without symbolic links.
 * Returns 0 or a negative errno, logged.
 */
int fusemount_create(struct fusemount *mount, const char *mountpoint,
		     const char *source, unsigned long flags);

/*
 * Whether it is still in this mount namespace. flags (or NULL) gets the flags
 * it has now, which a remount may have changed.
 */
bool fusemount_is_mounted(const struct fusemount *mount, unsigned long *flags);

/*
 * umount2(2) where the mount is now, which a renamed folder may have changed.
 * Returns 0, -ENOENT when it is not mounted any more, -EBUSY when it is in use
 * or something is mounted over it, or another negative errno.
 */
int fusemount_umount(const struct fusemount *mount, int flags);

/* Whether the kernel has ended the connection: by unmount, or by an abort. */
bool fusemount_is_disconnected(const struct fusemount *mount);

/* Closes /dev/fuse: with the last such fd the kernel aborts the connection. */
void fusemount_close(struct fusemount *mount);

#endif

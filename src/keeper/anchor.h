/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The anchor: the private tmpfs mounted in a folder below /run/hugetmpfs that is
 * for root only, so that it outlives its keeper. The folder is named by the
 * device number of the tmpfs and has the mount point "files" and the file
 * "state" (saved.h), on which a living keeper holds a lock.
 */
#ifndef KEEPER_ANCHOR_H
#define KEEPER_ANCHOR_H

#include <hugetmpfs/protocol.h>

#include "keeper/saved.h"

#define ANCHOR_DIR PROTOCOL_RUNTIME_DIR "/anchors"

struct anchor {
	char path[64];	/* of the folder; empty when there is none */
	int state_fd;	/* of the file, locked; -1 without an anchor */
};

/*
 * Mounts the tmpfs of mount_fd, whose root is root_fd. Returns 0 or a negative
 * errno, logged.
 */
int anchor_create(struct anchor *anchor, int mount_fd, int root_fd);

/*
 * The anchor of the tmpfs of root_fd from here on is this process's. Returns 0,
 * -EBUSY when another one that lives has it, or another negative errno.
 */
int anchor_adopt(struct anchor *anchor, int root_fd);

/*
 * Finds the files of a mount point whose keeper is dead. *root_fd gets their
 * root. Returns 0, -ENOENT, or another negative errno.
 */
int anchor_find(const char *mountpoint, struct anchor *anchor, int *root_fd,
		struct saved *saved);

/* Lets go of it and leaves it where it is. */
void anchor_close(struct anchor *anchor);

/* Unmounts and removes it: the files are dropped with their last fd. */
void anchor_remove(struct anchor *anchor);

#endif

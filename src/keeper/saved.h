/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a next keeper has to know of a mount beside its fds, as text in a file
 * that outlives this one: beside the anchor, or a memfd in the fd store.
 */
#ifndef KEEPER_SAVED_H
#define KEEPER_SAVED_H

#include <stdint.h>
#include <sys/types.h>

struct saved {
	char *mountpoint;
	char *source;
	char *options;		/* for the daemon, as it reported last */
	unsigned long mount_flags; /* MS_* of the FUSE mount */
	/* of the FUSE mount as in struct fusemount */
	dev_t dev;
	int mount_id;
	uint64_t unique_id;
};

/* Replaces what is in the file. Returns 0 or a negative errno. */
int saved_write(int fd, const struct saved *saved);

/*
 * Reads it back; strings are for saved_free(). Returns 0, -EUCLEAN when it is
 * not whole, or another negative errno.
 */
int saved_read(int fd, struct saved *saved);
void saved_free(struct saved *saved);

#endif

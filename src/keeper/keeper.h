/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: the process that holds a mount's tmpfs, tables and sockets,
 * mounts it, and runs the daemon as its child. It lives as long as the mount,
 * and longer when the daemon has died, so that the files can be rescued.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper/anchor.h"
#include "keeper/store.h"

/* What is left of a mount whose keeper has died, all of it taken over. */
struct keeper_rest {
	int fds[STORE_NR];	/* the root at least; without the others the
				 * files are mounted anew */
	struct anchor anchor;	/* when it is known; else it is looked for */
	struct saved saved;
};

struct keeper_config {
	const char *mountpoint;	/* absolute, without symbolic links */
	const char *source;	/* first word of the mount in mountinfo */
	unsigned long mount_flags; /* MS_* of the FUSE mount */
	uint64_t atime_attr;	/* MOUNT_ATTR_* of the backing */
	const char *tmpfs_options; /* for backing_create() */
	const char *daemon_options; /* for the daemon; not looked into */
	int program_fd;		/* the program to run as the daemon; taken */
	const char *program_path; /* where the program is installed */
	bool takes_over;	/* a daemon that dies is relieved */
	bool is_anchored;	/* the tmpfs outlives this process */
	struct keeper_rest *rest; /* to go on with, or NULL */
	int parent_fd;		/* pipe that gets a byte when the mount serves,
				 * and whose closed end means: give up; -1 in
				 * the foreground */
};

/*
 * Makes everything, serves, and returns when the mount has ended and nothing
 * is left: 0, or a negative errno when it never served, logged. The calling
 * process must have one thread; its cwd, umask, signal mask and fds change.
 * With a parent_fd the standard fds are detached and the log goes to syslog
 * once the mount serves.
 */
int keeper_run(const struct keeper_config *config);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE server: receives requests from a /dev/fuse fd in a pool of threads
 * and answers them from the namespace, the backing and the recovery engine.
 */
#ifndef FUSE_SERVER_H
#define FUSE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

struct inodes;
struct mm;
struct recovery;
struct table;

/* How others see to it that nothing new is begun. All zero at first. */
struct server_pause {
	atomic_bool asked;	/* no request is worked on any more */
	atomic_int nr_busy;	/* those that are being worked on now */
};

struct server_config {
	int fuse_fd;		 /* /dev/fuse, mounted by the keeper; borrowed */
	int root_fd;		 /* root of the backing tmpfs; borrowed */
	struct table *table;	 /* inode table in shared memory */
	struct inodes *inodes;	 /* the index over it; borrowed */
	struct recovery *recovery;
	struct mm *mm;		 /* for its memory cgroups; NULL: none */
	bool passthrough;	 /* off: file I/O goes through this process */
	struct server_pause *pause; /* borrowed */
	/*
	 * Called once, when INIT has been answered and requests are served
	 * already: for what they need not wait for.
	 */
	void (*serving)(void *arg);
	void *serving_arg;
};

/*
 * Serves until the file system is unmounted. Once a pause is asked for, what is
 * received stays in the journal for a next process, and this does not return
 * any more unless the file system is unmounted. Returns 0 then, or a negative
 * errno: -EOPNOTSUPP when the kernel lacks something that is needed (logged).
 */
int server_run(const struct server_config *config);

#endif

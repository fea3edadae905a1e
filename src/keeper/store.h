/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fd store of the service manager: what it holds while this process lives,
 * it gives to the next one when this process has died; and the news that it
 * waits for. The protocol is that of sd_notify(3), sd_pid_notify_with_fds(3)
 * and sd_listen_fds(3).
 */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include <stdbool.h>

/* What is stored, in this order. */
enum store_fd {
	STORE_FUSE,	/* /dev/fuse */
	STORE_ROOT,	/* root of the private tmpfs */
	STORE_BACKING,	/* its mount */
	STORE_TABLE,	/* memfd of the tables */
	STORE_STATE,	/* memfd of saved.h */
	STORE_NR,
};

struct store {
	int socket_fd;	/* to the service manager, or -1 */
	bool keeps_fds;	/* it has a store */
};

/*
 * Connects to the manager that the environment names, if any. For a process with
 * one thread.
 */
void store_open(struct store *store);
void store_close(struct store *store);

/* Says that the service is up. */
void store_ready(const struct store *store);

/* Gives one, in the place of what had that name before. */
void store_put(const struct store *store, enum store_fd which, int fd);

/* What has that name is not stored any more. */
void store_remove(const struct store *store, enum store_fd which);

/*
 * The fds that the manager has given to this process, -1 for those it has not.
 * They are close-on-exec then. Returns the number of the first fd above all
 * that it gave: 3 when there is none.
 */
int store_given(int fds[STORE_NR]);

#endif

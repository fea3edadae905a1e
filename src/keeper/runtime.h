/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folder of a mount below /run/hugetmpfs, by which tools find its keeper:
 * the control socket and a file that says which mount it is. Layout and format
 * are those of <hugetmpfs/protocol.h>.
 */
#ifndef KEEPER_RUNTIME_H
#define KEEPER_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

struct runtime {
	char path[64];	/* of the folder; empty when there is none */
	int listen_fd;	/* the control socket */
};

/* Who keeps a mount. */
struct runtime_peer {
	pid_t keeper_pid;
	bool is_dead;	/* its daemon has died, the files are kept */
};

/*
 * Makes the folder and the socket of this process, and clears away those of
 * keepers that were killed. Returns 0 or a negative errno, logged.
 */
int runtime_create(struct runtime *runtime);

/*
 * Writes which mount it is; readers see the old text or the new one. Who else
 * claims to have the device does not any more. dev is 0 when nothing is mounted
 * any more. Returns 0 or a negative errno, logged.
 */
int runtime_publish(const struct runtime *runtime, dev_t dev,
		    const char *mountpoint, bool is_dead);

/* Clears away the folders of keepers that were killed. */
void runtime_remove_stale(void);

/* Removes the folder and closes the socket. */
void runtime_remove(struct runtime *runtime);

/*
 * Finds the living keeper of a mount, by its device, or by the mount point
 * that it serves or, its daemon being dead, has served (NULL: only by device).
 * Returns 0, -ENOENT, or another negative errno.
 */
int runtime_find(const char *mountpoint, dev_t dev, struct runtime_peer *peer);

/* Connects to a keeper's socket. Returns an fd or a negative errno. */
int runtime_connect(pid_t keeper_pid);

/* Text with newline and backslash escaped, for the caller to free. */
char *runtime_escape(const char *text);

/* The opposite. */
char *runtime_unescape(const char *text);

#endif

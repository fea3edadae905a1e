/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's side of the control socket: answers what concerns the mount as
 * a whole (<hugetmpfs/protocol.h>) in a thread of its own. Peers that are not
 * uid 0 of the initial user namespace are turned away.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control;
struct mm_interface;
struct recovery;
struct recovery_latencies;
struct table;

/* A run of counters: names[i] is the name of word first + i of the table's
 * counters; a NULL name leaves its word out. */
struct control_counters {
	const char *const *names;
	const char *const *meanings; /* in the same places; may be NULL */
	unsigned nr;
	unsigned first;
};

/*
 * What it needs to know. Strings and arrays are copied by control_start(), the
 * names, interfaces, recovery, table and fds are borrowed until control_stop().
 */
struct control_config {
	int listen_fd;		/* listening SOCK_SEQPACKET socket */
	int root_fd;		/* root of the backing tmpfs */
	const char *mountpoint;
	const char *version;
	pid_t keeper_pid;
	bool passthrough;
	const char *survival;	/* of the files, when the keeper dies */
	const char *seccomp;	/* "on", or "off: " and why; borrowed */
	const char *capabilities; /* the daemon's; NULL: not known; borrowed */
	struct recovery *recovery;
	struct table *table;	/* of which only the counters are read */
	const struct control_counters *counters;
	size_t nr_counters;	/* runs in counters */
	struct recovery_latencies *latencies; /* borrowed; NULL: none */
	const struct mm_interface *interfaces; /* mm_interfaces() */
	size_t nr_interfaces;
	/*
	 * Options belong to the daemon: options() gives those that hold now,
	 * comma-separated, for the caller to free (NULL: no memory); remount()
	 * changes some, all or nothing, and returns 0 or a negative errno with
	 * a message; set() does so for settings of recovery. All are called
	 * from the control thread only.
	 */
	char *(*options)(void *arg);
	int (*remount)(void *arg, const char *options, char *error,
		       size_t error_size);
	int (*set)(void *arg, const char *settings, char *error,
		   size_t error_size);
	/*
	 * Hands a connection over to who answers in the place of this process,
	 * which is not to be there any more by then. It is closed here in any
	 * case. Returns 0 or a negative errno.
	 */
	int (*hand_over)(void *arg, int fd);
	void *options_arg;
};

/*
 * Starts the thread. Returns 0 or a negative errno, -EINVAL for a run of
 * counters that is not inside the table.
 */
int control_start(struct control **out, const struct control_config *config);

/*
 * Ends the thread, closes the connections; what is being answered is cut
 * short. Blocks for one step of a scan at most. NULL is allowed.
 */
void control_stop(struct control *control);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon as the keeper's child: how it is started, and what it finds.
 */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include <stddef.h>
#include <sys/types.h>

/* The fds a daemon is started with; it has no others but 0, 1 and 2. */
enum {
	CHILD_FUSE_FD = 3,	/* /dev/fuse */
	CHILD_ROOT_FD,		/* root of the backing tmpfs */
	CHILD_TABLE_FD,		/* memfd of the tables */
	CHILD_LISTEN_FD,	/* control socket, listening */
	CHILD_REPORT_FD,	/* to the keeper, report.h */
	CHILD_END_FD,
};

/*
 * Its arguments, which no user gives. Keeper and daemon may be of different
 * versions, after an upgrade: what is new comes at the end, and who is given
 * more than he knows passes over it.
 */
enum {
	CHILD_ARG_NAME,
	CHILD_ARG_MODE,		/* CHILD_MODE or CHILD_MODE_TRIAL */
	CHILD_ARG_OPTIONS,	/* as the keeper got them, or as last reported */
	CHILD_ARG_DEV,		/* "MAJOR:MINOR" of the mount */
	CHILD_ARG_LOG,		/* CHILD_LOG_*: where messages go */
	CHILD_ARG_MOUNTPOINT,
	CHILD_ARG_SURVIVAL,	/* CHILD_SURVIVES_*: of the files, when the
				 * keeper dies; for status */
	CHILD_NR_ARGS,
};

#define CHILD_MODE	 "--internal-daemon"
#define CHILD_MODE_TRIAL "--internal-trial" /* only say whether it could be one */
#define CHILD_LOG_STDERR "stderr"
#define CHILD_LOG_SYSLOG "syslog"
#define CHILD_LOG_BOTH	 "both" /* standard error, and syslog once it serves */
#define CHILD_SURVIVES_NOT	"no"
#define CHILD_SURVIVES_ANCHORED	"anchor"
#define CHILD_SURVIVES_STORED	"fd_store"

struct child_config {
	int program_fd;		/* what to execute */
	const char *mode;	/* CHILD_MODE* */
	int fds[CHILD_END_FD - CHILD_FUSE_FD]; /* in the order above, without
						* CHILD_REPORT_FD */
	const char *mountpoint;
	const char *options;
	dev_t dev;
	const char *log;	/* CHILD_LOG_* */
	const char *survival;	/* CHILD_SURVIVES_* */
};

struct child {
	pid_t pid;
	int pidfd;	/* readable when it has ended; -1: there is none */
	int report_fd;	/* its reports */
};

/*
 * Starts a daemon, which dies with this process. Returns 0 or a negative
 * errno, logged.
 */
int child_start(struct child *child, const struct child_config *config);

/* Reaps an ended daemon. Returns its status as of wait(2). */
int child_reap(struct child *child);

/*
 * From here on the calling process is the parent of what its children leave
 * behind, where otherwise process 1 would be, which in a container may never reap
 * anything. An end is told by SIGCHLD.
 */
void child_adopt_orphans(void);

/*
 * Reaps those that have ended. The nr children are left alone, and with them, when
 * one of them has ended, what may have ended after it: to be called again when
 * that has been reaped. Does not block.
 */
void child_reap_orphans(const struct child *const *children, size_t nr);

#endif

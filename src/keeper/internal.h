/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the keeper's loop share: its state, and who does what.
 */
#ifndef KEEPER_INTERNAL_H
#define KEEPER_INTERNAL_H

#include "keeper/child.h"
#include "keeper/deaths.h"
#include "keeper/fusemount.h"
#include "keeper/keeper.h"
#include "keeper/runtime.h"
#include "keeper/upgrade.h"

/*
 * States of a keeper:
 *
 *	starting   a daemon was started and has not said that it is ready; a
 *	           first one, or one for an attach (client_fd is who waits)
 *	serving    it is
 *	relieving  it died or was told to end, and another one was started that
 *	           takes over. To everybody outside that is serving: /dev/fuse is
 *	           held here, so requests wait and nothing fails
 *	dead       no daemon takes over. /dev/fuse is closed, so that nothing
 *	           hangs; tmpfs and socket are kept
 *	ended      nothing is left to do
 */
enum keeper_state {
	KEEPER_STARTING,
	KEEPER_SERVING,
	KEEPER_RELIEVING,
	KEEPER_DEAD,
	KEEPER_ENDED,
};

struct keeper {
	const struct keeper_config *config;
	enum keeper_state state;
	bool has_served;	/* so there may be files in it */
	bool is_given_up;	/* before it served */
	bool is_announced;	/* the service manager knows that it serves */
	int result;		/* of keeper_run() */
	int backing_mount_fd;	/* open for backing_set_atime() */
	int program_fd;		/* the program to run as the daemon */
	int previous_fd;	/* the one before an upgrade, or -1 */
	int root_fd;		/* root of the backing tmpfs */
	int table_fd;		/* memfd of the tables */
	int signal_fd;
	int client_fd;		/* waits for the answer to its attach, or -1 */
	struct anchor anchor;	/* without a path: there is none */
	struct store store;	/* of fds, outside of this process */
	int state_fd;		/* memfd of saved.h in the store, or -1 */
	struct runtime runtime;
	struct fusemount mount;
	unsigned long mount_flags; /* MS_*; as they were when a daemon died */
	struct child daemon;
	struct deaths deaths;	/* of the daemons of this mount */
	struct upgrade upgrade;	/* of the program, when one is asked for */
	char *daemon_options;	/* as it reported last, NULL: as at first */
	char *last_error;	/* that a starting daemon reported */
};

static inline const char *mountpoint_of(const struct keeper *keeper)
{
	return keeper->config->mountpoint;
}

/* keeper.c: starts a daemon on what there is. Returns 0 or a negative errno. */
int keeper_start_daemon(struct keeper *keeper);

/* keeper.c: the same for what else is to run in its place. */
struct child_config keeper_daemon_config(const struct keeper *keeper);

/*
 * keeper.c: what a next keeper has to know is written down. Returns 0 or a
 * negative errno, logged.
 */
int keeper_save(const struct keeper *keeper);

/* keeper.c: /dev/fuse is let go of here and in the store: nothing may hang. */
void keeper_close_mount(struct keeper *keeper);

/* daemons.c: takes one report of the daemon. False when there is none. */
bool keeper_take_report(struct keeper *keeper);

/* daemons.c: the daemon has ended. */
void keeper_on_daemon_end(struct keeper *keeper);

/* daemons.c: the trial of a new program has ended. */
void keeper_on_trial_end(struct keeper *keeper);

/* daemons.c: no daemon takes over; waits for an attach from here on. */
void keeper_become_dead(struct keeper *keeper);

#endif

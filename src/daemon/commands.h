/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program hugetmpfs can be asked to do, one file each. Each returns
 * the exit code; what went wrong is logged.
 */
#ifndef DAEMON_COMMANDS_H
#define DAEMON_COMMANDS_H

#include <stdbool.h>

struct keeper_rest;
struct options;

/* Exit codes; 32 is for mount(8), which expects it of a helper. */
enum {
	EXIT_DONE = 0,
	EXIT_USAGE = 1,		/* as a helper also: not permitted */
	EXIT_SYSTEM = 2,
	EXIT_MOUNT_FAILED = 32,
	EXIT_AGAIN = 75,	/* to a service manager that keeps the files */
};

/* Mounts; returns when it serves, or in the foreground when it has ended. */
int mount_command(const struct options *options);

/* Changes options of what is mounted. */
int remount_command(const struct options *options);

/* Mounts the files of a dead daemon again. */
int attach_command(const struct options *options);

/*
 * The keeper of a mount, with options that were checked; rest is what another
 * one has left, or NULL. Returns when the mount has ended. parent_fd is as in
 * struct keeper_config. Returns 0 or a negative errno, logged.
 */
int mount_run_keeper(const struct options *options, const char *mountpoint,
		     int parent_fd, struct keeper_rest *rest);

/* The same in another process: returns when the mount serves. */
int mount_run_in_background(const struct options *options,
			    const char *mountpoint, struct keeper_rest *rest);

/*
 * Goes on with what the service manager has stored of a keeper that died, until
 * the mount has ended: *result is 0 or a negative errno, logged. Returns -ENOENT
 * when it has stored nothing. Closes all other fds.
 */
int resume_stored(int *result);

/*
 * Mounts the files of an anchor again whose keeper has died. Returns 0, -ENOENT
 * when there is none for the mount point, or another negative errno, logged.
 * Closes all other fds.
 */
int resume_anchored(const char *path);

/* What a caller left open is none of ours. */
void commands_close_fds_from(int first);

/* The daemon itself, with the arguments of keeper/child.h. */
int serve_command(char **argv);

/*
 * With the same arguments: tells the keeper whether this program could be the
 * daemon, and does nothing.
 */
int trial_command(char **argv);

/* Logs why it could not, when it could not. Returns 0 or a negative errno. */
int trial_of_table(int table_fd);

/* The code for a mount that failed with a negative errno. */
int commands_exit_code(const struct options *options, int error);

/*
 * The mount point as an absolute path without symbolic links, for the caller
 * to free. The file system that is mounted there is not touched. Returns 0 or
 * a negative errno, logged.
 */
int commands_mountpoint(const char *given, char **path);

/*
 * Whether pages have the sizes that all of this is made for. Returns 0, or
 * -EOPNOTSUPP, logged.
 */
int machine_check(void);

/*
 * Whether nothing that keeper and daemon need lies at a mount point (as above)
 * or below. Returns 0, or -EBUSY, logged.
 */
int needs_check(const char *mountpoint);

/* Whether a path, both without symbolic links, is a mount point or below it. */
bool needs_is_below(const char *path, const char *mountpoint);

#endif

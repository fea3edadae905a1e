/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libhugetmpfs: see and recover the huge pages of files on a hugetmpfs mount,
 * and talk to the daemon behind a mount.
 *
 * All functions are thread-safe, keep no global state and write no message.
 * Where nothing else is said they return 0 or a negative errno. Sizes are in
 * the unit that the name ends in; an extent is 2 MiB.
 */
#ifndef HUGETMPFS_HUGETMPFS_H
#define HUGETMPFS_HUGETMPFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hugetmpfs/ioctl.h>
#include <hugetmpfs/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, as "1.2.3". */
const char *hugetmpfs_version(void);

/*
 * Name and meaning of an enum hugetmpfs_state, hugetmpfs_reason or
 * hugetmpfs_numa, in lower case. A value that this library does not know is "unknown".
 */
const char *hugetmpfs_state_name(unsigned state);
const char *hugetmpfs_state_meaning(unsigned state);
const char *hugetmpfs_reason_name(unsigned reason);
const char *hugetmpfs_reason_meaning(unsigned reason);
const char *hugetmpfs_numa_name(unsigned mode);
const char *hugetmpfs_numa_meaning(unsigned mode);

/*
 * Looks at up to nr (1 to INT_MAX) extents of an open file, from the extent
 * with the index first on. fd is open for reading. Pages are not touched,
 * nothing is brought in from swap, recovery is not waited for: some 20 us an
 * extent. *size_bytes gets the size of the file, when size_bytes is not NULL.
 *
 * Returns the number of extents filled, which is less than nr when the file
 * ends before or a look in the middle failed (the next call then says how); 0
 * when first is beyond the end of the file. Errors: -EINVAL, -EBADF (not open
 * for reading), -ENOTTY (not a regular file on a hugetmpfs mount), -ENOTCONN
 * (the daemon is dead), -EINTR, -ENOMEM.
 */
int hugetmpfs_map(int fd, uint64_t first, uint32_t nr,
		  struct hugetmpfs_extent *extents, uint64_t *size_bytes);

/*
 * Puts up to nr (1 to INT_MAX) extents together again and fills in what came
 * of each: the reason is HUGETMPFS_REASON_DONE for those that are huge now. fd
 * is open for writing. flags are HUGETMPFS_RECOVER_*: DRY_RUN changes nothing
 * and fills in what would be done, NO_WAIT queues the extents and returns.
 * Otherwise it blocks until each extent is huge or given up: some ms an
 * extent, more where pages come in from swap. A signal without SA_RESTART ends
 * it; what is done stays done. So does hugetmpfs_cancel(), by anybody: the
 * rest has the reason HUGETMPFS_REASON_CANCELLED then.
 *
 * Returns as hugetmpfs_map() does, also in that errors after the first extents
 * show in the number only. Errors as there (-EBADF: not open for writing), and
 * -EAGAIN: too many requests are waiting, try later.
 */
int hugetmpfs_recover(int fd, uint64_t first, uint32_t nr, uint32_t flags,
		      struct hugetmpfs_extent *extents, uint64_t *size_bytes);

/*
 * The same as a part of a larger undertaking: *ticket is 0 in its first call
 * and is passed on unchanged to the later ones, for any file of the mount. A
 * hugetmpfs_cancel() between two calls ends the later one at once, too.
 */
int hugetmpfs_recover_part(int fd, uint64_t first, uint32_t nr, uint32_t flags,
			   uint64_t *ticket, struct hugetmpfs_extent *extents,
			   uint64_t *size_bytes);

/*
 * Ends the recoveries of a file that were asked for, by whomever, and that
 * wait or are under way; what is done stays done. fd is open for writing.
 * *nr_extents (may be NULL) gets for how many extents. Does not block. Errors:
 * as hugetmpfs_map(), -EBADF: not open for writing.
 */
int hugetmpfs_cancel(int fd, uint64_t *nr_extents);

/*
 * What holds for the recovery of a file or what is made in a directory, by any
 * descriptor on it. Errors: -ENOTTY, -ENOTCONN.
 */
int hugetmpfs_policy(int fd, struct hugetmpfs_policy *policy);

/*
 * Where the pages of a file or of what is made in a directory belong, as it
 * says itself, by any descriptor on it; with the flag HUGETMPFS_NUMA_OF_MOUNT
 * as the mount says. text, of HUGETMPFS_NUMA_BYTES, is an empty string when
 * there is nothing. Errors: -ENOTTY, -ENOTCONN, -EINVAL.
 */
int hugetmpfs_numa_get(int fd, uint32_t flags, char *text);

/*
 * Changes what a file (fd is open for writing) or a directory (by any
 * descriptor) says, for its owner and root. text has all its rules when first
 * to last is 0 to HUGETMPFS_NUMA_TO_END; else one rule without a range, for
 * these extents. NULL or an empty text takes away what it says for them. What
 * is in memory already is moved by recovery. The daemon's words for an error
 * are in message (may be NULL), which is an empty string otherwise. Errors:
 * see HUGETMPFS_IOC_NUMA_SET, and -ENOTCONN; -E2BIG when text is too long.
 */
int hugetmpfs_numa_set(int fd, uint64_t first, uint64_t last, const char *text,
		       char *message, size_t message_bytes);

/*
 * True when recovery is expected to make the extent huge, or it is huge
 * already: it has data, nothing in it is known to be pinned, it was not found
 * to have too many holes, and policy allows it.
 */
bool hugetmpfs_is_eligible(const struct hugetmpfs_extent *extent);

/* Sums over extents. Room is left for states and reasons to come. */
struct hugetmpfs_summary {
	uint64_t nr_extents;
	uint64_t nr_huge;
	uint64_t nr_eligible;	/* see hugetmpfs_is_eligible() */
	uint64_t data_pages;	/* in memory or on swap, 4 KiB each */
	uint64_t hole_pages;
	uint64_t swapped_pages;	/* of the data pages */
	uint64_t misplaced_pages; /* of them, on other nodes than policy says */
	uint64_t states[16];	/* extents, by enum hugetmpfs_state */
	uint64_t reasons[64];	/* extents, by enum hugetmpfs_reason */
};

/* Adds nr extents to a summary, which begins as all zero. */
void hugetmpfs_summary_add(struct hugetmpfs_summary *summary,
			   const struct hugetmpfs_extent *extents, size_t nr);

/*
 * Huge extents in percent of the eligible ones, 0 to 100; -1 when none is
 * eligible.
 */
double hugetmpfs_coverage_percent(const struct hugetmpfs_summary *summary);

/* A hugetmpfs mount as the caller's mount namespace shows it. */
struct hugetmpfs_mount {
	uint32_t dev_major;
	uint32_t dev_minor;
	char mountpoint[4096];
};

/*
 * Finds the mount that a path lies on. Asks the kernel only, so a mount whose
 * daemon does not answer is found like any other when path is its mountpoint.
 * Errors: -ENOTTY (not on a hugetmpfs mount), those of open(2).
 */
int hugetmpfs_mount_of(const char *path, struct hugetmpfs_mount *mount);

/* The same for an open file or directory. */
int hugetmpfs_mount_of_fd(int fd, struct hugetmpfs_mount *mount);

/*
 * A connection to the daemon behind a mount, for root alone. Used by one
 * thread at a time. After an error other than one that the daemon answered
 * (see hugetmpfs_request()) it can only be closed.
 */
struct hugetmpfs_connection;

/*
 * Connects to the daemon of the mount that path lies on. Errors: as
 * hugetmpfs_mount_of(); -EACCES (not root), -ENODEV (the mount has no entry
 * under /run/hugetmpfs), -ECONNREFUSED (its keeper is gone), -ETIMEDOUT.
 */
int hugetmpfs_connect(struct hugetmpfs_connection **out, const char *path);

/* Closes it; what the daemon still works on for it is cut short. */
void hugetmpfs_close(struct hugetmpfs_connection *connection);

/*
 * How long connecting takes at most, and an answer without a sign of life:
 * 30 s unless changed. 0 is for ever.
 */
void hugetmpfs_set_timeout(struct hugetmpfs_connection *connection,
			   unsigned timeout_ms);

/*
 * One line of an answer. Returns 0 to go on; anything else ends the request
 * with that value, after which the connection can only be closed.
 */
typedef int hugetmpfs_line_fn(void *arg, const char *key, const char *value);

/*
 * Sends a command with an argument (NULL for none) and calls fn (may be NULL)
 * for each line of the answer. When the daemon answers with an error, that is
 * returned, and its words for the user, if any, are in message (may be NULL),
 * which is an empty string otherwise. Errors of its own: -E2BIG, -ETIMEDOUT,
 * -EINTR, -ECONNRESET (the answer was cut short), -EPROTO (it makes no sense),
 * -EPIPE.
 */
int hugetmpfs_request(struct hugetmpfs_connection *connection,
		      const char *command, const char *argument,
		      hugetmpfs_line_fn *fn, void *arg,
		      char *message, size_t message_bytes);

/* Asks for a sign of life. */
int hugetmpfs_ping(struct hugetmpfs_connection *connection);

/* Without the bytes by state, for which every file has to be looked at. */
#define HUGETMPFS_STATUS_NO_SCAN (1u << 0)

/*
 * Everything about the mount, as keys and values; the keys are those of
 * `hugetmpfsctl status`, see hugetmpfsctl(8). Errors as hugetmpfs_request(),
 * and -EINVAL for unknown flags.
 */
int hugetmpfs_status(struct hugetmpfs_connection *connection, uint32_t flags,
		     hugetmpfs_line_fn *fn, void *arg);

/* Returns 0 to go on, as hugetmpfs_line_fn. */
typedef int hugetmpfs_counter_fn(void *arg, const char *name, uint64_t value);

/* The counters, in the order of the manual. */
int hugetmpfs_counters(struct hugetmpfs_connection *connection,
		       hugetmpfs_counter_fn *fn, void *arg);

/*
 * Changes options of the backing tmpfs (size, nr_inodes, nr_blocks, huge,
 * mpol; "size=8G,huge=always"), all or none. The words of the kernel or the
 * daemon for an error are in message.
 */
int hugetmpfs_remount(struct hugetmpfs_connection *connection,
		      const char *options, char *message,
		      size_t message_bytes);

/*
 * Changes settings of recovery ("recoveries=4,bytes_per_second=200m", see
 * hugetmpfsctl(8)), all or none. What was wrong is in message.
 */
int hugetmpfs_set(struct hugetmpfs_connection *connection, const char *settings,
		  char *message, size_t message_bytes);

/* hugetmpfs_cancel() of all files of the mount. */
int hugetmpfs_cancel_all(struct hugetmpfs_connection *connection,
			 uint64_t *nr_extents);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recovery engine: puts teams together again. Callers hand it extents of
 * files; its workers run the passes swapin, collapse, remap over them and
 * verify each from the kernel. Nothing here blocks the caller except where it
 * says so.
 */
#ifndef RECOVERY_RECOVERY_H
#define RECOVERY_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <hugetmpfs/types.h>

#include "recovery/settings.h"

struct mm_ops;
struct placement_policy;
struct recovery;
struct recovery_counters;
struct recovery_latencies;

struct recovery_config {
	struct recovery_settings settings; /* to begin with */
	dev_t dev;		/* of the FUSE mount, as /proc/PID/maps shows it */
	unsigned pause_us;	/* before a second try; 0: the default, 1 ms */
	unsigned tick_ms;	/* of the scan; 0: the default, 1 s */
	/* after which a worker inside another process is replaced; 0: 1 s */
	unsigned patience_ms;
	/* may lie in shared memory and outlive the engine; NULL: not kept */
	struct recovery_latencies *latencies;
	/*
	 * Opens the file with an st_ino, which may have no name any more.
	 * Called without locks. NULL: nothing is found in the background.
	 */
	int (*open_ino)(void *arg, uint64_t ino, int flags);
	/*
	 * The regular files that are known, one a call, from *cursor = 0 on.
	 * Returns 0, or -ENOENT after the last one. May be NULL.
	 */
	int (*next_ino)(void *arg, uint64_t *cursor, uint64_t *ino);
	void *files_arg;
	bool own_policies; /* there may be files that have one */
};

/* A file for the length of one call or request. */
struct recovery_file {
	int fd;		 /* backing file, open for reading and writing */
	uint64_t ino;	 /* st_ino: the same in the backing and on the mount */
	/*
	 * Memory cgroup (inode number) that a user asks from: holes are filled
	 * only at its own expense. 0: an admin asks.
	 */
	uint64_t payer;
	/*
	 * Of recovery_ticket(), when the undertaking began of which a request
	 * is a part; 0: it stands alone.
	 */
	uint64_t ticket;
};

/*
 * Makes an engine that takes requests, and works on none before it is started.
 * Nothing is asked of mm. counters may lie in shared memory and outlive it.
 * Returns 0 or a negative errno.
 */
int recovery_create(struct recovery **out, const struct recovery_config *config,
		    const struct mm_ops *mm, struct recovery_counters *counters);

/*
 * Starts it. Call it from a thread with the daemon's full credentials: the
 * workers inherit them. Returns 0 or a negative errno.
 */
int recovery_start(struct recovery *recovery);

/*
 * Ends the workers; requests not done are completed with CANCELLED. Blocks, but
 * not for workers that the locked address space of another process keeps: how
 * many these are is returned. They end as soon as they are let go and use what
 * lies in mm, counters and latencies until then, so that must stay.
 */
unsigned recovery_destroy(struct recovery *recovery);

/*
 * Looks at up to nr extents from first on, into extents. Blocks for the
 * kernel's look-ups only (some 20 us an extent), takes no queue place, brings
 * nothing in from swap. reason is DONE for a huge extent, else why it is not.
 * Returns the number filled, 0 when first is beyond the end of the file, or a
 * negative errno. *size_bytes gets the size of the file.
 */
int recovery_map(struct recovery *recovery, const struct recovery_file *file,
		 uint64_t first, uint32_t nr, struct hugetmpfs_extent *extents,
		 uint64_t *size_bytes);

/*
 * The same, and adds to each of NODESET_NODES numbers the pages in memory that
 * are on that node.
 */
int recovery_map_nodes(struct recovery *recovery,
		       const struct recovery_file *file, uint64_t first,
		       uint32_t nr, struct hugetmpfs_extent *extents,
		       uint64_t *size_bytes, uint64_t *node_pages);

/* The policy that a value of HUGETMPFS_XATTR_RECOVER says, else UNSET. */
enum hugetmpfs_background recovery_policy_parse(const void *value, size_t size);

/* A file's own, by an fd on the backing that is open for reading or writing. */
enum hugetmpfs_background recovery_policy_own(int fd);

/*
 * Some file has got its own policy, and whether there may be such files. Both
 * are cheap and thread-safe.
 */
void recovery_policy_changed(struct recovery *recovery);
bool recovery_has_own_policies(struct recovery *recovery);

/*
 * Where the pages of a file belong, by an fd as above: its own rules over the
 * mount's. A policy without rules asks for nothing. Cheap where no file has
 * one; not to be asked at all on a machine with one node.
 */
void recovery_placement(struct recovery *recovery, int fd,
			struct placement_policy *policy);

/* The text of the mount's rule, as placement_format() writes it. */
void recovery_placement_of_mount(struct recovery *recovery, char *text,
				 size_t size);

/*
 * Whether pages can be on the nodes that a policy names, those of the process
 * pid (0: not known) at least: 0; -ENODEV or -EACCES, with words for the user
 * in error.
 */
int recovery_placement_check(struct recovery *recovery,
			     const struct placement_policy *policy, pid_t pid,
			     char *error, size_t error_size);

/*
 * Has the kernel put pages of a file where its policy says that are made from
 * now on. The fd is open for reading. Where that fails recovery moves them.
 */
void recovery_place(struct recovery *recovery, int fd);

/* What holds for the recovery of a file in the background. Does not block. */
void recovery_file_policy(struct recovery *recovery,
			  const struct recovery_file *file,
			  struct hugetmpfs_policy *policy);

/* A request under way; valid until its done function has been called. */
struct recovery_request;

struct recovery_result {
	int error;		/* 0, -EINTR when cancelled, or what kept the
				 * engine from looking at the file at all */
	uint32_t nr;		/* extents filled, 0 beyond the end */
	uint64_t size_bytes;	/* of the file */
	const struct hugetmpfs_extent *extents;
};

/*
 * Called once: from a worker, from within recovery_submit() or
 * recovery_destroy(), never from within recovery_cancel(). Must not block.
 */
typedef void recovery_done_fn(void *arg, const struct recovery_result *result);

/*
 * Asks for the recovery of nr extents from first on, at most
 * HUGETMPFS_IOC_EXTENTS, any number of holes allowed (they were asked for by
 * name). The fd is duplicated. flags are HUGETMPFS_RECOVER_*; with NO_WAIT
 * done is called once they are queued, and the request lives on without its
 * caller. Returns 0 and calls done later (or already has), or a negative errno (-EINVAL, -ENOMEM,
 * -EMFILE, -EAGAIN: the queue is full) and never calls it. With out not NULL,
 * *out is for recovery_cancel(). With recovery turned off the look is done
 * here, so the call blocks as recovery_map() does.
 */
int recovery_submit(struct recovery *recovery, const struct recovery_file *file,
		    uint64_t first, uint32_t nr, uint32_t flags,
		    recovery_done_fn *done, void *arg,
		    struct recovery_request **out);

/*
 * Ends a request early: done is called soon with -EINTR, extents not done are
 * given up with CANCELLED, what a worker is at ends at its next step. For a
 * request that is done already, a no-op: requests are found by pointer among
 * those that live, never dereferenced blindly; arg guards against a pointer
 * that was reused.
 */
void recovery_cancel(struct recovery *recovery, struct recovery_request *request,
		     void *arg);

/*
 * Ends all requests for a file, or with ino 0 for all files, that were asked
 * for: done is called soon with 0, and CANCELLED for the extents not done. So
 * are later requests whose ticket is older. Returns how many extents were
 * waited for.
 */
uint64_t recovery_cancel_asked(struct recovery *recovery, uint64_t ino);

/* Tells a recovery_cancel_asked() that comes later from one that was before. */
uint64_t recovery_ticket(struct recovery *recovery);

/*
 * Marks extents released, because a truncate, punch or removal is about to
 * take their pages: works on them end at their next step with TOO_LATE. Never
 * waits. nr UINT64_MAX means to the end.
 */
void recovery_release(struct recovery *recovery, uint64_t ino, uint64_t first,
		      uint64_t nr);

/*
 * Says that extents may have got pages by fallocate, which must not be answered
 * before: works must not meet a huge page that is not cleared. Blocks for as
 * long as it takes to clear those that works have in hand.
 */
void recovery_allocated(struct recovery *recovery,
			const struct recovery_file *file, uint64_t first,
			uint64_t nr);

/*
 * Offers extents that would gain by being huge, of at most
 * HUGETMPFS_IOC_EXTENTS: those that are not and have no more than max_holes
 * holes are recovered in the background, those first that a process uses by
 * small pages, within the budgets. Nobody is told what comes of it; offering
 * an extent again that is queued is no error. Never waits. The fd is
 * duplicated. Returns 0, -EPERM (recovery is turned off), -EAGAIN (the queue
 * is full: try later), -EINVAL, -ENOMEM or -EMFILE.
 */
int recovery_offer(struct recovery *recovery, const struct recovery_file *file,
		   uint64_t first, uint32_t nr);

/*
 * The settings that hold. A change takes effect at once: threads come and go,
 * pauses end early and begin anew; recoveries=0 ends works at their next step
 * and answers whoever waits, with POLICY, from within the call. Call it from a
 * thread with the daemon's full credentials: workers inherit them. Returns 0
 * or a negative errno, changing nothing.
 *
 * Where other things have to change together with them, prepare before these:
 * between a recovery_settings_prepare() that has returned 0 and its
 * recovery_settings_ready(), both of the settings to be, a change to them does
 * not fail.
 */
void recovery_settings_get(struct recovery *recovery,
			   struct recovery_settings *settings);
int recovery_settings_set(struct recovery *recovery,
			  const struct recovery_settings *settings);
int recovery_settings_prepare(struct recovery *recovery,
			      const struct recovery_settings *settings);
void recovery_settings_ready(struct recovery *recovery,
			     const struct recovery_settings *settings);

/*
 * A file was closed that had been open for writing: what was written may be in
 * small pages. Never waits.
 */
void recovery_closed(struct recovery *recovery, uint64_t ino);

/*
 * What came of the works on one file, since the engine was started, for as long
 * as it is one of the last RECOVERY_TALLIES or so that were recovered; else all
 * is 0. Does not block.
 */
#define RECOVERY_TALLIES 1024
struct recovery_tally {
	uint64_t ino;
	uint64_t last;	    /* the engine's: when it was counted for */
	uint64_t completed; /* extents made huge */
	uint64_t ended[HUGETMPFS_NR_REASONS];
};
void recovery_file_tally(struct recovery *recovery, uint64_t ino,
			 struct recovery_tally *out);

/* Numbers for status. */
struct recovery_load {
	unsigned recoveries;
	unsigned queued;
	unsigned running;
};
void recovery_load(struct recovery *recovery, struct recovery_load *load);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory cgroups, version 1 and 2: who pays for pages. The kernel charges a new
 * page to the cgroup of the process in whose name it is allocated, so what
 * would allocate in this daemon for somebody else is done by a short-lived
 * process inside that somebody's cgroup.
 *
 * A group is an fd of the cgroup's directory, the caller's to close.
 */
#ifndef MM_CHARGE_H
#define MM_CHARGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct charge;

/*
 * Finds where memory cgroups are. Returns 0, -ENOENT when there are none
 * that this process can see, or another negative errno.
 */
int charge_open(struct charge **out);
void charge_close(struct charge *charge);

/* 1 or 2: which version holds the memory controller. */
int charge_version(const struct charge *charge);

/* The group of a process. Returns it or a negative errno. */
int charge_group_of(struct charge *charge, pid_t pid);

/*
 * The group with the inode number that /proc/kpagecgroup gives. Returns it or
 * a negative errno, -ESTALE when it is gone.
 */
int charge_group_by_ino(struct charge *charge, uint64_t ino);

/* The inode number of a process's group. Returns 0 or a negative errno. */
int charge_ino_of(struct charge *charge, pid_t pid, uint64_t *ino);

/* Whether it is the group that this process is in. */
bool charge_group_is_own(struct charge *charge, int group);

/*
 * Bytes that may be charged to the group before it or a group above it reaches
 * its limit, counting pages of ordinary files as free; UINT64_MAX
 * without a limit. Returns 0 or a negative errno.
 */
int charge_room(struct charge *charge, int group, uint64_t *bytes);

/*
 * Runs function(arg) in a process inside the group, or with -1 (then charge may
 * be NULL) inside this process's own, and waits for it. Where memory ends it is
 * the first to be killed, which undoes a call that allocates: whoever asked gets
 * an error, and nobody else is killed for it. The function may only make system
 * calls and may use no other fd than keep_fd: it runs in a copy of this process
 * that has one thread. Returns what the function returned (0 or a negative
 * errno), -ENOMEM when the process was killed, as the kernel does at the group's
 * limit, or the negative errno of starting it; then the function did not run.
 */
int charge_run(struct charge *charge, int group, int keep_fd,
	       int (*function)(void *arg), void *arg);

#endif

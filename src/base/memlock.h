/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that stays when there is little, so that nobody who waits for an
 * answer waits for a page of ours to be read from disk or swap. What is locked
 * is bounded, and named in the essay of memlock.c.
 *
 * Locking needs CAP_IPC_LOCK, or an RLIMIT_MEMLOCK without a limit; without,
 * all of this does nothing, and memlock_state() says so.
 */
#ifndef BASE_MEMLOCK_H
#define BASE_MEMLOCK_H

#include <stddef.h>

/*
 * Looks what the calling process, of one thread, has mapped, which must not be
 * anything yet that may become large, and makes a reserve of heap. From then on
 * the others here work, and memlock_finish() locks what there was, which takes
 * a millisecond or more. Both return 0 or a negative errno.
 */
int memlock_begin(void);
int memlock_finish(void);

/* Both, for a process that maps nothing large later, either: that as well. */
int memlock_for_good(void);

/* Locks the part of the calling thread's stack that it needs. */
void memlock_stack(void);

/* Locks what the heap has grown by; costs nothing when it has not. */
void memlock_heap(void);

/* Locks a range, making its pages. Returns 0 or a negative errno. */
int memlock_range(const void *start, size_t bytes);

/* "on", or "off: " or "in part: " and why. Static. */
const char *memlock_state(void);

#endif

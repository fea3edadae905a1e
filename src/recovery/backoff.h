/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extents whose recovery failed and that nobody has asked for by name: until
 * when they are left alone. Twice as long each time, for as long as the
 * evidence stays what it was. Thread-safe, never blocks. Times are in ticks of
 * the caller's.
 */
#ifndef RECOVERY_BACKOFF_H
#define RECOVERY_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include <hugetmpfs/types.h>

#define RECOVERY_BACKOFF_FIRST_TICKS 5
#define RECOVERY_BACKOFF_DOUBLINGS   6 /* 320 ticks */

/* The most extents that are remembered; beyond it none is left alone. */
#define RECOVERY_BACKOFF_MAX_EXTENTS 65536

struct recovery_backoff;

/* Returns 0 or -ENOMEM. */
int recovery_backoff_open(struct recovery_backoff **out);
void recovery_backoff_close(struct recovery_backoff *backoff);

/*
 * Whether the extent is to be left alone. evidence is how many pages of it are
 * used by small entries: with another number than last time the extent is
 * forgotten, for then it may be another matter.
 */
bool recovery_backoff_holds(struct recovery_backoff *backoff, uint64_t ino, uint64_t index,
		   uint32_t evidence, uint64_t now);

/* The same without a look at the evidence; forgets nothing. */
bool recovery_backoff_holds_still(struct recovery_backoff *backoff, uint64_t ino, uint64_t index,
			 uint64_t now);

/* It is whole again: forgets it. */
void recovery_backoff_forget(struct recovery_backoff *backoff, uint64_t ino,
			     uint64_t index);

/*
 * It is not, for this reason: leaves it alone from now on. Returns until when, or
 * 0 where the reason does not pass by itself.
 */
uint64_t recovery_backoff_store(struct recovery_backoff *backoff, uint64_t ino, uint64_t index,
		   enum hugetmpfs_reason reason, uint64_t now);

/* What recovery_backoff_store() has returned for it; 0 when it is not known. */
uint64_t recovery_backoff_until(struct recovery_backoff *backoff, uint64_t ino,
				uint64_t index);

/* There is memory again: forgets those that failed for the want of it. */
void recovery_backoff_relent(struct recovery_backoff *backoff);

/* Forgets what was left alone for long enough, and not asked since. */
void recovery_backoff_sweep(struct recovery_backoff *backoff, uint64_t now);

#endif

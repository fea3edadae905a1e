/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look for extents that are not where their policy wants them, whether
 * somebody uses them or not, huge or not: a part of the scan, on machines with
 * several NUMA nodes. One caller at a time.
 */
#ifndef RECOVERY_SWEEP_H
#define RECOVERY_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct recovery;
struct recovery_backoff;
struct recovery_offers;
struct recovery_sweep;

/* All are borrowed. Returns 0 or -ENOMEM. */
int recovery_sweep_open(struct recovery_sweep **out, struct recovery *recovery,
			struct recovery_offers *offers,
			struct recovery_backoff *backoff);
void recovery_sweep_close(struct recovery_sweep *sweep);

/*
 * Whether there may be such extents: there are several nodes, and the mount or
 * a file has a policy. Costs next to nothing.
 */
bool recovery_sweep_matters(struct recovery *recovery);

/* There may be more of them than there were: looks soon. */
void recovery_sweep_hurry(struct recovery_sweep *sweep);

/*
 * Called once a tick, with its number. If it is time to, looks for slice_ns
 * and a little more, and adds what it finds to the offers.
 */
void recovery_sweep_tick(struct recovery_sweep *sweep, uint64_t now,
			 uint64_t slice_ns);

#endif

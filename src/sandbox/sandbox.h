/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entering the sandbox: what each of the two processes behind a mount gives up
 * of itself before it does anything else. What cannot be had is logged, never
 * fatal.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>

/*
 * For the daemon, as long as it has one thread. With debugging it may be looked
 * into: no filter of system calls, and core dumps.
 */
void sandbox_enter_daemon(bool debugging);

/* Locks the memory that the daemon had then; when it answers already. */
void sandbox_lock_daemon(void);

/* For the keeper, likewise. */
void sandbox_enter_keeper(void);

/* "on", or "off: " and why, of the filter of system calls. Static. */
const char *sandbox_filter_state(void);

#endif

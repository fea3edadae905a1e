/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left of root's power to the processes behind a mount. Both functions
 * are for a process with one thread: the capabilities are those of a thread,
 * and threads started later have them from it.
 */
#ifndef SANDBOX_CAPABILITIES_H
#define SANDBOX_CAPABILITIES_H

#include <stdint.h>

/*
 * Leaves the daemon what it needs and takes the rest away for good, from what
 * it might execute as well. Its capabilities do not go with its fsuid from now
 * on. Returns 0, or a negative errno when not all could be taken away.
 */
int capabilities_limit_daemon(void);

/*
 * Leaves the keeper what it needs itself in force, and what a daemon, or that
 * of a newer program, may need in reserve.
 */
int capabilities_limit_keeper(void);

/* The effective ones of the calling thread, a bit each; 0 on an error. */
uint64_t capabilities_effective(void);

/* Their names with commas between, for the caller to free; NULL: no memory. */
char *capabilities_text(uint64_t set);

#endif

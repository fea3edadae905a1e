/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery that nobody asks for: a thread that looks for evidence and offers
 * the engine what it finds. Part of the engine's life only; recovery_closed()
 * is for the rest.
 */
#ifndef RECOVERY_SCAN_H
#define RECOVERY_SCAN_H

struct recovery;

/*
 * Without open_ino in the engine's config there is nothing to make or to start.
 * Both return 0 or a negative errno.
 */
int recovery_scan_create(struct recovery *recovery);
int recovery_scan_start(struct recovery *recovery);

/* Ends the thread; what it has offered may still be answered. */
void recovery_scan_stop(struct recovery *recovery);

/* When nothing is left that it has offered. */
void recovery_scan_free(struct recovery *recovery);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a killed daemon leaves behind for the kernel to clear away.
 */
#ifndef DAEMON_REMAINS_H
#define DAEMON_REMAINS_H

#include <sys/types.h>

/*
 * Has the memory of the calling process outlive it by some milliseconds. To be
 * called by its first thread, once. *second is the process that shares it, which
 * /proc lists, 0 when there is none. Returns 0, or a negative errno; then the
 * memory goes first and the process after it, as usual.
 */
int remains_begin(pid_t *second);

/* From now on the two end together again. May be called without the first. */
void remains_end(void);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls that are left to the daemon.
 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

/*
 * From now on every other system call of the calling thread, and of the threads
 * and processes that it starts, answers ENOSYS and is logged by the kernel
 * (audit). For good. Returns 0, -EOPNOTSUPP when this was built without
 * libseccomp, or another negative errno; then nothing has changed.
 */
int filter_install(void);

#endif

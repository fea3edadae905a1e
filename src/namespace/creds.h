/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In whose name a thread acts on the backing. The kernel has checked the
 * caller's permission already (default_permissions); what is put in force here
 * decides ownership, umask and which set-id bits a change takes away.
 *
 * Each serving thread holds the capabilities that the daemon has kept. They do
 * not change with the file system uid (SECBIT_NO_SETUID_FIXUP).
 */
#ifndef NAMESPACE_CREDS_H
#define NAMESPACE_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Makes the calling thread's umask and credentials its own. To be called once
 * in each thread that uses the functions below. Returns 0 or a negative errno.
 */
int creds_thread_init(void);

/* New inodes belong to uid and gid, and are masked by umask. */
void creds_assume(uid_t uid, gid_t gid, mode_t umask);

/*
 * Takes CAP_FSETID and CAP_SYS_RESOURCE away, so that the kernel clears suid
 * and sgid at a change of data or owner, and keeps limits, as it does for
 * somebody unprivileged, a member of gid and groups.
 */
int creds_drop(gid_t gid, const gid_t *groups, size_t nr_groups);

/* Back to root, with all its capabilities. */
void creds_restore(void);

/* Whether the process has CAP_SYS_ADMIN; false when that cannot be seen. */
bool creds_process_is_admin(pid_t pid);

/* RLIMIT_FSIZE of the process in bytes; UINT64_MAX without, or unknown. */
uint64_t creds_process_file_limit(pid_t pid);

/*
 * Sends a signal to a thread that had a number when a request came from it, if
 * it is one of that (fs)uid: its number may be another's by now, but never that
 * of another user.
 */
void creds_signal_thread(pid_t tid, uid_t uid, int signal);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Credentials per thread. The system calls are used directly where the C
 * library would change all threads at once.
 */
#include "namespace/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ABI of Linux 6.9; the headers of the build may be older. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* What this thread has in force, to spare calls that change nothing. */
static __thread struct {
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool dropped;
	bool with_groups;
} now;

static int change_capabilities(bool raise)
{
	const uint32_t bits = CAP_TO_MASK(CAP_FSETID) |
			      CAP_TO_MASK(CAP_SYS_RESOURCE);
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	_Static_assert(CAP_FSETID < 32 && CAP_SYS_RESOURCE < 32,
		       "both lie in the first word");
	if (syscall(SYS_capget, &header, data))
		return -errno;
	if (raise)
		data[0].effective |= bits & data[0].permitted;
	else
		data[0].effective &= ~bits;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* An error that is no answer for good. */
static bool is_short(int error)
{
	return error == ENOMEM || error == EAGAIN || error == EINTR;
}

int creds_thread_init(void)
{
	int bits;

	while (unshare(CLONE_FS))
		if (!is_short(errno))
			return -errno;
	now.umask = umask(0);
	umask(now.umask);
	do {
		bits = prctl(PR_GET_SECUREBITS);
	} while (bits < 0 && is_short(errno));
	/* the sandbox has done it for all threads, and it takes CAP_SETPCAP */
	if (bits < 0)
		return -errno;
	if (!(bits & SECBIT_NO_SETUID_FIXUP) &&
	    prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP))
		return -errno;
	return 0;
}

void creds_assume(uid_t uid, gid_t gid, mode_t mask)
{
	if (now.uid != uid)
		setfsuid(uid);
	if (now.gid != gid)
		setfsgid(gid);
	if (now.umask != mask)
		umask(mask);
	now.uid = uid;
	now.gid = gid;
	now.umask = mask;
}

int creds_drop(gid_t gid, const gid_t *groups, size_t nr_groups)
{
	int ret = change_capabilities(false);

	if (ret)
		return ret;
	now.dropped = true;
	creds_assume(now.uid, gid, now.umask);
	if (nr_groups) {
		now.with_groups = true;
		if (syscall(SYS_setgroups, nr_groups, groups)) {
			ret = -errno;
			creds_restore();
		}
	}
	return ret;
}

void creds_restore(void)
{
	creds_assume(0, 0, now.umask);
	/* the next request is another caller's: what fails is tried again */
	if (now.with_groups)
		while (syscall(SYS_setgroups, 0, NULL) && is_short(errno))
			;
	if (now.dropped)
		while (is_short(-change_capabilities(true)))
			;
	now.with_groups = false;
	now.dropped = false;
}

/*
 * Reads what format finds in a file of /proc/PID. Works where prlimit(2) would
 * not: in a container without CAP_SYS_RESOURCE.
 */
static bool scan_process(pid_t pid, const char *name, const char *format,
			 unsigned long long *value)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, format, value) == 1;
	fclose(file);
	return found;
}

void creds_signal_thread(pid_t tid, uid_t uid, int signal)
{
	int pidfd = (int) syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	unsigned long long is;

	if (pidfd < 0)
		return;
	/*
	 * Either the number is the pidfd's still, and what it says is true of
	 * it, or the signal reaches nobody.
	 */
	if (scan_process(tid, "status", "Uid: %*u %*u %*u %llu", &is) &&
	    is == uid)
		syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
	close(pidfd);
}

bool creds_process_is_admin(pid_t pid)
{
	unsigned long long effective;

	return scan_process(pid, "status", "CapEff: %llx", &effective) &&
	       effective >> CAP_SYS_ADMIN & 1;
}

uint64_t creds_process_file_limit(pid_t pid)
{
	unsigned long long limit;

	/* "unlimited" is no number */
	return scan_process(pid, "limits", "Max file size %llu", &limit) ?
		       limit : UINT64_MAX;
}

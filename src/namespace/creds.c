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

/* What this thread has in force, to spare calls that change nothing. */
static __thread struct {
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool without_fsetid;
	bool with_groups;
} now;

static int change_capability(unsigned capability, bool raise)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t bit = CAP_TO_MASK(capability);
	uint32_t *effective = &data[CAP_TO_INDEX(capability)].effective;

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*effective = raise ? *effective | bit : *effective & ~bit;
	if (syscall(SYS_capset, &header, data))
		return -errno;
	return 0;
}

int creds_thread_init(void)
{
	if (unshare(CLONE_FS))
		return -errno;
	now.umask = umask(0);
	umask(now.umask);
	if (prctl(PR_SET_SECUREBITS,
		  prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP))
		return -errno;
	return change_capability(CAP_SYS_RESOURCE, false);
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

int creds_drop_fsetid(gid_t gid, const gid_t *groups, size_t nr_groups)
{
	int ret = change_capability(CAP_FSETID, false);

	if (ret)
		return ret;
	now.without_fsetid = true;
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
	if (now.with_groups)
		syscall(SYS_setgroups, 0, NULL);
	if (now.without_fsetid)
		change_capability(CAP_FSETID, true);
	now.with_groups = false;
	now.without_fsetid = false;
}

bool creds_process_is_admin(pid_t pid)
{
	unsigned long long effective = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	fclose(file);
	return effective >> CAP_SYS_ADMIN & 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why each capability is kept stands beside it; hugetmpfs(8), SECURITY, says it
 * to users.
 *
 * The keeper starts daemons, and with PR_SET_NO_NEW_PRIVS no program gets more
 * than the one has that executes it. So its permitted set is an upper limit for
 * every daemon to come, that of a newer program too, and must not be narrow;
 * only what has to do with the machine rather than with files, memory and
 * processes is given up there. Its effective set is what counts for what it
 * does itself.
 */
#include "sandbox/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t daemon_set =
	/* files of everybody, which the kernel has let the caller use */
	BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) |
	BIT(CAP_FSETID) | BIT(CAP_LEASE) | BIT(CAP_LINUX_IMMUTABLE) |
	BIT(CAP_MKNOD) | BIT(CAP_SETFCAP) |
	/* open_by_handle_at */
	BIT(CAP_DAC_READ_SEARCH) |
	/* what is made belongs to the caller */
	BIT(CAP_SETGID) | BIT(CAP_SETUID) |
	/* passthrough, remount, trusted.*, frame numbers in pagemap */
	BIT(CAP_SYS_ADMIN) |
	/* page tables of mappers, collapses in them, whether they live */
	BIT(CAP_KILL) | BIT(CAP_SYS_NICE) | BIT(CAP_SYS_PTRACE) |
	/* memory that stays when there is little */
	BIT(CAP_IPC_LOCK);

static const uint64_t keeper_set =
	/* the way to the mount point, and a first look at the handles */
	BIT(CAP_DAC_READ_SEARCH) |
	/* mounts */
	BIT(CAP_SYS_ADMIN) |
	/* as above */
	BIT(CAP_IPC_LOCK);

/* What no daemon will need. */
static const uint64_t never_set =
	BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_BROADCAST) |
	BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_IPC_OWNER) |
	BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_CHROOT) |
	BIT(CAP_SYS_PACCT) | BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TIME) |
	BIT(CAP_SYS_TTY_CONFIG) | BIT(CAP_AUDIT_WRITE) |
	BIT(CAP_AUDIT_CONTROL) | BIT(CAP_MAC_OVERRIDE) | BIT(CAP_MAC_ADMIN) |
	BIT(CAP_SYSLOG) | BIT(CAP_WAKE_ALARM) | BIT(CAP_BLOCK_SUSPEND) |
	BIT(CAP_AUDIT_READ);

static const char *const names[] = {
	[CAP_CHOWN] = "chown",
	[CAP_DAC_OVERRIDE] = "dac_override",
	[CAP_DAC_READ_SEARCH] = "dac_read_search",
	[CAP_FOWNER] = "fowner",
	[CAP_FSETID] = "fsetid",
	[CAP_KILL] = "kill",
	[CAP_SETGID] = "setgid",
	[CAP_SETUID] = "setuid",
	[CAP_SETPCAP] = "setpcap",
	[CAP_LINUX_IMMUTABLE] = "linux_immutable",
	[CAP_IPC_LOCK] = "ipc_lock",
	[CAP_SYS_PTRACE] = "sys_ptrace",
	[CAP_SYS_ADMIN] = "sys_admin",
	[CAP_SYS_NICE] = "sys_nice",
	[CAP_SYS_RESOURCE] = "sys_resource",
	[CAP_MKNOD] = "mknod",
	[CAP_LEASE] = "lease",
	[CAP_SETFCAP] = "setfcap",
};

typedef struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

static int get_sets(sets sets)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return syscall(SYS_capget, &header, sets) ? -errno : 0;
}

/* Permitted and effective ones become those of two sets that there are. */
static int set_sets(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	sets sets;
	int ret = get_sets(sets);

	if (ret)
		return ret;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t) (permitted >> 32 * i);
		sets[i].effective = sets[i].permitted &
				    (uint32_t) (effective >> 32 * i);
		sets[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

/* Takes all others away from whatever is executed. */
static int limit_bounding(uint64_t set)
{
	int ret = 0;

	for (int i = 0; i < 64; i++) {
		int there = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (there < 0) /* the kernel knows no more */
			break;
		if (there && !(set & BIT(i)) &&
		    prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			ret = -errno;
	}
	return ret;
}

static int limit(uint64_t permitted, uint64_t effective)
{
	int error, ret = limit_bounding(permitted);

	error = set_sets(permitted, effective);
	ret = ret ? ret : error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = ret ? ret : -errno;
	return ret;
}

int capabilities_limit_daemon(void)
{
	const int bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
			 SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED;
	int error = 0, ret;

	/* what root executes has nothing, and fsuid takes nothing away */
	if (prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS) | bits))
		error = -errno;
	ret = limit(daemon_set, daemon_set);
	return ret ? ret : error;
}

int capabilities_limit_keeper(void)
{
	return limit(~never_set, keeper_set);
}

uint64_t capabilities_effective(void)
{
	sets sets;

	if (get_sets(sets))
		return 0;
	return (uint64_t) sets[1].effective << 32 | sets[0].effective;
}

char *capabilities_text(uint64_t set)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	const char *comma = "";

	if (!stream)
		return NULL;
	for (unsigned i = 0; i < 64; i++) {
		if (!(set & BIT(i)))
			continue;
		if (i < sizeof(names) / sizeof(names[0]) && names[i])
			fprintf(stream, "%s%s", comma, names[i]);
		else
			fprintf(stream, "%s%u", comma, i);
		comma = ",";
	}
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

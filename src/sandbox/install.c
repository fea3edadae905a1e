/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter as it was written down by the build (filter.c).
 */
#include "sandbox/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/filter_program.h"

static int load(unsigned long flags)
{
	struct sock_fprog program = {
		.len = sizeof(filter_program) / sizeof(*filter_program),
		.filter = (struct sock_filter *) filter_program,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program)
		       ? -errno
		       : 0;
}

int filter_install(void)
{
	int ret;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	ret = load(SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	/* without these two it does its work as well */
	return ret == -EINVAL ? load(0) : ret;
}

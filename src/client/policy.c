/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies of files and directories.
 */
#include <hugetmpfs/hugetmpfs.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

int hugetmpfs_policy(int fd, struct hugetmpfs_policy *policy)
{
	return ioctl(fd, HUGETMPFS_IOC_POLICY, policy) ? -errno : 0;
}

int hugetmpfs_numa_get(int fd, uint32_t flags, char *text)
{
	struct hugetmpfs_ioc_numa arg = { .flags = flags };

	if (ioctl(fd, HUGETMPFS_IOC_NUMA_GET, &arg))
		return -errno;
	/* never believe that a text ends which came from elsewhere */
	arg.text[sizeof(arg.text) - 1] = '\0';
	memcpy(text, arg.text, sizeof(arg.text));
	return 0;
}

int hugetmpfs_numa_set(int fd, uint64_t first, uint64_t last, const char *text,
		       char *message, size_t message_bytes)
{
	struct hugetmpfs_ioc_numa arg = { .first = first, .last = last };
	int ret;

	if (message && message_bytes)
		*message = '\0';
	if (text && strlen(text) >= sizeof(arg.text))
		return -E2BIG;
	if (text)
		strcpy(arg.text, text);
	if (!ioctl(fd, HUGETMPFS_IOC_NUMA_SET, &arg))
		return 0;
	ret = -errno;
	arg.message[sizeof(arg.message) - 1] = '\0';
	if (message)
		snprintf(message, message_bytes, "%s", arg.message);
	return ret;
}

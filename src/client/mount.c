/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which mount is it: from a path or fd to the mount's id, from there to the
 * line of /proc/self/mountinfo. An O_PATH open of a mountpoint and a statx(2)
 * of the mount id send no request to the file system, so a mount whose daemon
 * hangs or is dead cannot hold us up.
 */
#include <hugetmpfs/hugetmpfs.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mountinfo.h"

#define MOUNT_FSTYPE "fuse.hugetmpfs"

static int info_to_mount(const struct mountinfo *info,
			 struct hugetmpfs_mount *mount)
{
	size_t length = strlen(info->mountpoint);

	if (strcmp(info->fstype, MOUNT_FSTYPE))
		return -ENOTTY;
	if (length >= sizeof(mount->mountpoint))
		return -ENAMETOOLONG;
	mount->dev_major = major(info->dev);
	mount->dev_minor = minor(info->dev);
	memcpy(mount->mountpoint, info->mountpoint, length + 1);
	return 0;
}

int hugetmpfs_mount_of_fd(int fd, struct hugetmpfs_mount *mount)
{
	struct mountinfo info;
	struct statx stx;
	int ret;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		  &stx))
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID))
		return -ENOSYS;
	ret = mountinfo_by_id((int) stx.stx_mnt_id, &info);
	/* not in our mount namespace: a pipe, a detached mount */
	if (ret == -ENOENT)
		return -ENOTTY;
	if (ret)
		return ret;
	ret = info_to_mount(&info, mount);
	mountinfo_free(&info);
	return ret;
}

int hugetmpfs_mount_of(const char *path, struct hugetmpfs_mount *mount)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = hugetmpfs_mount_of_fd(fd, mount);
	close(fd);
	return ret;
}

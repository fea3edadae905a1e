/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounting and unmounting with mount(2) and umount2(2), by the numbers that
 * mountinfo gives.
 */
#include "keeper/fusemount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mountinfo.h"

static int open_device(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd >= 0)
		return fd;
	ret = -errno;
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		log_error("no /dev/fuse: the kernel's fuse module is not "
			  "loaded; try modprobe fuse");
	else
		log_error("cannot open /dev/fuse: %s", strerror(-ret));
	return ret;
}

static int do_mount(int fuse_fd, const char *mountpoint, const char *source,
		    unsigned long flags)
{
	char data[128];
	int ret;

	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,"
		 "default_permissions", fuse_fd);
	if (!mount(source, mountpoint, FUSEMOUNT_TYPE, flags, data))
		return 0;
	ret = -errno;
	if (ret == -EPERM)
		log_error("cannot mount on %s: only root may mount "
			  "(CAP_SYS_ADMIN is needed)", mountpoint);
	else
		log_error("cannot mount on %s: %s", mountpoint, strerror(-ret));
	return ret;
}

int fusemount_create(struct fusemount *mount, const char *mountpoint,
		     const char *source, unsigned long flags)
{
	struct mountinfo info;
	int ret;

	mount->fuse_fd = ret = open_device();
	if (ret < 0)
		return ret;
	ret = do_mount(mount->fuse_fd, mountpoint, source, flags);
	if (ret)
		goto err_close;
	ret = mountinfo_at(mountpoint, &info);
	if (ret) {
		log_error("cannot find the mount on %s in mountinfo: %s",
			  mountpoint, strerror(-ret));
		umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
		goto err_close;
	}
	mount->id = info.id;
	mount->dev = info.dev;
	mountinfo_free(&info);
	return 0;

err_close:
	fusemount_close(mount);
	return ret;
}

/* Ids are used again after an unmount, so the device must be ours, too. */
static int find(const struct fusemount *mount, struct mountinfo *info)
{
	int ret = mountinfo_by_id(mount->id, info);

	if (!ret && info->dev != mount->dev) {
		mountinfo_free(info);
		ret = -ENOENT;
	}
	return ret;
}

bool fusemount_is_mounted(const struct fusemount *mount, unsigned long *flags)
{
	struct mountinfo info;

	if (find(mount, &info))
		return false;
	if (flags)
		*flags = info.flags;
	mountinfo_free(&info);
	return true;
}

int fusemount_umount(const struct fusemount *mount, int flags)
{
	struct mountinfo info, top;
	int ret;

	ret = find(mount, &info);
	if (ret)
		return ret;
	ret = mountinfo_at(info.mountpoint, &top);
	if (ret)
		goto out_free_info;
	/* a path names what is on top: never unmount what is not ours */
	if (top.id != mount->id)
		ret = -EBUSY;
	else if (umount2(info.mountpoint, flags | UMOUNT_NOFOLLOW))
		ret = -errno;
	mountinfo_free(&top);
out_free_info:
	mountinfo_free(&info);
	return ret;
}

void fusemount_close(struct fusemount *mount)
{
	if (mount->fuse_fd >= 0)
		close(mount->fuse_fd);
	mount->fuse_fd = -1;
}

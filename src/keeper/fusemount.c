/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounting and unmounting with mount(2) and umount2(2), by the numbers that
 * mountinfo gives. Those are used again as soon as a mount has ended, likely by
 * the next mount at the same place; so a mount also has a number that never is
 * (Linux 6.8).
 */
#include "keeper/fusemount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* ABI of Linux 6.8; the headers of the build may be older. */
#define STATX_UNIQUE_ID 0x4000U
#define NR_STATMOUNT	457
struct mount_request {
	uint32_t size;
	uint32_t spare;
	uint64_t id;
	uint64_t param;
};

/*
 * The unique id of what is mounted at a path, 0 when there is none. This alone
 * looks at the mount itself, but no daemon is asked: O_PATH opens nothing, and
 * attributes are not fetched.
 */
static uint64_t unique_id_at(const char *path)
{
	struct statx st;
	uint64_t id = 0;
	int fd;

	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (!statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		   STATX_UNIQUE_ID, &st) && (st.stx_mask & STATX_UNIQUE_ID))
		id = st.stx_mnt_id;
	close(fd);
	return id;
}

/* Whether a mount with this unique id is in this mount namespace. */
static bool has_unique_id(uint64_t id)
{
	struct mount_request request = { .size = sizeof(request), .id = id };
	uint64_t buffer[64]; /* for the fixed part, of which nothing is asked */

	if (!id)
		return true;
	return !syscall(NR_STATMOUNT, &request, buffer, sizeof(buffer), 0) ||
	       errno != ENOENT;
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
	mount->unique_id = unique_id_at(mountpoint);
	mountinfo_free(&info);
	return 0;

err_close:
	fusemount_close(mount);
	return ret;
}

static int find(const struct fusemount *mount, struct mountinfo *info)
{
	int ret = mountinfo_by_id(mount->id, info);

	/* in this order: as long as ours is there, its id is no other's */
	if (!ret && (info->dev != mount->dev ||
		     !has_unique_id(mount->unique_id))) {
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

bool fusemount_is_disconnected(const struct fusemount *mount)
{
	struct pollfd pollfd = { .fd = mount->fuse_fd };

	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLERR);
}

void fusemount_close(struct fusemount *mount)
{
	if (mount->fuse_fd >= 0)
		close(mount->fuse_fd);
	mount->fuse_fd = -1;
}

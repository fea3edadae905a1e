/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders of anchors. One whose tmpfs is not mounted any more, because somebody
 * has unmounted it, is a leftover: its number may be used again.
 */
#include "keeper/anchor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"

struct names {
	char files[80];
	char state[80];
};

static struct names names_of(const struct anchor *anchor)
{
	struct names names;

	snprintf(names.files, sizeof(names.files), "%s/files", anchor->path);
	snprintf(names.state, sizeof(names.state), "%s/state", anchor->path);
	return names;
}

static int set_path(struct anchor *anchor, int root_fd)
{
	struct stat st;

	if (fstat(root_fd, &st))
		return -errno;
	snprintf(anchor->path, sizeof(anchor->path), ANCHOR_DIR "/%u:%u",
		 major(st.st_dev), minor(st.st_dev));
	return 0;
}

static void remove_folder(const struct anchor *anchor)
{
	struct names names = names_of(anchor);

	/* as long as something is mounted there the rest is needed */
	if (rmdir(names.files) && errno != ENOENT)
		return;
	unlink(names.state);
	rmdir(anchor->path);
}

static int make_folder(const struct anchor *anchor)
{
	struct names names = names_of(anchor);

	if ((mkdir(PROTOCOL_RUNTIME_DIR, 0700) && errno != EEXIST) ||
	    (mkdir(ANCHOR_DIR, 0700) && errno != EEXIST))
		return -errno;
	/* of a tmpfs that had the same number */
	remove_folder(anchor);
	if (mkdir(anchor->path, 0700) || mkdir(names.files, 0700))
		return -errno;
	return 0;
}

/* Opens and locks the file with the state: whoever has it is the keeper. */
static int open_state(struct anchor *anchor, int flags)
{
	struct names names = names_of(anchor);
	int ret;

	anchor->state_fd = open(names.state, O_RDWR | O_CLOEXEC | flags, 0600);
	if (anchor->state_fd < 0)
		return -errno;
	if (!flock(anchor->state_fd, LOCK_EX | LOCK_NB))
		return 0;
	ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
	anchor_close(anchor);
	return ret;
}

int anchor_create(struct anchor *anchor, int mount_fd, int root_fd)
{
	struct names names;
	int ret;

	ret = set_path(anchor, root_fd);
	if (!ret)
		ret = make_folder(anchor);
	if (!ret)
		ret = open_state(anchor, O_CREAT | O_EXCL);
	names = names_of(anchor);
	if (!ret && move_mount(mount_fd, "", AT_FDCWD, names.files,
			       MOVE_MOUNT_F_EMPTY_PATH))
		ret = -errno;
	if (!ret)
		return 0;
	log_error("cannot mount the tmpfs on %s: %s", names.files,
		  strerror(-ret));
	anchor_remove(anchor);
	return ret;
}

int anchor_adopt(struct anchor *anchor, int root_fd)
{
	int ret = set_path(anchor, root_fd);

	return ret ? ret : open_state(anchor, 0);
}

/* The root of what is mounted there, or a negative errno: it is a leftover. */
static int open_root(const struct anchor *anchor)
{
	struct names names = names_of(anchor);
	struct statx stx;
	int fd;

	if (statx(AT_FDCWD, names.files, AT_SYMLINK_NOFOLLOW, 0, &stx))
		return -errno;
	if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return -ENOENT;
	fd = open(names.files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether it is the mount point's and nobody's. */
static bool is_free(struct anchor *anchor, const char *mountpoint,
		    struct saved *saved)
{
	if (open_state(anchor, 0))
		return false;
	if (!saved_read(anchor->state_fd, saved)) {
		if (!strcmp(saved->mountpoint, mountpoint))
			return true;
		saved_free(saved);
	}
	anchor_close(anchor);
	return false;
}

int anchor_find(const char *mountpoint, struct anchor *anchor, int *root_fd,
		struct saved *saved)
{
	DIR *dir = opendir(ANCHOR_DIR);
	struct dirent *entry;
	unsigned major, minor;

	*root_fd = -1;
	anchor->path[0] = '\0';
	while (dir && *root_fd < 0 && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "%u:%u", &major, &minor) != 2)
			continue;
		snprintf(anchor->path, sizeof(anchor->path), ANCHOR_DIR "/%u:%u",
			 major, minor);
		if (!is_free(anchor, mountpoint, saved))
			continue;
		*root_fd = open_root(anchor);
		if (*root_fd < 0) {
			remove_folder(anchor);
			saved_free(saved);
			anchor_close(anchor);
		}
	}
	if (dir)
		closedir(dir);
	return *root_fd < 0 ? -ENOENT : 0;
}

void anchor_close(struct anchor *anchor)
{
	if (anchor->state_fd >= 0)
		close(anchor->state_fd);
	anchor->state_fd = -1;
}

void anchor_remove(struct anchor *anchor)
{
	struct names names = names_of(anchor);

	if (!anchor->path[0])
		return;
	umount2(names.files, MNT_DETACH | UMOUNT_NOFOLLOW);
	remove_folder(anchor);
	anchor_close(anchor);
	anchor->path[0] = '\0';
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command that changes a mount: options of tmpfs and ours are the daemon's
 * business, flags of the mount are set here, by mount(2), as the daemon must
 * never touch its own mount. Access times are both: what reading a file does
 * to them is decided in the backing.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <hugetmpfs/protocol.h>

#include "base/log.h"
#include "base/mountinfo.h"
#include "base/optstr.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/fusemount.h"
#include "keeper/request.h"
#include "keeper/runtime.h"

static unsigned long changed_flags(const struct options *options,
				   unsigned long flags)
{
	flags = (flags & ~options->mount_mask) | options->mount_flags;
	/* mount(2) would leave access times as they are if none was named */
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		flags |= MS_RELATIME;
	return flags;
}

/* What the daemon is to change, comma-separated; empty when nothing. */
static int daemon_list(const struct options *options, unsigned long old_flags,
		       unsigned long new_flags, char **list)
{
	uint64_t attr = options_atime_attr(new_flags);
	int ret = 0;

	*list = options_text(options);
	if (!*list)
		return -ENOMEM;
	if (attr == options_atime_attr(old_flags))
		return 0;
	ret = optstr_set(list, attr & MOUNT_ATTR_NOATIME ? "noatime"
			 : attr & MOUNT_ATTR_STRICTATIME ? "strictatime"
							 : "relatime", NULL);
	if (!ret)
		ret = optstr_set(list, attr & MOUNT_ATTR_NODIRATIME
					       ? "nodiratime" : "diratime", NULL);
	return ret;
}

static int change_options(const struct mountinfo *info, const char *list)
{
	struct runtime_peer peer;
	char *message;
	int ret;

	if (!*list)
		return 0;
	ret = runtime_find(NULL, info->dev, &peer);
	if (ret) {
		log_error("the hugetmpfs on %s is dead", info->mountpoint);
		return ret;
	}
	ret = request_send(peer.keeper_pid, PROTOCOL_REMOUNT, list, &message);
	if (ret)
		log_error("%s", message ? message : strerror(-ret));
	free(message);
	return ret;
}

static int change_flags(const struct mountinfo *info, unsigned long flags)
{
	int ret;

	if (!mount(NULL, info->mountpoint, NULL, MS_REMOUNT | flags, NULL))
		return 0;
	ret = -errno;
	log_error("cannot change the flags of %s: %s", info->mountpoint,
		  ret == -EBUSY ? "files are open for writing"
				: strerror(-ret));
	return ret;
}

/*
 * All or nothing. Files that are open for writing forbid to make it read-only,
 * which comes first therefore: to take that back nothing forbids.
 */
static int change(const struct mountinfo *info, const char *list,
		  unsigned long flags)
{
	bool read_only = flags & ~info->flags & MS_RDONLY;
	int ret = 0;

	if (read_only)
		ret = change_flags(info, flags);
	if (!ret)
		ret = change_options(info, list);
	if (ret && read_only)
		mount(NULL, info->mountpoint, NULL, MS_REMOUNT | info->flags,
		      NULL);
	if (!ret && !read_only && flags != info->flags)
		ret = change_flags(info, flags);
	return ret;
}

static int remount(const struct options *options, const struct mountinfo *info)
{
	unsigned long new_flags = changed_flags(options, info->flags);
	char *list = NULL;
	int ret;

	ret = daemon_list(options, info->flags, new_flags, &list);
	if (!ret && !options->fake)
		ret = change(info, list, new_flags);
	free(list);
	return ret;
}

int remount_command(const struct options *options)
{
	struct mountinfo info;
	char *path;
	int ret;

	ret = commands_mountpoint(options->mountpoint, &path);
	if (ret)
		return commands_exit_code(options, ret);
	ret = mountinfo_at(path, &info);
	if (!ret && strcmp(info.fstype, FUSEMOUNT_TYPE) != 0) {
		mountinfo_free(&info);
		ret = -ENOENT;
	}
	if (ret) {
		log_error("no hugetmpfs is mounted on %s", path);
	} else {
		ret = remount(options, &info);
		mountinfo_free(&info);
	}
	free(path);
	return ret ? commands_exit_code(options, ret) : EXIT_DONE;
}

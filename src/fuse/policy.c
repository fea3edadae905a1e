/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy of files and directories, extended attributes with a meaning:
 * their values are checked, and what is made in a directory takes that over
 * which the directory has.
 *
 * Whoever may write to a file may say whether it is recovered, but only its
 * owner where its pages belong: that is at the expense of other memory there.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/types.h>

#include "fuse/ops.h"
#include "placement/policy.h"
#include "recovery/recovery.h"

/* Room for the longest value of either. */
#define POLICY_VALUE_BYTES HUGETMPFS_NUMA_BYTES

static const char *const attributes[] = {
	HUGETMPFS_XATTR_RECOVER,
	HUGETMPFS_XATTR_NUMA,
};

#define NR_ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

int policy_check_owner(fuse_req_t req, int fd)
{
	uid_t uid = fuse_req_ctx(req)->uid;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return uid == 0 || uid == st.st_uid ? 0 : -EPERM;
}

static int policy_check_numa(fuse_req_t req, int fd, const void *value,
			     size_t size)
{
	struct placement_policy policy;
	char error[256];
	int ret = policy_check_owner(req, fd);

	if (!ret)
		ret = placement_parse(value, size, &policy, NULL, 0);
	if (!ret)
		ret = recovery_placement_check(
			server_of(req)->config.recovery, &policy,
			fuse_req_ctx(req)->pid, error, sizeof(error));
	return ret;
}

int policy_check(fuse_req_t req, int fd, const char *name, const void *value,
		 size_t size)
{
	if (!strcmp(name, HUGETMPFS_XATTR_NUMA))
		return policy_check_numa(req, fd, value, size);
	if (!strcmp(name, HUGETMPFS_XATTR_RECOVER) &&
	    recovery_policy_parse(value, size) == HUGETMPFS_BACKGROUND_UNSET)
		return -EINVAL;
	return 0;
}

int policy_check_remove(fuse_req_t req, int fd, const char *name)
{
	return strcmp(name, HUGETMPFS_XATTR_NUMA) ? 0
						  : policy_check_owner(req, fd);
}

/* fd may be an O_PATH one. */
static void policy_place(struct server *server, int fd)
{
	struct stat st;
	int data_fd;

	/* anything else must not even be opened */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	data_fd = open(fd_path(fd).path, O_RDONLY | O_CLOEXEC);
	if (data_fd < 0)
		return;
	recovery_place(server->config.recovery, data_fd);
	close(data_fd);
}

void policy_changed(struct server *server, int fd, const char *name)
{
	bool numa = !strcmp(name, HUGETMPFS_XATTR_NUMA);

	if (!numa && strcmp(name, HUGETMPFS_XATTR_RECOVER))
		return;
	recovery_policy_changed(server->config.recovery);
	if (numa)
		policy_place(server, fd);
}

/* False when the directory has no such attribute or there is no room for it. */
static bool policy_pass_on(int parent_fd, int fd, const char *name)
{
	char value[POLICY_VALUE_BYTES];
	ssize_t size = getxattr(fd_path(parent_fd).path, name, value,
				sizeof(value));

	return size > 0 &&
	       !setxattr(fd_path(fd).path, name, value, (size_t) size, 0);
}

void policy_inherit(struct server *server, int parent_fd, int fd)
{
	struct stat st;

	/* most mounts have none, and shall not pay for it */
	if (!recovery_has_own_policies(server->config.recovery) ||
	    fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	for (size_t i = 0; i < NR_ATTRIBUTES; i++) {
		/* without it the file does as the mount has it */
		if (policy_pass_on(parent_fd, fd, attributes[i]))
			policy_changed(server, fd, attributes[i]);
	}
}

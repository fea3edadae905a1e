/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy of files and directories, an extended attribute with a meaning:
 * its value is checked, and what is made in a directory takes that over which
 * the directory has.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <hugetmpfs/types.h>

#include "fuse/ops.h"
#include "recovery/recovery.h"

int policy_check(const char *name, const void *value, size_t size)
{
	if (strcmp(name, HUGETMPFS_XATTR_RECOVER))
		return 0;
	return recovery_policy_parse(value, size) == HUGETMPFS_BACKGROUND_UNSET
		       ? -EINVAL
		       : 0;
}

void policy_changed(struct server *server, const char *name)
{
	if (!strcmp(name, HUGETMPFS_XATTR_RECOVER))
		recovery_policy_changed(server->config.recovery);
}

void policy_inherit(struct server *server, int parent_fd, int fd)
{
	char value[16];
	struct stat st;
	ssize_t size;

	/* most mounts have none, and shall not pay for it */
	if (!recovery_has_own_policies(server->config.recovery))
		return;
	size = getxattr(fd_path(parent_fd).path, HUGETMPFS_XATTR_RECOVER, value,
			sizeof(value));
	if (size <= 0 || fstat(fd, &st) ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	/* without room for it the file does as the mount has it */
	setxattr(fd_path(fd).path, HUGETMPFS_XATTR_RECOVER, value,
		 (size_t) size, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes, POSIX ACLs among them. tmpfs keeps them; the kernel has
 * checked the caller's permission for the attribute's class.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "namespace/creds.h"
#include "namespace/journal.h"

/* What was removed under a dead daemon has no attributes any more. */
static bool is_removed(fuse_req_t req, fuse_ino_t ino, int fd)
{
	struct stat st;

	return fd == -ESTALE && attr_of_removed(server_of(req), ino, &st);
}

static int open_inode(fuse_req_t req, fuse_ino_t ino)
{
	return inode_open(server_of(req)->inodes, ino, O_PATH | O_NOFOLLOW);
}

/*
 * Notes whether the attribute is there, before it is made or removed by a
 * request that fails when it is, or is not.
 */
enum { XATTR_WAS_THERE = 1, XATTR_WAS_MISSING };

static void note_before(int fd, const char *name)
{
	bool there = getxattr(fd_path(fd).path, name, NULL, 0) >= 0;

	if (journal_before())
		return;
	journal_set_before(there ? XATTR_WAS_THERE : XATTR_WAS_MISSING);
	journal_commit();
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	int fd = open_inode(req, ino);
	int ret;

	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	ret = policy_check(req, fd, name, value, size);
	if (ret) {
		close(fd);
		reply_err(req, -ret);
		return;
	}
	if (flags & XATTR_CREATE)
		note_before(fd, name);
	/* what is there now a dead daemon has made */
	if (journal_is_resumed() && journal_before() == XATTR_WAS_MISSING)
		flags &= ~XATTR_CREATE;
	/* an ACL is a mode too, and may cost the caller the file's sgid bit */
	if (!strcmp(name, "system.posix_acl_access"))
		ret = caller_drop(req);
	if (!ret && setxattr(fd_path(fd).path, name, value, size, flags))
		ret = -errno;
	creds_restore();
	if (!ret)
		policy_changed(server_of(req), fd, name);
	close(fd);
	reply_err(req, -ret);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	int fd = open_inode(req, ino);
	int error;

	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	error = -policy_check_remove(req, fd, name);
	if (error) {
		close(fd);
		reply_err(req, error);
		return;
	}
	note_before(fd, name);
	if (removexattr(fd_path(fd).path, name))
		error = errno;
	else
		policy_changed(server_of(req), fd, name);
	close(fd);
	if (error == ENODATA && journal_is_resumed() &&
	    journal_before() == XATTR_WAS_THERE)
		error = 0;
	reply_err(req, error);
}

/* Replies a value, or its size when the caller asked for that; frees it. */
static void value_reply(fuse_req_t req, char *value, ssize_t n, size_t size)
{
	if (n < 0)
		reply_err(req, (int) -n);
	else if (!size)
		REPLY(req, fuse_reply_xattr(req, (size_t) n));
	else if ((size_t) n > size)
		reply_err(req, ERANGE);
	else
		reply_buf(req, value, (size_t) n);
	free(value);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	int fd = open_inode(req, ino);
	char *value = NULL;
	ssize_t n;

	if (fd < 0) {
		reply_err(req, is_removed(req, ino, fd) ? ENODATA : -fd);
		return;
	}
	if (size)
		value = malloc(size);
	if (size && !value) {
		n = -ENOMEM;
	} else {
		n = getxattr(fd_path(fd).path, name, value, size);
		n = n < 0 ? -errno : n;
	}
	close(fd);
	value_reply(req, value, n, size);
}

/* The whole list of names, however long it is just now. */
static ssize_t list_names(int fd, char **names)
{
	char *list = malloc(XATTR_LIST_MAX);
	ssize_t n;

	if (!list)
		return -ENOMEM;
	n = listxattr(fd_path(fd).path, list, XATTR_LIST_MAX);
	if (n < 0) {
		n = -errno;
		free(list);
		return n;
	}
	*names = list;
	return n;
}

/* tmpfs shows trusted.* to admins only; it took the daemon for the caller. */
static ssize_t hide_trusted(fuse_req_t req, char *names, ssize_t n)
{
	static const char trusted[] = XATTR_TRUSTED_PREFIX;
	ssize_t kept = 0;
	int admin = -1;

	for (ssize_t at = 0; at < n;) {
		size_t length = strlen(names + at) + 1;
		bool keep = strncmp(names + at, trusted, sizeof(trusted) - 1);

		if (!keep && admin < 0)
			admin = creds_process_is_admin(fuse_req_ctx(req)->pid);
		if (keep || admin) {
			memmove(names + kept, names + at, length);
			kept += (ssize_t) length;
		}
		at += (ssize_t) length;
	}
	return kept;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	int fd = open_inode(req, ino);
	char *names = NULL;
	ssize_t n;

	if (is_removed(req, ino, fd)) {
		value_reply(req, NULL, 0, size);
		return;
	}
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	n = list_names(fd, &names);
	close(fd);
	if (n > 0)
		n = hide_trusted(req, names, n);
	value_reply(req, names, n, size);
}

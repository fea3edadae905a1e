/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests on names: lookup and forget, making, linking, moving and removing.
 * The kernel holds the directories' locks meanwhile, so no two requests here
 * work on one name.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "namespace/creds.h"
#include "recovery/recovery.h"

static int open_directory(fuse_req_t req, fuse_ino_t ino)
{
	return inode_open(server_of(req)->inodes, ino, O_PATH | O_DIRECTORY);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param missing = { .entry_timeout = SERVER_FOREVER };
	int parent_fd = open_directory(req, parent);
	int fd;

	if (parent_fd < 0) {
		fuse_reply_err(req, -parent_fd);
		return;
	}
	fd = entry_open(parent_fd, name);
	close(parent_fd);
	if (fd == -ENOENT)
		fuse_reply_entry(req, &missing);
	else
		entry_reply(req, fd);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	inode_forget(server_of(req)->inodes, ino, nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		inode_forget(server_of(req)->inodes, forgets[i].ino,
			     forgets[i].nlookup);
	fuse_reply_none(req);
}

/* What a request wants to make: a node, a directory, a symlink or a link. */
struct making {
	const char *name;
	mode_t mode; /* with its type; S_IFLNK also for a symlink */
	dev_t rdev;
	const char *target; /* of a symlink */
	int link_fd;	    /* inode to link to; -1 to make a new one */
};

static int make(int parent_fd, const struct making *making)
{
	int ret;

	if (making->link_fd >= 0)
		ret = linkat(making->link_fd, "", parent_fd, making->name,
			     AT_EMPTY_PATH);
	else if (S_ISDIR(making->mode))
		ret = mkdirat(parent_fd, making->name, making->mode & 07777);
	else if (S_ISLNK(making->mode))
		ret = symlinkat(making->target, parent_fd, making->name);
	else
		ret = mknodat(parent_fd, making->name, making->mode,
			      making->rdev);
	return ret ? -errno : 0;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent,
			   const struct making *making)
{
	int parent_fd = open_directory(req, parent);
	int ret;

	if (parent_fd < 0) {
		fuse_reply_err(req, -parent_fd);
		return;
	}
	caller_assume(req);
	do {
		ret = make(parent_fd, making);
	} while (room_may_come(server_of(req), ret));
	creds_restore();
	if (!ret)
		ret = entry_open(parent_fd, making->name);
	if (ret >= 0 && making->link_fd < 0)
		policy_inherit(server_of(req), parent_fd, ret);
	entry_reply(req, ret);
	close(parent_fd);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	const struct making node = { .name = name, .mode = mode,
				     .rdev = rdev, .link_fd = -1 };

	make_and_reply(req, parent, &node);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct making directory = { .name = name, .mode = S_IFDIR | mode,
					  .link_fd = -1 };

	make_and_reply(req, parent, &directory);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	const struct making symlink = { .name = name, .mode = S_IFLNK,
					.target = target, .link_fd = -1 };

	make_and_reply(req, parent, &symlink);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name)
{
	struct making link = { .name = name };

	link.link_fd = inode_open(server_of(req)->inodes, ino,
				  O_PATH | O_NOFOLLOW);
	if (link.link_fd < 0) {
		fuse_reply_err(req, -link.link_fd);
		return;
	}
	make_and_reply(req, parent, &link);
	close(link.link_fd);
}

/*
 * Opens the inode whose name is about to go, before it goes; works on its
 * extents end when it has no other name. Negative when there is none.
 */
static int victim_open(fuse_req_t req, int parent_fd, const char *name)
{
	int fd = entry_open(parent_fd, name);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_nlink == 1)
		recovery_release(server_of(req)->config.recovery, st.st_ino, 0,
				 UINT64_MAX);
	return fd;
}

static void victim_done(fuse_req_t req, int fd, bool removed)
{
	if (fd < 0)
		return;
	if (!removed) {
		close(fd);
		return;
	}
	inode_unlinked(server_of(req)->inodes, fd);
	room_freed(server_of(req));
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name,
			int flags)
{
	int parent_fd = open_directory(req, parent);
	int victim, error = 0;

	if (parent_fd < 0) {
		fuse_reply_err(req, -parent_fd);
		return;
	}
	victim = victim_open(req, parent_fd, name);
	if (unlinkat(parent_fd, name, flags))
		error = errno;
	victim_done(req, victim, !error);
	close(parent_fd);
	fuse_reply_err(req, error);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, AT_REMOVEDIR);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	int parent_fd = open_directory(req, parent);
	int new_parent_fd, victim = -1, error = 0;

	if (parent_fd < 0) {
		fuse_reply_err(req, -parent_fd);
		return;
	}
	new_parent_fd = open_directory(req, new_parent);
	if (new_parent_fd < 0) {
		error = -new_parent_fd;
		goto out_parent;
	}
	/* a whiteout is made in the caller's name */
	caller_assume(req);
	if (!(flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)))
		victim = victim_open(req, new_parent_fd, new_name);
	if (renameat2(parent_fd, name, new_parent_fd, new_name, flags))
		error = errno;
	creds_restore();
	victim_done(req, victim, !error);
	close(new_parent_fd);
out_parent:
	close(parent_fd);
	fuse_reply_err(req, error);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	int fd = inode_open(server_of(req)->inodes, ino, O_PATH | O_NOFOLLOW);
	ssize_t length;

	if (fd < 0) {
		fuse_reply_err(req, -fd);
		return;
	}
	length = readlinkat(fd, "", target, sizeof(target) - 1);
	if (length < 0) {
		fuse_reply_err(req, errno);
	} else {
		target[length] = '\0';
		fuse_reply_readlink(req, target);
	}
	close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests on names: lookup and forget, making, linking, moving and removing.
 * The kernel holds the directories' locks meanwhile, so no two requests here
 * work on one name; and the lock of what loses a name, so no two names of an
 * inode go at once, and who removes one sees by their number whether it is the
 * last.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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
	struct fuse_entry_param entry;
	int fd, ret;

	if (parent_fd < 0) {
		reply_err(req, -parent_fd);
		return;
	}
	fd = entry_open(parent_fd, name);
	close(parent_fd);
	if (fd == -ENOENT) {
		reply_entry(req, &missing);
		return;
	}
	ret = fd < 0 ? fd : entry_fill(server_of(req), fd, &entry);
	if (fd >= 0)
		close(fd);
	if (ret)
		reply_err(req, -ret);
	else
		entry_reply(req, &entry);
}

/* The journal keeps how many were done: no forget comes twice. */
static void forget(fuse_req_t req, size_t nth, uint64_t nodeid,
		   uint64_t nlookup)
{
	if (nth < journal_done())
		return;
	journal_set_done(nth + 1);
	entry_forget_nodeid(server_of(req), nodeid, nlookup);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	loop_reached();
	forget(req, 0, ino, nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	loop_reached();
	for (size_t i = 0; i < count; i++)
		forget(req, i, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* What a request wants to make: a node, a directory, a symlink or a link. */
struct making {
	const char *name;
	mode_t mode; /* with its type; S_IFLNK also for a symlink */
	dev_t rdev;
	const char *target; /* of a symlink; else NULL */
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
	else if (making->target)
		ret = symlinkat(making->target, parent_fd, making->name);
	else
		ret = mknodat(parent_fd, making->name, making->mode,
			      making->rdev);
	return ret ? -errno : 0;
}

/*
 * In an append-only directory this fails, and the log has it. To make the inode
 * without a name first would cost each creation two more calls, and there are
 * none of that kind for directories; to take the flag away for the moment would
 * let others remove what they may not, and for ever if this process died then.
 */
void name_unmake(int parent_fd, const char *name, bool is_dir)
{
	if (unlinkat(parent_fd, name, is_dir ? AT_REMOVEDIR : 0))
		log_error("cannot take back a name that was made: %s",
			  strerror(errno));
}

bool name_was_made(int parent_fd, const char *name)
{
	struct stat st;

	return journal_is_resumed() &&
	       !fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

/* Makes the name in the caller's name, unless a dead daemon has done so. */
static int make_once(fuse_req_t req, int parent_fd,
		     const struct making *making)
{
	int ret;

	if (name_was_made(parent_fd, making->name))
		return 0;
	caller_assume(req);
	do {
		ret = make(parent_fd, making);
	} while (room_may_come(server_of(req), ret));
	creds_restore();
	return ret;
}

/* What the kernel is to be told of the name that was made. */
static int fill_made(fuse_req_t req, int parent_fd,
		     const struct making *making,
		     struct fuse_entry_param *entry)
{
	int fd = entry_open(parent_fd, making->name), ret;

	if (fd < 0)
		return fd;
	if (making->link_fd < 0)
		policy_inherit(server_of(req), parent_fd, fd);
	ret = entry_fill(server_of(req), fd, entry);
	close(fd);
	return ret;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent,
			   const struct making *making)
{
	bool is_dir = making->link_fd < 0 && S_ISDIR(making->mode);
	int parent_fd = open_directory(req, parent);
	struct fuse_entry_param entry;
	int ret;

	if (parent_fd < 0) {
		reply_err(req, -parent_fd);
		return;
	}
	ret = make_once(req, parent_fd, making);
	if (!ret) {
		ret = fill_made(req, parent_fd, making, &entry);
		if (ret)
			name_unmake(parent_fd, making->name, is_dir);
	}
	close(parent_fd);
	if (ret)
		reply_err(req, -ret);
	else
		entry_reply(req, &entry);
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
		reply_err(req, -link.link_fd);
		return;
	}
	make_and_reply(req, parent, &link);
	close(link.link_fd);
}

/* An inode whose name is about to go. */
struct victim {
	int fd; /* negative when there is none */
	uint64_t nodeid; /* held by victim_hold(), or 0 */
};

/*
 * Opens the inode before its name goes; works on its extents end when it has no
 * other name. Returns 0 or a negative errno: then the name has to stay, for who
 * knows the inode would lose it.
 */
static int victim_open(fuse_req_t req, int parent_fd, const char *name,
		       struct victim *victim)
{
	struct server *server = server_of(req);
	struct stat st;
	int ret = 0;

	*victim = (struct victim){ .fd = entry_open(parent_fd, name) };
	/* whoever removes what is not there will say so */
	if (victim->fd == -ENOENT)
		return 0;
	if (victim->fd < 0)
		return victim->fd;
	if (fstat(victim->fd, &st)) {
		ret = -errno;
		goto err_close;
	}
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		recovery_release(server->config.recovery, st.st_ino, 0,
				 UINT64_MAX);
	if (S_ISDIR(st.st_mode) || st.st_nlink == 1)
		ret = victim_hold(server, victim->fd, &st, &victim->nodeid);
	if (!ret)
		return 0;
err_close:
	close(victim->fd);
	victim->fd = -1;
	return ret;
}

static void victim_done(fuse_req_t req, struct victim victim, bool removed)
{
	if (victim.fd < 0)
		return;
	if (removed) {
		inode_unlinked(server_of(req)->inodes, victim.fd);
		room_freed(server_of(req));
	} else {
		close(victim.fd);
	}
	if (victim.nodeid)
		victim_let_go(server_of(req), victim.nodeid);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name,
			int flags)
{
	int parent_fd = open_directory(req, parent);
	struct victim victim;
	int error;

	if (parent_fd < 0) {
		reply_err(req, -parent_fd);
		return;
	}
	error = -victim_open(req, parent_fd, name, &victim);
	if (!error && unlinkat(parent_fd, name, flags))
		error = errno;
	victim_done(req, victim, !error);
	close(parent_fd);
	/* the kernel asks for names that exist: a dead daemon was here before */
	if (error == ENOENT && journal_is_resumed())
		error = 0;
	reply_err(req, error);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, AT_REMOVEDIR);
}

/*
 * Whether a dead daemon has renamed already: then the name is not there any
 * more, or what is there now is another inode.
 */
static bool was_renamed(int parent_fd, const char *name)
{
	uint64_t before = journal_before();
	struct stat st;

	if (!journal_is_resumed())
		return false;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT;
	return before && st.st_ino != before;
}

/* Notes which inode is about to leave a name that something else will have. */
static int rename_begin(int parent_fd, const char *name, unsigned int flags)
{
	struct stat st;

	if (!(flags & (RENAME_EXCHANGE | RENAME_WHITEOUT)))
		return 0;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno;
	journal_set_before(st.st_ino);
	journal_commit();
	return 0;
}

/* Returns a positive errno. */
static int rename_in(fuse_req_t req, int parent_fd, const char *name,
		     int new_parent_fd, const char *new_name,
		     unsigned int flags)
{
	struct victim victim = { .fd = -1 };
	int error;

	if (was_renamed(parent_fd, name))
		return 0;
	error = rename_begin(parent_fd, name, flags);
	if (error)
		return error;
	/* a whiteout is made in the caller's name */
	caller_assume(req);
	if (!(flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)))
		error = -victim_open(req, new_parent_fd, new_name, &victim);
	if (!error &&
	    renameat2(parent_fd, name, new_parent_fd, new_name, flags))
		error = errno;
	creds_restore();
	victim_done(req, victim, !error);
	return error;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	int parent_fd = open_directory(req, parent);
	int new_parent_fd, error;

	if (parent_fd < 0) {
		reply_err(req, -parent_fd);
		return;
	}
	new_parent_fd = open_directory(req, new_parent);
	if (new_parent_fd < 0) {
		error = -new_parent_fd;
		goto out_parent;
	}
	error = rename_in(req, parent_fd, name, new_parent_fd, new_name, flags);
	close(new_parent_fd);
out_parent:
	close(parent_fd);
	reply_err(req, error);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	int fd = inode_open(server_of(req)->inodes, ino, O_PATH | O_NOFOLLOW);
	ssize_t length;

	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	length = readlinkat(fd, "", target, sizeof(target) - 1);
	if (length < 0) {
		reply_err(req, errno);
	} else {
		target[length] = '\0';
		REPLY(req, fuse_reply_readlink(req, target));
	}
	close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests on regular files: create, open, release, and what is done on an
 * open file. read and write come here only when the mount was told not to pass
 * them through.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "mm/charge.h"
#include "namespace/creds.h"
#include "namespace/journal.h"
#include "recovery/recovery.h"

/* open(2) flags that decide whether tmpfs would let the file be opened. */
#define CHECKED_FLAGS (O_ACCMODE | O_APPEND | O_DIRECT | O_NOATIME)

/* Opens, for the kernel, a file that was just made. */
static int open_made(struct server *server, int fd,
		     struct fuse_entry_param *entry, struct fuse_file_info *fi)
{
	int ret = entry_fill(server, fd, entry);

	if (ret)
		return ret;
	ret = file_opened(server, entry->ino, fi->flags, fi);
	if (ret)
		entry_forget(server, entry);
	return ret;
}

static void created_reply(fuse_req_t req, struct fuse_entry_param *entry,
			  struct fuse_file_info *fi)
{
	struct server *server = server_of(req);

	entry->attr_timeout = attr_timeout(server, entry->ino, &entry->attr);
	if (reply_create(req, entry, fi) == -ENOENT) {
		file_unopened(server, entry->ino, fi->flags);
		entry_forget(server, entry);
	}
}

/* Makes a file in the caller's name. Returns an fd or a negative errno. */
static int make_file(fuse_req_t req, int parent_fd, const char *name, int flags,
		     mode_t mode)
{
	int fd;

	caller_assume(req);
	do {
		fd = openat(parent_fd, name, flags | O_RDWR | O_CLOEXEC, mode);
		fd = fd < 0 ? -errno : fd;
	} while (room_may_come(server_of(req), fd));
	creds_restore();
	return fd;
}

static void create_in(fuse_req_t req, fuse_ino_t parent, const char *name,
		      int flags, mode_t mode, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	bool has_name = (flags & O_TMPFILE) != O_TMPFILE;
	int parent_fd = inode_open(server->inodes, parent,
				   O_PATH | O_DIRECTORY);
	struct fuse_entry_param entry;
	int fd, ret;

	if (parent_fd < 0) {
		reply_err(req, -parent_fd);
		return;
	}
	if (has_name && name_was_made(parent_fd, name))
		flags &= ~(O_CREAT | O_EXCL);
	ret = fd = make_file(req, parent_fd, name, flags, mode);
	if (fd >= 0) {
		policy_inherit(server, parent_fd, fd);
		ret = open_made(server, fd, &entry, fi);
		close(fd);
		if (ret && has_name)
			name_unmake(parent_fd, name, false);
	}
	close(parent_fd);
	if (ret)
		reply_err(req, -ret);
	else
		created_reply(req, &entry, fi);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	/* the kernel knows that there is no such name: it holds the directory */
	create_in(req, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW, mode, fi);
}

void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
		struct fuse_file_info *fi)
{
	create_in(req, parent, ".", O_TMPFILE | (fi->flags & O_EXCL), mode, fi);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	int fd, ret;

	/* tmpfs itself says whether it may be opened so (append-only ...) */
	fd = inode_open(server->inodes, ino, fi->flags & CHECKED_FLAGS);
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	close(fd);
	ret = file_opened(server, ino, fi->flags, fi);
	if (!ret && (fi->flags & O_ACCMODE) != O_RDONLY)
		attr_uncache(server, ino);
	if (ret)
		reply_err(req, -ret);
	else if (reply_open(req, fi) == -ENOENT)
		file_unopened(server, ino, fi->flags);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	loop_reached();
	file_released(server_of(req), ino, file_accmode(fi));
	reply_err(req, 0);
}

/* That takes more memory than what comes and goes all the time. */
#define MUCH_BYTES (16 << 20)

struct fallocate_args {
	int fd;
	int mode;
	off_t offset;
	off_t length;
};

/* Marks extents whose pages an fallocate takes as released. */
static void release_range(struct server *server, fuse_ino_t ino, int mode,
			  off_t offset, off_t length)
{
	struct table_record *record = inode_record(server->inodes, ino);
	uint64_t first = (uint64_t) offset >> HUGETMPFS_EXTENT_SHIFT;
	uint64_t last = (uint64_t) (offset + length - 1) >>
			HUGETMPFS_EXTENT_SHIFT;

	if (record && mode & ~FALLOC_FL_KEEP_SIZE)
		recovery_release(server->config.recovery, record->ino, first,
				 last - first + 1);
}

/* Has the engine know of the extents that an fallocate may have filled. */
static void allocated_range(struct server *server, fuse_ino_t ino,
			    const struct fallocate_args *args)
{
	struct table_record *record = inode_record(server->inodes, ino);
	uint64_t first = (uint64_t) args->offset >> HUGETMPFS_EXTENT_SHIFT;
	uint64_t last = (uint64_t) (args->offset + args->length - 1) >>
			HUGETMPFS_EXTENT_SHIFT;
	struct recovery_file file = {.fd = args->fd};

	if (!record || args->mode & ~FALLOC_FL_KEEP_SIZE)
		return;
	file.ino = record->ino;
	recovery_allocated(server->config.recovery, &file, first,
			   last - first + 1);
}

/*
 * tmpfs counts pages beyond the end of the file against the caller's limit of
 * file size too; the kernel's FUSE code leaves that to the file system.
 */
static int check_size_limit(fuse_req_t req, int fd, int mode, off_t end)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct stat st;

	if (mode != FALLOC_FL_KEEP_SIZE || fstat(fd, &st) || end <= st.st_size ||
	    (uint64_t) end <= creds_process_file_limit(ctx->pid))
		return 0;
	creds_signal_thread(ctx->pid, ctx->uid, SIGXFSZ);
	return -EFBIG;
}

static int do_fallocate(void *arg)
{
	const struct fallocate_args *a = arg;

	return fallocate(a->fd, a->mode, a->offset, a->length) ? -errno : 0;
}

/*
 * The daemon is killed last where memory ends, and the caller cannot be while it
 * waits: others would be. So what is much is allocated by a process that can be,
 * and undoes it then. It is not split into parts: it would not be undone as a
 * whole.
 */
static int allocate_apart(struct fallocate_args *args)
{
	int ret;

	if (args->mode & ~FALLOC_FL_KEEP_SIZE || args->length < MUCH_BYTES)
		return do_fallocate(args);
	ret = charge_run(NULL, -1, args->fd, do_fallocate, args);
	/* there cannot be one more process */
	return ret == -EAGAIN ? do_fallocate(args) : ret;
}

/*
 * What an fallocate allocates is charged to the caller's cgroup, as if the
 * caller had done it itself on a tmpfs; else a container could escape its limit
 * this way (FACTS H4).
 */
static int fallocate_for(fuse_req_t req, struct fallocate_args *args)
{
	struct charge *charge = server_charge(server_of(req));
	int group = -1, ret;

	if (charge && !(args->mode & ~FALLOC_FL_KEEP_SIZE))
		group = charge_group_of(charge, fuse_req_ctx(req)->pid);
	if (group >= 0 && charge_group_is_own(charge, group)) {
		close(group);
		group = -1;
	}
	do {
		ret = group < 0 ? allocate_apart(args) :
				  charge_run(charge, group, args->fd,
					     do_fallocate, args);
	} while (room_may_come(server_of(req), ret));
	if (group >= 0)
		close(group);
	return ret;
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct fallocate_args args = { -1, mode, offset, length };
	int ret;

	(void) fi;
	args.fd = inode_open(server->inodes, ino, O_RDWR);
	if (args.fd < 0) {
		reply_err(req, -args.fd);
		return;
	}
	release_range(server, ino, mode, offset, length);
	ret = check_size_limit(req, args.fd, mode, offset + length);
	if (!ret)
		ret = caller_drop(req);
	/* what was punched by a dead daemon may have new content by now */
	if (!ret && !journal_done()) {
		ret = fallocate_for(req, &args);
		if (!ret)
			journal_set_done(1);
		journal_commit();
	}
	creds_restore();
	allocated_range(server, ino, &args);
	close(args.fd);
	reply_err(req, -ret);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	int fd = inode_open(server_of(req)->inodes, ino, O_RDONLY);
	off_t found;

	(void) fi;
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	found = lseek(fd, offset, whence);
	if (found < 0)
		reply_err(req, errno);
	else
		REPLY(req, fuse_reply_lseek(req, found));
	close(fd);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	int fd = inode_open(server_of(req)->inodes, ino, O_RDONLY);
	char *data;
	ssize_t n;

	(void) fi;
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	data = malloc(size ? size : 1);
	n = data ? pread(fd, data, size, offset) : -1;
	if (n < 0)
		reply_err(req, data ? errno : ENOMEM);
	else
		REPLY(req, fuse_reply_buf(req, data, (size_t) n));
	free(data);
	close(fd);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi)
{
	int fd = inode_open(server_of(req)->inodes, ino, O_WRONLY);
	int ret = 0;
	ssize_t n = -1;

	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	if (fi->kill_suidgid)
		ret = creds_drop(0, NULL, 0);
	if (!ret) {
		n = pwrite(fd, data, size, offset);
		ret = n < 0 ? -errno : 0;
	}
	creds_restore();
	close(fd);
	if (ret)
		reply_err(req, -ret);
	else
		REPLY(req, fuse_reply_write(req, (size_t) n));
}

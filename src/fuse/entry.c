/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel is told of an inode: its nodeid, its attributes, and for how
 * long it may believe them.
 *
 * Names change only through this mount, so the kernel may keep them for ever.
 * Attributes do too, but for one way round the kernel's own FUSE code: a store
 * through a shared mapping changes mtime in the backing inode and no request
 * tells (FACTS F6); nor does a write that clears suid (F10). Both need the file
 * to be, or to have been, open for writing, and a mapping outlives its open
 * (F2). So attributes are not cached from the first open for writing on, until
 * the backing inode has no writer left. That is asked of the kernel by a read
 * lease, which it grants only when nobody has the file open for writing; the
 * lease is given back at once. The daemon itself holds backing files open for
 * reading only, so it does not stand in its own way. The test is made under the
 * lock that opens take, with no open for writing accounted: no opener can ever
 * meet the lease. What the kernel kept from before the open for writing is
 * taken back from it when that open comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "namespace/creds.h"
#include "namespace/journal.h"

struct fd_path fd_path(int fd)
{
	struct fd_path path;

	snprintf(path.path, sizeof(path.path), "/proc/self/fd/%d", fd);
	return path;
}

void caller_assume(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	creds_assume(ctx->uid, ctx->gid, ctx->umask);
}

int caller_drop(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[256];
	int nr = 0;

	if (ctx->uid == 0)
		return 0;
	if (ctx->pid > 0)
		nr = fuse_req_getgroups(req, 256, groups);
	if (nr < 0 || nr > 256)
		nr = 0; /* an unknown member is a stranger: bits are cleared */
	return creds_drop(ctx->gid, groups, (size_t) nr);
}

/* The moment, in milliseconds. */
#define ROOM_MS 50

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

void room_freed(struct server *server)
{
	atomic_store(&server->room_until_ms, now_ms() + ROOM_MS);
}

bool room_may_come(struct server *server, int ret)
{
	if (ret != -ENOSPC || now_ms() >= atomic_load(&server->room_until_ms))
		return false;
	usleep(1000);
	return true;
}

bool attr_of_removed(struct server *server, uint64_t nodeid, struct stat *st)
{
	struct table_record *record = inode_record(server->inodes, nodeid);

	if (!record || !atomic_load(&record->has_attr))
		return false;
	*st = (struct stat){
		.st_ino = record->ino,
		.st_mode = record->mode,
		.st_uid = record->uid,
		.st_gid = record->gid,
		.st_rdev = record->rdev,
		.st_size = (off_t) record->size,
		.st_blksize = 4096,
		.st_atim = { record->seconds[0], record->nanoseconds[0] },
		.st_mtim = { record->seconds[1], record->nanoseconds[1] },
		.st_ctim = { record->seconds[2], record->nanoseconds[2] },
	};
	return true;
}

int attr_get(struct server *server, uint64_t nodeid, struct stat *st)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	bool held;
	int fd, ret = 0;

	if (!inode)
		return -ESTALE;
	inode_lock(server->inodes, nodeid);
	held = inode->fd >= 0;
	if (held && fstat(inode->fd, st))
		ret = -errno;
	inode_unlock(server->inodes, nodeid);
	if (held)
		return ret;
	fd = inode_open(server->inodes, nodeid, O_PATH | O_NOFOLLOW);
	if (fd == -ESTALE && attr_of_removed(server, nodeid, st))
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, st))
		ret = -errno;
	close(fd);
	return ret;
}

/* Whether nobody else has the file open for writing, mapped ones included. */
static bool has_no_writer(struct server *server, uint64_t nodeid)
{
	int fd = inode_open(server->inodes, nodeid, O_RDONLY | O_NONBLOCK);
	bool granted;

	if (fd < 0)
		return false;
	granted = !fcntl(fd, F_SETLEASE, F_RDLCK);
	if (granted)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	close(fd);
	return granted;
}

double attr_timeout(struct server *server, uint64_t nodeid,
		    const struct stat *st)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);
	bool cacheable = true;

	if (!inode || !record || !S_ISREG(st->st_mode))
		return SERVER_FOREVER;
	inode_lock(server->inodes, nodeid);
	if (atomic_load(&record->nwriters)) {
		cacheable = false;
	} else if (inode->maybe_mapped) {
		cacheable = has_no_writer(server, nodeid);
		inode->maybe_mapped = !cacheable;
	}
	inode->attr_cached |= cacheable;
	inode_unlock(server->inodes, nodeid);
	return cacheable ? SERVER_FOREVER : 0;
}

static bool is_short(int ret)
{
	return ret == -ENOMEM || ret == -EINTR || ret == -EAGAIN;
}

void attr_uncache(struct server *server, uint64_t nodeid)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	bool cached;

	inode_lock(server->inodes, nodeid);
	cached = inode->attr_cached;
	inode->attr_cached = false;
	inode_unlock(server->inodes, nodeid);
	/* what it went on to believe would be wrong */
	while (cached && is_short(fuse_lowlevel_notify_inval_inode(
				 server->session, nodeid, -1, 0)))
		usleep(1000);
}

int entry_fill(struct server *server, int fd, struct fuse_entry_param *entry)
{
	uint64_t nodeid;
	int ret;

	*entry = (struct fuse_entry_param){ 0 };
	if (fstat(fd, &entry->attr))
		return -errno;
	ret = inode_intern(server->inodes, fd, &entry->attr, &nodeid);
	if (ret)
		return ret;
	entry->ino = nodeid;
	entry->generation = (nodeid >> 32) + 1;
	entry->entry_timeout = SERVER_FOREVER;
	return 0;
}

void entry_forget_nodeid(struct server *server, uint64_t nodeid,
			 uint64_t nlookup)
{
	backing_id_close(server,
			 inode_forget(server->inodes, nodeid, nlookup));
}

void entry_forget(struct server *server, const struct fuse_entry_param *entry)
{
	journal_uncount(entry->ino);
	entry_forget_nodeid(server, entry->ino, 1);
}

int entry_open(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void entry_reply(fuse_req_t req, struct fuse_entry_param *entry)
{
	struct server *server = server_of(req);

	entry->attr_timeout = attr_timeout(server, entry->ino, &entry->attr);
	/* the kernel does not forget what it never got */
	if (reply_entry(req, entry) == -ENOENT)
		entry_forget(server, entry);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests on attributes: getattr, setattr, statx, statfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "namespace/creds.h"
#include "recovery/recovery.h"

/*
 * Set by the kernel beside a new size when the caller lacks CAP_FSETID
 * (FATTR_KILL_SUIDGID of the protocol; libfuse passes the bit on).
 */
#define KILL_SUIDGID FUSE_SET_ATTR_KILL_SUID

static void attr_reply(fuse_req_t req, fuse_ino_t ino)
{
	struct server *server = server_of(req);
	struct stat st;
	int ret = attr_get(server, ino, &st);

	if (ret)
		reply_err(req, -ret);
	else
		reply_attr(req, &st, attr_timeout(server, ino, &st));
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void) fi;
	attr_reply(req, ino);
}

static struct statx_timestamp timestamp(struct timespec time)
{
	return (struct statx_timestamp){ .tv_sec = time.tv_sec,
					 .tv_nsec = (uint32_t) time.tv_nsec };
}

/* Of an inode that was removed: all that is known but when it was made. */
static void statx_of_removed(struct statx *stx, const struct stat *st)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t) st->st_blksize,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t) st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t) st->st_size,
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_atime = timestamp(st->st_atim),
		.stx_mtime = timestamp(st->st_mtim),
		.stx_ctime = timestamp(st->st_ctim),
	};
}

void op_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask,
	      struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct stat mode = { 0 };
	struct statx stx;
	int fd;

	(void) fi;
	fd = inode_open(server->inodes, ino, O_PATH | O_NOFOLLOW);
	if (fd == -ESTALE && attr_of_removed(server, ino, &mode)) {
		statx_of_removed(&stx, &mode);
		REPLY(req, fuse_reply_statx(req, 0, &stx, SERVER_FOREVER));
		return;
	}
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	if (statx(fd, "", flags | AT_EMPTY_PATH, (unsigned) mask, &stx)) {
		reply_err(req, errno);
	} else {
		mode.st_mode = stx.stx_mode;
		REPLY(req, fuse_reply_statx(req, 0, &stx,
					    attr_timeout(server, ino, &mode)));
	}
	close(fd);
}

static int set_owner(fuse_req_t req, int fd, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t) -1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t) -1;
	int ret = caller_drop(req);

	if (!ret && fchownat(fd, "", uid, gid, AT_EMPTY_PATH))
		ret = -errno;
	creds_restore();
	return ret;
}

static int set_size(fuse_req_t req, fuse_ino_t ino, int fd, off_t size,
		    bool kill_suidgid)
{
	struct server *server = server_of(req);
	struct table_record *record = inode_record(server->inodes, ino);
	int ret = 0;

	if (record)
		recovery_release(server->config.recovery, record->ino,
				 (uint64_t) size >> HUGETMPFS_EXTENT_SHIFT,
				 UINT64_MAX);
	if (kill_suidgid)
		ret = creds_drop(0, NULL, 0);
	if (!ret && truncate(fd_path(fd).path, size))
		ret = -errno;
	creds_restore();
	return ret;
}

static struct timespec time_of(int to_set, int set, int set_now,
			       struct timespec value)
{
	if (to_set & set_now)
		value.tv_nsec = UTIME_NOW;
	else if (!(to_set & set))
		value.tv_nsec = UTIME_OMIT;
	return value;
}

static int set_times(int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2] = {
		time_of(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW,
			attr->st_atim),
		time_of(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW,
			attr->st_mtim),
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

#define SET_TIMES                                                              \
	(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | \
	 FUSE_SET_ATTR_MTIME_NOW)
#define SET_OWNER (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)
#define SET_ANY                                                                \
	(SET_OWNER | SET_TIMES | FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MODE)

/*
 * Owner before mode, as chown clears bits that a mode given with it sets;
 * times last, as the others change them. A request to set nothing is what the
 * kernel makes of a change of owner to nobody new, or before an fallocate: all
 * that is left for the backing to do is to clear set-id bits.
 */
static int set_attributes(fuse_req_t req, fuse_ino_t ino, int fd,
			  const struct stat *attr, int to_set)
{
	int ret = 0;

	if (to_set & SET_OWNER || !(to_set & SET_ANY))
		ret = set_owner(req, fd, attr, to_set);
	if (!ret && to_set & FUSE_SET_ATTR_SIZE)
		ret = set_size(req, ino, fd, attr->st_size,
			       to_set & KILL_SUIDGID);
	if (!ret && to_set & FUSE_SET_ATTR_MODE &&
	    chmod(fd_path(fd).path, attr->st_mode & 07777))
		ret = -errno;
	if (!ret && to_set & SET_TIMES)
		ret = set_times(fd, attr, to_set);
	return ret;
}

/*
 * The attributes of what was just changed: an error would say that it was not.
 * No error lasts that an open inode of tmpfs has here.
 */
static int stat_changed(int fd, struct stat *st)
{
	int tries = 10;

	while (fstat(fd, st))
		if (!--tries)
			return -errno;
	return 0;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	int fd = inode_open(server->inodes, ino, O_PATH | O_NOFOLLOW);
	struct stat st;
	int ret;

	(void) fi;
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	ret = set_attributes(req, ino, fd, attr, to_set);
	if (!ret)
		ret = stat_changed(fd, &st);
	close(fd);
	if (ret)
		reply_err(req, -ret);
	else
		reply_attr(req, &st, attr_timeout(server, ino, &st));
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	(void) ino;
	if (fstatvfs(server_of(req)->config.root_fd, &st))
		reply_err(req, errno);
	else
		REPLY(req, fuse_reply_statfs(req, &st));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens of regular files, and the backing ids that let reads, writes and
 * mappings of them go to the backing file without a request.
 *
 * All opens of an inode share one backing id (FACTS F4): the first open
 * registers it, the last release drops it. The registered file is open for
 * reading only: the kernel opens a file of its own for each client, and the
 * daemon does not count as a writer (see entry.c). It is registered without
 * CAP_FSETID and CAP_SYS_RESOURCE, for passthrough writes run with the
 * credentials of the registering thread (F10): so suid and sgid are cleared by
 * them as on tmpfs.
 *
 * The backing id also keeps an inode alive that has lost its last name, so
 * that the daemon needs no descriptor for it, and the inode outlives the
 * daemon (K5): a file is given one before its last name goes, and keeps it
 * until the kernel forgets it. Where no backing id can be had, for what is no
 * regular file and without passthrough, a descriptor does it, as long as this
 * process lives; of other than regular files the attributes are kept in the
 * table for the next one.
 *
 * The kernel gives numbers to backing ids that rise and are not used again. One
 * that was being registered when a daemon died lies between the highest one
 * known then and one that is registered later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/ops.h"
#include "namespace/creds.h"
#include "namespace/journal.h"
#include "recovery/recovery.h"

/* ABI of Linux 6.9 (linux/fuse.h); the headers of the build may be older. */
struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

/* Registers a backing file. Returns its id, above 0, or a negative errno. */
static int backing_id_open(struct server *server, int fd)
{
	struct backing_map map = { .fd = fd };
	int id, ret;

	ret = creds_drop(0, NULL, 0);
	if (ret)
		return ret;
	id = ioctl(server->config.fuse_fd, BACKING_OPEN, &map);
	if (id <= 0)
		id = id < 0 ? -errno : -EIO;
	creds_restore();
	return id;
}

int backing_id_drop(struct server *server, uint64_t id)
{
	uint32_t arg = (uint32_t) id;

	return ioctl(server->config.fuse_fd, BACKING_CLOSE, &arg) ? -errno : 0;
}

void backing_id_close(struct server *server, uint64_t id)
{
	int ret;

	if (!id)
		return;
	ret = backing_id_drop(server, id);
	if (ret)
		log_warning("cannot drop backing id %d: %s", (int) id,
			    strerror(-ret));
	journal_set_closing(0);
	journal_commit();
}

static void raise_highest_id(struct server *server, uint64_t id)
{
	_Atomic uint64_t *highest = table_highest_id(server->config.table);
	uint64_t was = atomic_load(highest);

	while (was < id && !atomic_compare_exchange_weak(highest, &was, id))
		;
}

int passthrough_probe(struct server *server)
{
	/* not in the backing, which may be full when it is attached again */
	int fd = memfd_create("hugetmpfs-probe", MFD_CLOEXEC);
	int id;

	if (fd < 0)
		return -errno;
	id = backing_id_open(server, fd);
	close(fd);
	if (id < 0)
		return id;
	raise_highest_id(server, (uint64_t) id);
	backing_id_drop(server, (uint64_t) id);
	return id;
}

/*
 * Makes sure that the inode has what keeps it, and what opens need. Under
 * inode_lock(). Returns the backing id, 0 without passthrough, or a negative
 * errno. A new id is put into the record by the transaction that the caller
 * has to commit.
 */
static int hold(struct server *server, uint64_t nodeid, struct inode *inode,
		struct table_record *record)
{
	int id = (int) atomic_load(&record->backing_id);
	int fd;

	if (id || (!server->config.passthrough && inode->fd >= 0))
		return id;
	fd = inode_open(server->inodes, nodeid, O_RDONLY);
	if (fd < 0)
		return fd;
	if (!server->config.passthrough) {
		inode->fd = fd;
		return 0;
	}
	journal_set_registering(
		1 + atomic_load(table_highest_id(server->config.table)));
	journal_commit();
	id = backing_id_open(server, fd);
	close(fd);
	if (id > 0) {
		raise_highest_id(server, (uint64_t) id);
		journal_set(&record->backing_id, (uint64_t) id);
	}
	journal_set_registering(0);
	return id;
}

/* Whether the inode has no name any more; true when that cannot be seen. */
static bool is_nameless(struct server *server, uint64_t nodeid)
{
	int fd = inode_open(server->inodes, nodeid, O_PATH);
	bool has_name;
	struct stat st;

	if (fd < 0)
		return true;
	has_name = !fstat(fd, &st) && st.st_nlink;
	close(fd);
	return !has_name;
}

void file_let_go(struct server *server, uint64_t nodeid)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);
	uint64_t id;

	/* what is being removed may need it in a moment */
	if (!inode || !record || atomic_load(&record->nopen) ||
	    inode->removing || is_nameless(server, nodeid))
		return;
	if (inode->fd >= 0)
		close(inode->fd);
	inode->fd = -1;
	id = atomic_load(&record->backing_id);
	if (id) {
		journal_set(&record->backing_id, 0);
		journal_set_closing(id);
		journal_commit();
		backing_id_close(server, id);
	}
}

int file_opened(struct server *server, uint64_t nodeid, int flags,
		struct fuse_file_info *fi)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	int ret;

	if (!inode || !record)
		return -ESTALE;
	inode_lock(server->inodes, nodeid);
	ret = hold(server, nodeid, inode, record);
	if (ret >= 0) {
		journal_set(&record->nopen, atomic_load(&record->nopen) + 1);
		if (writes)
			journal_set(&record->nwriters,
				    atomic_load(&record->nwriters) + 1);
		journal_set_opened(nodeid, flags);
		inode->was_opened = true;
		inode->maybe_mapped |= writes;
		fi->backing_id = ret;
		/* the kernel's own pages are used, and valid, only without */
		fi->keep_cache = !server->config.passthrough;
		fi->noflush = 1;
		fi->fh = (uint64_t) (flags & O_ACCMODE);
		ret = 0;
	}
	journal_commit();
	inode_unlock(server->inodes, nodeid);
	return ret;
}

/* Ends the transaction that the calling thread has begun. */
static void account_release(struct server *server, uint64_t nodeid, int flags)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);
	bool was_written = false;
	uint64_t nr;

	if (!inode || !record) {
		journal_commit();
		return;
	}
	inode_lock(server->inodes, nodeid);
	nr = atomic_load(&record->nwriters);
	if ((flags & O_ACCMODE) != O_RDONLY && nr) {
		journal_set(&record->nwriters, nr - 1);
		was_written = nr == 1;
	}
	nr = atomic_load(&record->nopen);
	if (nr)
		journal_set(&record->nopen, nr - 1);
	journal_commit();
	if (nr <= 1)
		file_let_go(server, nodeid);
	inode_unlock(server->inodes, nodeid);
	if (was_written)
		recovery_closed(server->config.recovery, record->ino);
}

void file_released(struct server *server, uint64_t nodeid, int flags)
{
	struct table_record *record = inode_record(server->inodes, nodeid);

	if (!journal_done()) {
		journal_set_done(1);
		account_release(server, nodeid, flags);
	} else if (record) {
		/* a dead daemon has accounted it, and may have got no further */
		inode_lock(server->inodes, nodeid);
		if (!atomic_load(&record->nopen))
			file_let_go(server, nodeid);
		inode_unlock(server->inodes, nodeid);
	}
}

void file_unopened(struct server *server, uint64_t nodeid, int flags)
{
	journal_set_opened(0, 0);
	account_release(server, nodeid, flags);
}

/* The attributes that an inode without a name will have. */
static void keep_attr(struct table_record *record, const struct stat *st)
{
	record->mode = st->st_mode;
	record->seconds[0] = st->st_atim.tv_sec;
	record->seconds[1] = st->st_mtim.tv_sec;
	record->seconds[2] = st->st_ctim.tv_sec;
	record->nanoseconds[0] = (uint32_t) st->st_atim.tv_nsec;
	record->nanoseconds[1] = (uint32_t) st->st_mtim.tv_nsec;
	record->nanoseconds[2] = (uint32_t) st->st_ctim.tv_nsec;
	record->uid = st->st_uid;
	record->gid = st->st_gid;
	record->rdev = (uint32_t) st->st_rdev;
	record->size = (uint64_t) st->st_size;
	atomic_store(&record->has_attr, 1);
}

int victim_hold(struct server *server, int fd, const struct stat *st,
		uint64_t *out)
{
	struct table_record *record;
	struct inode *inode;
	uint64_t nodeid;
	int ret = inode_known(server->inodes, fd, st, &nodeid);

	if (ret)
		return ret;
	record = inode_record(server->inodes, nodeid);
	inode = inode_find(server->inodes, nodeid);
	if (!inode || !record)
		return 0;
	inode_lock(server->inodes, nodeid);
	inode->removing++;
	if (!S_ISREG(st->st_mode))
		keep_attr(record, st);
	else if (server->config.passthrough)
		hold(server, nodeid, inode, record);
	journal_commit();
	inode_unlock(server->inodes, nodeid);
	*out = nodeid;
	return 0;
}

void victim_let_go(struct server *server, uint64_t nodeid)
{
	struct inode *inode = inode_find(server->inodes, nodeid);

	if (!inode)
		return;
	inode_lock(server->inodes, nodeid);
	inode->removing--;
	file_let_go(server, nodeid);
	inode_unlock(server->inodes, nodeid);
}

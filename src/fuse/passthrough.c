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
 * that the daemon needs no descriptor for an open file. Only when such an inode
 * is released for the last time while the kernel still knows it, a descriptor
 * has to keep it from there on, until it is forgotten. Without passthrough a
 * descriptor does all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/ops.h"
#include "namespace/creds.h"
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

static void backing_id_close(struct server *server, int32_t id)
{
	uint32_t arg = (uint32_t) id;

	if (id && ioctl(server->config.fuse_fd, BACKING_CLOSE, &arg))
		log_warning("cannot drop backing id %d: %m", id);
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
	backing_id_close(server, id);
	return 0;
}

/*
 * Makes sure that the inode has what its opens need. Under inode_lock().
 * Returns the backing id, 0 without passthrough, or a negative errno.
 */
static int hold(struct server *server, uint64_t nodeid, struct inode *inode,
		struct table_record *record)
{
	int id = atomic_load(&record->backing_id);
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
	id = backing_id_open(server, fd);
	close(fd);
	if (id > 0)
		atomic_store(&record->backing_id, id);
	return id;
}

/*
 * Lets go of what only opens need, keeping a descriptor when the inode has no
 * other hold on life. Under inode_lock().
 */
static void let_go(struct server *server, uint64_t nodeid, struct inode *inode,
		   struct table_record *record)
{
	struct stat st;
	int fd = inode->fd;

	if (fd < 0)
		fd = inode_open(server->inodes, nodeid, O_PATH);
	if (fd >= 0 && !fstat(fd, &st) && st.st_nlink) {
		close(fd);
		fd = -1;
	}
	inode->fd = fd < 0 ? -1 : fd;
	backing_id_close(server, atomic_exchange(&record->backing_id, 0));
}

int file_opened(struct server *server, uint64_t nodeid, int flags,
		struct fuse_file_info *fi)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);
	int ret;

	if (!inode || !record)
		return -ESTALE;
	inode_lock(server->inodes, nodeid);
	ret = hold(server, nodeid, inode, record);
	if (ret >= 0) {
		atomic_fetch_add(&record->nopen, 1);
		inode->was_opened = true;
		if ((flags & O_ACCMODE) != O_RDONLY) {
			inode->nwriters++;
			inode->maybe_mapped = true;
		}
		fi->backing_id = ret;
		/* the kernel's own pages are used, and valid, only without */
		fi->keep_cache = !server->config.passthrough;
		fi->noflush = 1;
		fi->fh = (uint64_t) (flags & O_ACCMODE);
		ret = 0;
	}
	inode_unlock(server->inodes, nodeid);
	return ret;
}

void file_released(struct server *server, uint64_t nodeid, int flags)
{
	struct inode *inode = inode_find(server->inodes, nodeid);
	struct table_record *record = inode_record(server->inodes, nodeid);

	bool written = false;

	if (!inode || !record)
		return;
	inode_lock(server->inodes, nodeid);
	if ((flags & O_ACCMODE) != O_RDONLY && inode->nwriters)
		written = --inode->nwriters == 0;
	if (atomic_load(&record->nopen) &&
	    atomic_fetch_sub(&record->nopen, 1) == 1)
		let_go(server, nodeid, inode, record);
	inode_unlock(server->inodes, nodeid);
	if (written)
		recovery_closed(server->config.recovery, record->ino);
}

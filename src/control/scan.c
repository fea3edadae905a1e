/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk over the backing's files.
 *
 * Its place is one open directory, one open file, and for each directory above
 * a handle and a position: 32 bytes a level, so that a tree as deep as memory
 * allows costs little and no path grows too long. Going up reopens by handle,
 * never by "..", which a rename could lead astray. tmpfs's directory positions
 * stay valid while entries come and go.
 *
 * Holes are stepped over by SEEK_DATA: a file may be 8 EiB long.
 */
#include "control/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing/handle.h"
#include "base/clock.h"
#include "base/u64set.h"
#include "recovery/recovery.h"

/* Extents in one look: a few ms at worst. */
#define SCAN_EXTENTS 64

#define PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

/* A directory above the open one. */
struct frame {
	struct backing_handle handle;
	off_t position; /* behind the entry that we are in */
};

struct scan {
	int root_fd;
	struct recovery *recovery;
	struct scan_totals totals;
	struct u64set linked; /* inodes with several links that were seen */

	int dir_fd;
	off_t dir_position; /* behind the entry at next */
	size_t next;	    /* in entries */
	size_t filled;
	struct frame *frames;
	size_t nr_frames;
	size_t max_frames;

	int file_fd; /* -1: none */
	uint64_t file_ino;
	uint64_t file_bytes;
	uint64_t extent; /* next one to look at */

	struct hugetmpfs_extent extents[SCAN_EXTENTS];
	char entries[4096] __attribute__((aligned(8)));
};

int scan_create(struct scan **out, int root_fd, struct recovery *recovery)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int ret;

	if (!scan)
		return -ENOMEM;
	scan->root_fd = root_fd;
	scan->recovery = recovery;
	scan->file_fd = -1;
	/* an open file of our own: root_fd has a position that others move */
	scan->dir_fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC |
						    O_NOATIME);
	if (scan->dir_fd < 0) {
		ret = -errno;
		free(scan);
		return ret;
	}
	*out = scan;
	return 0;
}

void scan_destroy(struct scan *scan)
{
	if (!scan)
		return;
	if (scan->dir_fd >= 0)
		close(scan->dir_fd);
	if (scan->file_fd >= 0)
		close(scan->file_fd);
	u64set_clear(&scan->linked);
	free(scan->frames);
	free(scan);
}

const struct scan_totals *scan_totals(const struct scan *scan)
{
	return &scan->totals;
}

/* Errors of one file or directory that is gone or going, and of nothing else. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENOTDIR ||
	       error == -ELOOP;
}

static void add_extents(struct scan_totals *totals,
			const struct hugetmpfs_extent *extents, int nr)
{
	for (int i = 0; i < nr; i++) {
		const struct hugetmpfs_extent *extent = &extents[i];

		totals->nr_extents++;
		totals->extents[extent->state]++;
		totals->data_pages[extent->state] += extent->data_pages;
		totals->hole_pages += extent->hole_pages;
		totals->swapped_pages += extent->swapped_pages;
		totals->misplaced_pages += extent->misplaced_pages;
	}
}

/* Extents of the open file without any data, up to the one with index end. */
static void add_holes(struct scan *scan, uint64_t end)
{
	uint64_t pages = (scan->file_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	uint64_t nr = end - scan->extent;
	uint64_t begin = scan->extent * HUGETMPFS_EXTENT_PAGES;
	uint64_t last = end * HUGETMPFS_EXTENT_PAGES;

	if (last > pages)
		last = pages;
	scan->totals.nr_extents += nr;
	scan->totals.extents[HUGETMPFS_HOLE] += nr;
	/* a file that shrinks meanwhile may end before */
	if (last > begin)
		scan->totals.hole_pages += last - begin;
	scan->extent = end;
}

static void file_close(struct scan *scan)
{
	close(scan->file_fd);
	scan->file_fd = -1;
}

/* How many extents of the open file can be looked at. */
static uint64_t file_end(const struct scan *scan)
{
	uint64_t end = (scan->file_bytes + HUGETMPFS_EXTENT_BYTES - 1) /
		       HUGETMPFS_EXTENT_BYTES;

	return end < HUGETMPFS_MAX_EXTENTS ? end : HUGETMPFS_MAX_EXTENTS;
}

/* Steps over extents without data. */
static void file_skip(struct scan *scan, uint64_t end)
{
	off_t data = lseek(scan->file_fd,
			   (off_t) (scan->extent * HUGETMPFS_EXTENT_BYTES),
			   SEEK_DATA);
	uint64_t next = data < 0 ? end :
				   (uint64_t) data / HUGETMPFS_EXTENT_BYTES;

	if (next > scan->extent)
		add_holes(scan, next < end ? next : end);
}

/* The next few extents of the open file that have data, or its end. */
static int file_step(struct scan *scan)
{
	struct recovery_file file = {
		.fd = scan->file_fd,
		.ino = scan->file_ino,
	};
	uint64_t end = file_end(scan), size, nr;
	int ret = 0;

	if (scan->extent < end)
		file_skip(scan, end);
	if (scan->extent < end) {
		nr = end - scan->extent;
		ret = recovery_map_nodes(scan->recovery, &file, scan->extent,
					 nr < SCAN_EXTENTS ? (uint32_t) nr :
							     SCAN_EXTENTS,
					 scan->extents, &size,
					 scan->totals.node_pages);
	}
	if (ret > 0) {
		add_extents(&scan->totals, scan->extents, ret);
		scan->extent += (uint64_t) ret;
		scan->file_bytes = size;
		return 0;
	}
	/* the end; or it was cut off meanwhile, or cannot be looked at */
	scan->totals.nr_unreadable += ret < 0;
	file_close(scan);
	return ret == -ENOMEM ? ret : 0;
}

static void add_policy(struct scan_totals *totals,
		       enum hugetmpfs_background own)
{
	if (own != HUGETMPFS_BACKGROUND_UNSET)
		totals->nr_policies[own]++;
}

/* Opens a file by its O_PATH fd; a device node must never be opened. */
static int file_open(struct scan *scan, int path_fd)
{
	struct backing_handle handle;
	struct stat st;
	int fd, ret;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_nlink > 1) {
		ret = u64set_add(&scan->linked, st.st_ino);
		if (ret <= 0)
			return ret;
	}
	scan->totals.nr_files++;
	if (!st.st_size)
		return 0;
	ret = backing_handle_of(path_fd, &handle);
	if (ret)
		return ret;
	fd = backing_handle_open(scan->root_fd, &handle, O_RDONLY);
	if (fd < 0)
		return fd;
	scan->file_fd = fd;
	scan->file_ino = st.st_ino;
	scan->file_bytes = (uint64_t) st.st_size;
	scan->extent = 0;
	if (recovery_has_own_policies(scan->recovery))
		add_policy(&scan->totals, recovery_policy_own(fd));
	return 0;
}

static int frame_push(struct scan *scan)
{
	struct frame *frames = scan->frames;
	size_t max = scan->max_frames;
	int ret;

	if (scan->nr_frames == max) {
		max = max ? max * 2 : 16;
		frames = reallocarray(frames, max, sizeof(*frames));
		if (!frames)
			return -ENOMEM;
		scan->frames = frames;
		scan->max_frames = max;
	}
	frames += scan->nr_frames;
	ret = backing_handle_of(scan->dir_fd, &frames->handle);
	if (ret)
		return ret;
	frames->position = scan->dir_position;
	scan->nr_frames++;
	return 0;
}

static void dir_set(struct scan *scan, int fd, off_t position)
{
	if (scan->dir_fd >= 0)
		close(scan->dir_fd);
	scan->dir_fd = fd;
	scan->dir_position = position;
	scan->next = 0;
	scan->filled = 0;
}

static int dir_enter(struct scan *scan, const char *name)
{
	int fd = openat(scan->dir_fd, name, O_RDONLY | O_DIRECTORY |
						    O_NOFOLLOW | O_CLOEXEC |
						    O_NOATIME);
	int ret;

	if (fd < 0)
		return -errno;
	ret = frame_push(scan);
	if (ret) {
		close(fd);
		return ret;
	}
	dir_set(scan, fd, 0);
	return 0;
}

/* Back to the nearest directory above that still lives. 0 at the end. */
static int dir_leave(struct scan *scan)
{
	while (scan->nr_frames) {
		struct frame *frame = &scan->frames[--scan->nr_frames];
		int fd = backing_handle_open(scan->root_fd, &frame->handle,
					     O_RDONLY | O_DIRECTORY |
						     O_NOATIME);

		if (is_gone(fd))
			continue;
		if (fd < 0)
			return fd;
		dir_set(scan, fd, frame->position);
		if (lseek(fd, frame->position, SEEK_SET) < 0)
			return -errno;
		return 1;
	}
	return 0;
}

static int entry_visit(struct scan *scan, const struct dirent64 *entry)
{
	int fd, ret;

	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return 0;
	if (entry->d_type == DT_DIR)
		return dir_enter(scan, entry->d_name);
	if (entry->d_type != DT_REG)
		return 0;
	fd = openat(scan->dir_fd, entry->d_name,
		    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = file_open(scan, fd);
	close(fd);
	return ret;
}

/* The next entry of the directory. 0 when the whole tree has been seen. */
static int dir_step(struct scan *scan)
{
	const struct dirent64 *entry;
	ssize_t n;
	int ret;

	if (scan->next == scan->filled) {
		n = getdents64(scan->dir_fd, scan->entries,
			       sizeof(scan->entries));
		if (n < 0 && errno != ENOENT)
			return -errno;
		if (n <= 0)
			return dir_leave(scan);
		scan->next = 0;
		scan->filled = (size_t) n;
	}
	entry = (const void *) (scan->entries + scan->next);
	scan->next += entry->d_reclen;
	scan->dir_position = entry->d_off;
	ret = entry_visit(scan, entry);
	if (ret == -ENOMEM || ret == -EMFILE || ret == -ENFILE)
		return ret;
	if (ret < 0 && !is_gone(ret))
		scan->totals.nr_unreadable++;
	return 1;
}

int scan_step(struct scan *scan, uint64_t budget_ns)
{
	uint64_t start = clock_now_ns();
	int ret;

	do {
		if (scan->file_fd >= 0) {
			ret = file_step(scan);
			if (ret)
				return ret;
		} else {
			ret = dir_step(scan);
			if (ret <= 0)
				return ret;
		}
	} while (clock_now_ns() - start < budget_ns);
	return 1;
}

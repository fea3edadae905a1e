/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watching all processes for what they use by small entries.
 *
 * Most processes have no file of ours mapped, and to find that out anew must
 * cost next to nothing. Opening /proc/PID/maps is nine tenths of it, so it
 * stays open: one ioctl then asks for the first shared mapping of a file, and
 * there mostly is none. An open one holds the address space as an object, not
 * its pages; when the process ends or executes another program, it answers
 * ESRCH, and is opened anew once. So a number that was reused can never be
 * taken for the process that had it.
 *
 * What has no address space, kernel threads and zombies, stays so: it is asked
 * again only now and then, in case its number is another's.
 *
 * A look may block for minutes on the lock of an address space. Its entry is
 * busy until then and is passed over. Looks use nothing but the watch, so that
 * one that is stuck keeps nothing else alive.
 */
#include "mm/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Files that may be kept open; processes beyond that cost more. */
#define MM_WATCH_FILES 8192

/* Lists after which something without an address space is asked again. */
#define MM_WATCH_EMPTY_LISTS 6

#define MM_WATCH_REGIONS 256

struct mm_watched {
	pid_t pid;
	int maps_fd;   /* -1: not open */
	uint8_t empty; /* lists for which it is not asked */
	bool busy;     /* lock; a look at it has not returned */
	bool gone;     /* lock; off the list, to be freed by that look */
};

struct mm_watch {
	dev_t dev;
	bool query; /* PROCMAP_QUERY is there */
	pthread_mutex_t lock;
	unsigned nr_files;	     /* lock */
	unsigned nr;		     /* not changed beside looks, as the list */
	struct mm_watched **watched; /* by ascending pid */
};

int mm_watch_open(void *context, dev_t dev, struct mm_watch **out)
{
	struct mm_watch *watch;

	/* small and huge entries look the same without */
	if (!mm_has(context, MM_PAGEMAP_SCAN))
		return -EOPNOTSUPP;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->query = mm_has(context, MM_PROCMAP_QUERY);
	watch->dev = dev;
	pthread_mutex_init(&watch->lock, NULL);
	*out = watch;
	return 0;
}

static void mm_watched_close_locked(struct mm_watch *watch,
				    struct mm_watched *watched)
{
	if (watched->maps_fd < 0)
		return;
	close(watched->maps_fd);
	watched->maps_fd = -1;
	watch->nr_files--;
}

/* Takes one off the list. */
static void mm_watched_drop_locked(struct mm_watch *watch,
				   struct mm_watched *watched)
{
	watched->gone = true;
	if (watched->busy)
		return;
	mm_watched_close_locked(watch, watched);
	free(watched);
}

void mm_watch_close(void *context, struct mm_watch *watch)
{
	(void) context;
	pthread_mutex_lock(&watch->lock);
	for (unsigned i = 0; i < watch->nr; i++)
		mm_watched_drop_locked(watch, watch->watched[i]);
	pthread_mutex_unlock(&watch->lock);
	free(watch->watched);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static int mm_watch_append(struct mm_watched ***list, unsigned *nr,
			   unsigned *capacity, struct mm_watched *watched)
{
	struct mm_watched **bigger;

	if (*nr == *capacity) {
		bigger = realloc(*list,
				 (*capacity * 2 + 64) * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		*list = bigger;
		*capacity = *capacity * 2 + 64;
	}
	(*list)[(*nr)++] = watched;
	return 0;
}

static struct mm_watched *mm_watched_new(pid_t pid)
{
	struct mm_watched *watched = calloc(1, sizeof(*watched));

	if (watched) {
		watched->pid = pid;
		watched->maps_fd = -1;
	}
	return watched;
}

/* The entry of a process on the list that there was, or a new one. */
static struct mm_watched *mm_watch_find(struct mm_watch *watch, unsigned *from,
					pid_t pid)
{
	struct mm_watched *watched = NULL;

	while (*from < watch->nr && watch->watched[*from]->pid < pid)
		mm_watched_drop_locked(watch, watch->watched[(*from)++]);
	if (*from < watch->nr && watch->watched[*from]->pid == pid)
		watched = watch->watched[(*from)++];
	if (!watched)
		return mm_watched_new(pid);
	if (watched->empty)
		watched->empty--;
	return watched;
}

/*
 * Merges the processes that there are, which /proc lists by ascending pid,
 * into the list.
 */
static int mm_watch_merge_locked(const struct mm *mm, struct mm_watch *watch,
				 DIR *proc)
{
	struct mm_watched **list = NULL, *watched;
	unsigned nr = 0, capacity = 0, from = 0;
	int ret = 0, more = 0;
	pid_t pid;

	while (!ret && (more = mm_next_process(mm, proc, &pid)) > 0) {
		watched = mm_watch_find(watch, &from, pid);
		ret = watched ? mm_watch_append(&list, &nr, &capacity, watched)
			      : -ENOMEM;
		if (ret && watched)
			mm_watched_drop_locked(watch, watched);
	}
	while (from < watch->nr)
		mm_watched_drop_locked(watch, watch->watched[from++]);
	free(watch->watched);
	watch->watched = list;
	watch->nr = nr;
	return ret ? ret : more;
}

int mm_watch_list(void *context, struct mm_watch *watch)
{
	DIR *proc = opendir("/proc");
	int ret;

	if (!proc)
		return -errno;
	pthread_mutex_lock(&watch->lock);
	ret = mm_watch_merge_locked(context, watch, proc);
	pthread_mutex_unlock(&watch->lock);
	closedir(proc);
	return ret ? ret : (int) watch->nr;
}

/* One process's mappings of the device, on their way to the caller. */
struct mm_watch_walk {
	int pagemap_fd;
	pid_t pid;
	const struct mm_seen *seen;
	struct mm_use use; /* not yet handed over when it has pages */
	unsigned nr;
};

static int mm_watch_hand_over(struct mm_watch_walk *walk)
{
	int ret = 0;

	if (walk->use.pages)
		ret = walk->seen->use(walk->seen->arg, &walk->use);
	walk->use.pages = 0;
	return ret;
}

/* Takes in a run of small entries; shift is the address of offset 0. */
static int mm_watch_region(struct mm_watch_walk *walk, uint64_t ino,
			   uint64_t shift,
			   const struct pagemap_region *region)
{
	uint64_t start = region->start - shift, end = region->end - shift;
	uint64_t index, stop;
	int ret;

	for (; start < end; start = stop) {
		index = start >> HUGETMPFS_EXTENT_SHIFT;
		stop = (index + 1) << HUGETMPFS_EXTENT_SHIFT;
		if (stop > end)
			stop = end;
		if (walk->use.ino != ino || walk->use.index != index) {
			ret = mm_watch_hand_over(walk);
			if (ret)
				return ret;
			walk->use.ino = ino;
			walk->use.index = index;
		}
		walk->use.pages += (uint32_t) ((stop - start) >> MM_PAGE_SHIFT);
	}
	return 0;
}

static int mm_watch_scan(struct mm_watch_walk *walk, uint64_t ino,
			 uint64_t shift, uint64_t start, uint64_t end)
{
	struct pagemap_region regions[MM_WATCH_REGIONS];
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t) regions,
		.vec_len = MM_WATCH_REGIONS,
		.category_inverted = PAGEMAP_HUGE,
		.category_mask = PAGEMAP_PRESENT | PAGEMAP_HUGE,
		.return_mask = PAGEMAP_PRESENT,
	};
	int nr, ret = 0;

	while (!ret && arg.start < end) {
		nr = mm_sys_ioctl(walk->pagemap_fd, PAGEMAP_SCAN_IOC, &arg);
		if (nr < 0)
			return nr;
		for (int i = 0; i < nr && !ret; i++)
			ret = mm_watch_region(walk, ino, shift, &regions[i]);
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return ret;
}

static int mm_watch_tell(const struct mm_watch_walk *walk,
			 const struct mm_vma *vma)
{
	uint64_t end = vma->offset + (vma->end - vma->start) - 1;
	struct mm_mapped mapped = {
		.ino = vma->ino,
		.first = vma->offset >> HUGETMPFS_EXTENT_SHIFT,
		.pid = walk->pid,
	};

	if (!walk->seen->mapped)
		return 0;
	mapped.nr = (end >> HUGETMPFS_EXTENT_SHIFT) - mapped.first + 1;
	return walk->seen->mapped(walk->seen->arg, &mapped);
}

/* Looks at what of a mapping could be mapped huge. */
static int mm_watch_vma(void *arg, const struct mm_vma *vma)
{
	struct mm_watch_walk *walk = arg;
	uint64_t mask = HUGETMPFS_EXTENT_BYTES - 1;
	uint64_t shift = vma->start - vma->offset;
	uint64_t start = (vma->start + mask) & ~mask;
	uint64_t end = vma->end & ~mask;
	int ret = mm_watch_tell(walk, vma);

	walk->nr++;
	if (ret || shift & mask || start >= end)
		return ret;
	return mm_watch_scan(walk, vma->ino, shift, start, end);
}

/*
 * Opens maps and pagemap of one process: relative to its folder, which never
 * leads to another.
 */
static int mm_watch_open_pagemap(const struct mm_watched *watched,
				 int *maps_fd, int *pagemap_fd)
{
	char path[32];
	int dir;

	snprintf(path, sizeof(path), "/proc/%d", (int) watched->pid);
	dir = mm_sys_open(path, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return dir == -ENOENT ? -ESRCH : dir;
	*maps_fd = mm_sys_result(openat(dir, "maps", O_RDONLY | O_CLOEXEC));
	*pagemap_fd =
		mm_sys_result(openat(dir, "pagemap", O_RDONLY | O_CLOEXEC));
	close(dir);
	if (*maps_fd >= 0 && *pagemap_fd >= 0)
		return 0;
	dir = *maps_fd < 0 ? *maps_fd : *pagemap_fd;
	if (*maps_fd >= 0)
		close(*maps_fd);
	if (*pagemap_fd >= 0)
		close(*pagemap_fd);
	return dir == -ENOENT ? -ESRCH : dir;
}

/* The look at a process that has mappings of the device. */
static int mm_watch_mapper(const struct mm_watch *watch,
			   const struct mm_watched *watched,
			   const struct mm_seen *seen)
{
	struct mm_watch_walk walk = {.pid = watched->pid, .seen = seen};
	int maps_fd, ret;

	ret = mm_watch_open_pagemap(watched, &maps_fd, &walk.pagemap_fd);
	if (ret)
		return ret;
	ret = mm_for_each_vma_of(maps_fd, watch->query, watch->dev, 0,
				 mm_watch_vma, &walk);
	if (!ret)
		ret = mm_watch_hand_over(&walk);
	close(walk.pagemap_fd);
	close(maps_fd);
	return ret ? ret : (int) walk.nr;
}

static int mm_watch_stop(void *arg, const struct mm_vma *vma)
{
	(void) arg;
	(void) vma;
	return 1;
}

static int mm_watched_open(struct mm_watched *watched)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int) watched->pid);
	watched->maps_fd = mm_sys_open(path, O_RDONLY);
	if (watched->maps_fd < 0)
		return watched->maps_fd == -ENOENT ? -ESRCH : watched->maps_fd;
	return 0;
}

/* Whether it maps the device: 1, 0, or a negative errno. */
static int mm_watched_maps(const struct mm_watch *watch,
			   struct mm_watched *watched)
{
	bool fresh = watched->maps_fd < 0;
	int ret = 0;

	if (fresh)
		ret = mm_watched_open(watched);
	if (!ret)
		ret = mm_for_each_vma_of(watched->maps_fd, watch->query,
					 watch->dev, 0, mm_watch_stop, NULL);
	if (ret != -ESRCH || fresh)
		return ret;
	/* another program runs there now, or there is none any more */
	close(watched->maps_fd);
	ret = mm_watched_open(watched);
	if (ret)
		return ret;
	return mm_for_each_vma_of(watched->maps_fd, watch->query, watch->dev, 0,
				  mm_watch_stop, NULL);
}

/* Takes an entry for a look. */
static int mm_watched_take(struct mm_watch *watch, unsigned i,
			   struct mm_watched **out)
{
	struct mm_watched *watched;
	int ret = 0;

	pthread_mutex_lock(&watch->lock);
	watched = watch->watched[i];
	if (watched->busy)
		ret = -EBUSY;
	else if (watched->empty)
		ret = -ESRCH;
	if (!ret) {
		watched->busy = true;
		/* counted while it is looked at, whether open or not */
		watch->nr_files += watched->maps_fd < 0;
		*out = watched;
	}
	pthread_mutex_unlock(&watch->lock);
	return ret;
}

static void mm_watched_put(struct mm_watch *watch, struct mm_watched *watched,
			   bool keep)
{
	pthread_mutex_lock(&watch->lock);
	if (watched->maps_fd < 0)
		watch->nr_files--;
	else if (!keep || watch->nr_files > MM_WATCH_FILES)
		mm_watched_close_locked(watch, watched);
	watched->busy = false;
	if (watched->gone)
		mm_watched_drop_locked(watch, watched);
	pthread_mutex_unlock(&watch->lock);
}

int mm_watch_look(void *context, struct mm_watch *watch, unsigned i,
		  const struct mm_seen *seen)
{
	struct mm_watched *watched;
	int ret;

	(void) context;
	ret = mm_watched_take(watch, i, &watched);
	if (ret)
		return ret;
	ret = mm_watched_maps(watch, watched);
	if (ret > 0)
		ret = mm_watch_mapper(watch, watched, seen);
	if (ret == -ESRCH)
		watched->empty = MM_WATCH_EMPTY_LISTS;
	mm_watched_put(watch, watched, ret >= 0);
	return ret;
}

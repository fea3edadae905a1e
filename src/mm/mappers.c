/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the processes that map a file. Open counts say nothing about
 * mappings (FACTS F2), so every process is asked.
 *
 * A process is held by a pidfd, because its number may be reused. The number
 * is only trusted between the opening of the pidfd and a moment when the
 * pidfd's process is seen to live still: what was opened by number between
 * them belongs to that process.
 */
#include "mm/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>

static int mm_mappers_stop(void *arg, const struct mm_vma *vma)
{
	(void) arg;
	(void) vma;
	return 1;
}

static int mm_mappers_add(struct mm_mappers *mappers, pid_t pid, int pidfd)
{
	struct mm_mapper *bigger;

	/* grow at the powers of two */
	if ((mappers->nr & (mappers->nr - 1)) == 0) {
		size_t capacity = mappers->nr ? mappers->nr * 2 : 1;

		bigger = realloc(mappers->mapper,
				 capacity * sizeof(*mappers->mapper));
		if (!bigger)
			return -ENOMEM;
		mappers->mapper = bigger;
	}
	mappers->mapper[mappers->nr].pid = pid;
	mappers->mapper[mappers->nr].pidfd = pidfd;
	mappers->nr++;
	return 0;
}

/* Whether a process maps the file: 1, 0, or a negative errno. */
static int mm_mappers_ask(struct mm *mm, pid_t pid, dev_t dev, uint64_t ino)
{
	struct mm_inside inside;
	int ret;

	ret = mm_guard_enter(&mm->guard, &inside, pid, true);
	if (ret)
		return ret;
	ret = mm_for_each_vma(mm, pid, dev, ino, mm_mappers_stop, NULL);
	mm_guard_leave(&mm->guard, &inside);
	return ret;
}

/* Adds the process if it maps the file. Only running out of memory is fatal. */
static int mm_mappers_try(struct mm *mm, pid_t pid, dev_t dev, uint64_t ino,
			  struct mm_mappers *mappers)
{
	int ret, pidfd;

	ret = mm_mappers_ask(mm, pid, dev, ino);
	if (ret <= 0) {
		/* one that went away or a kernel thread is no mapper */
		if (ret != 0 && ret != -ESRCH)
			mappers->missed++;
		return 0;
	}
	pidfd = mm_sys_pidfd_open(pid);
	if (pidfd < 0) {
		mappers->missed += pidfd != -ESRCH;
		return 0;
	}
	ret = mm_mappers_ask(mm, pid, dev, ino);
	if (ret <= 0 || mm_sys_pidfd_alive(pidfd)) {
		close(pidfd);
		return 0;
	}
	ret = mm_mappers_add(mappers, pid, pidfd);
	if (ret)
		close(pidfd);
	return ret;
}

int mm_next_process(const struct mm *mm, DIR *proc, pid_t *pid)
{
	struct dirent *entry;
	pid_t self = getpid();

	for (;;) {
		errno = 0;
		entry = readdir(proc);
		if (!entry)
			return -errno;
		if (!isdigit((unsigned char) entry->d_name[0]))
			continue;
		*pid = (pid_t) strtol(entry->d_name, NULL, 10);
		if (*pid != self && *pid != mm->second)
			return 1;
	}
}

int mm_mappers_find(void *context, dev_t dev, uint64_t ino,
		    struct mm_mappers *mappers)
{
	int ret = 0, more = 0;
	pid_t pid;
	DIR *proc;

	mappers->nr = 0;
	mappers->mapper = NULL;
	mappers->missed = 0;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (!ret && (more = mm_next_process(context, proc, &pid)) > 0)
		ret = mm_mappers_try(context, pid, dev, ino, mappers);
	closedir(proc);
	ret = ret ? ret : more;
	if (ret)
		mm_mappers_free(context, mappers);
	return ret;
}

void mm_mappers_free(void *context, struct mm_mappers *mappers)
{
	(void) context;
	for (size_t i = 0; i < mappers->nr; i++)
		close(mappers->mapper[i].pidfd);
	free(mappers->mapper);
	mappers->mapper = NULL;
	mappers->nr = 0;
}

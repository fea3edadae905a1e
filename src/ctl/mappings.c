/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes and their mappings of one file, from /proc. The kernel decides
 * what the caller may see of whom.
 */
#include "ctl/mappings.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/types.h>

#include "base/pagemap.h"
#include "base/procmaps.h"

#define PAGE_SHIFT 12
#define REGIONS	   64

static void process_name(pid_t pid, char *name)
{
	char path[32];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int) pid);
	name[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, MAPPING_NAME_BYTES, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static int mappings_add(struct mappings *mappings, pid_t pid,
			const struct procmaps_line *line)
{
	size_t capacity = mappings->capacity * 2 + 16;
	struct mapping *list = mappings->list, *mapping;

	if (mappings->nr == mappings->capacity) {
		list = reallocarray(list, capacity, sizeof(*list));
		if (!list)
			return -ENOMEM;
		mappings->list = list;
		mappings->capacity = capacity;
	}
	mapping = &list[mappings->nr++];
	*mapping = (struct mapping){
		.pid = pid,
		.start = line->start,
		.end = line->end,
		.offset = line->offset,
		.shared = line->shared,
	};
	process_name(pid, mapping->name);
	return 0;
}

static int mappings_of(struct mappings *mappings, pid_t pid, dev_t dev,
		       uint64_t ino)
{
	struct procmaps_line line;
	char path[32], *text = NULL;
	size_t size = 0;
	FILE *file;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int) pid);
	file = fopen(path, "re");
	if (!file) {
		/* one that is gone has nothing mapped */
		mappings->hidden += errno == EACCES || errno == EPERM;
		return 0;
	}
	errno = 0;
	while (!ret && getline(&text, &size, file) > 0) {
		if (procmaps_parse(text, &line) && line.dev == dev &&
		    line.ino == ino)
			ret = mappings_add(mappings, pid, &line);
	}
	/* some kernels say it only at the first read */
	mappings->hidden += ferror(file) && errno == EACCES;
	free(text);
	fclose(file);
	return ret;
}

int mappings_find(struct mappings *mappings, dev_t dev, uint64_t ino)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int ret = 0;

	if (!proc)
		return -errno;
	while (!ret && (entry = readdir(proc))) {
		if (isdigit((unsigned char) entry->d_name[0]))
			ret = mappings_of(mappings,
					  (pid_t) strtol(entry->d_name, NULL,
							 10),
					  dev, ino);
	}
	closedir(proc);
	return ret;
}

void mappings_clear(struct mappings *mappings)
{
	free(mappings->list);
	*mappings = (struct mappings){ 0 };
}

enum mapping_use mapping_fit(const struct mapping *mapping, uint64_t index)
{
	uint64_t mask = HUGETMPFS_EXTENT_BYTES - 1;
	uint64_t begin = index << HUGETMPFS_EXTENT_SHIFT;
	uint64_t from = mapping->offset;
	uint64_t to = from + (mapping->end - mapping->start);

	if (from > begin + mask || to <= begin)
		return MAPPING_NONE;
	if (!mapping->shared)
		return MAPPING_PRIVATE;
	if ((mapping->start - mapping->offset) & mask)
		return MAPPING_MISALIGNED;
	if (from > begin || to - begin < HUGETMPFS_EXTENT_BYTES)
		return MAPPING_SHORT;
	return MAPPING_FIT;
}

uint64_t mapping_address(const struct mapping *mapping, uint64_t index)
{
	uint64_t begin = index << HUGETMPFS_EXTENT_SHIFT;

	if (begin < mapping->offset)
		return mapping->start;
	return mapping->start + (begin - mapping->offset);
}

static int open_pagemap(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int) pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* How the extent at an address is mapped: FIT, HUGE or SMALL. */
static enum mapping_use look_at(int fd, uint64_t address)
{
	struct pagemap_region regions[REGIONS];
	struct pagemap_scan_arg arg = {
		.size = sizeof(arg),
		.start = address,
		.end = address + HUGETMPFS_EXTENT_BYTES,
		.vec = (uintptr_t) regions,
		.vec_len = REGIONS,
		.category_mask = PAGEMAP_PRESENT,
		.return_mask = PAGEMAP_PRESENT | PAGEMAP_HUGE,
	};

	if (ioctl(fd, PAGEMAP_SCAN_IOC, &arg) <= 0)
		return MAPPING_FIT;
	return regions[0].categories & PAGEMAP_HUGE ? MAPPING_HUGE
						    : MAPPING_SMALL;
}

void mapping_look(const struct mapping *mapping, uint64_t first, uint32_t nr,
		  uint8_t *uses)
{
	int fd = open_pagemap(mapping->pid);

	for (uint32_t i = 0; i < nr; i++) {
		uses[i] = (uint8_t) mapping_fit(mapping, first + i);
		if (uses[i] == MAPPING_FIT && fd >= 0)
			uses[i] = (uint8_t) look_at(
				fd, mapping_address(mapping, first + i));
	}
	if (fd >= 0)
		close(fd);
}

/* What keeps a page where it is, NULL when nothing can be seen. */
static const char *busy_state(int flags_fd, uint64_t entry)
{
	uint64_t pfn = entry & PAGEMAP_ENTRY_PFN, flags;

	/* without the right to see it, the number is 0 */
	if (!(entry & PAGEMAP_ENTRY_PRESENT) || !pfn ||
	    pread(flags_fd, &flags, sizeof(flags), (off_t) (pfn * 8)) !=
		    (ssize_t) sizeof(flags))
		return NULL;
	if (flags & KPF_WRITEBACK)
		return "under write-back";
	if (flags & KPF_LOCKED)
		return "locked for I/O";
	if (!(flags & (KPF_LRU | KPF_TAIL)))
		return "taken off the lists of pages";
	return NULL;
}

int mapping_busy_page(const struct mapping *mapping, uint64_t index,
		      const char **why)
{
	uint64_t entries[HUGETMPFS_EXTENT_PAGES];
	int fd = open_pagemap(mapping->pid), page = -1;
	int flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t) (mapping_address(mapping, index) >> PAGE_SHIFT) * 8;

	if (fd >= 0 && flags_fd >= 0 &&
	    mapping_fit(mapping, index) == MAPPING_FIT &&
	    pread(fd, entries, sizeof(entries), at) == sizeof(entries)) {
		for (int i = 0; i < HUGETMPFS_EXTENT_PAGES && page < 0; i++) {
			*why = busy_state(flags_fd, entries[i]);
			page = *why ? i : -1;
		}
	}
	if (fd >= 0)
		close(fd);
	if (flags_fd >= 0)
		close(flags_fd);
	return page;
}

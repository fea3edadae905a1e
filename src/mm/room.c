/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much can be brought into memory before something else has to leave.
 *
 * A swapped page is charged to a memory cgroup when it comes in. At the limit
 * the kernel makes room by swapping out other pages of that cgroup, which are
 * as likely as not the extents that were just recovered. So it is asked
 * beforehand: each cgroup from the process's own up to the root has as much
 * room as its limit leaves, and its page cache, which can go without being
 * written anywhere. For the whole machine the kernel says it itself.
 */
#include "mm/internal.h"

#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What version 1 and 2 of cgroups call things. */
struct mm_room_names {
	const char *limits[2];
	const char *usage;
	const char *cache[2]; /* lines of memory.stat */
};

static const struct mm_room_names mm_room_v1 = {
	{"memory.limit_in_bytes", NULL},
	"memory.usage_in_bytes",
	{"total_active_file ", "total_inactive_file "},
};

static const struct mm_room_names mm_room_v2 = {
	{"memory.max", "memory.high"},
	"memory.current",
	{"active_file ", "inactive_file "},
};

/* Version 1's "no limit" is a number, the largest that it can hold. */
#define MM_ROOM_UNLIMITED (UINT64_C(1) << 62)

void mm_room_probe(struct mm *mm)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;

	mm->cgroup_root = NULL;
	while (mounts && (entry = getmntent(mounts))) {
		bool v1 = !strcmp(entry->mnt_type, "cgroup") &&
			  hasmntopt(entry, "memory");

		if (!v1 &&
		    (mm->cgroup_root || strcmp(entry->mnt_type, "cgroup2")))
			continue;
		/* where both are mounted, memory is with version 1 */
		free(mm->cgroup_root);
		mm->cgroup_root = strdup(entry->mnt_dir);
		mm->cgroup_v1 = v1;
		if (v1)
			break;
	}
	if (mounts)
		endmntent(mounts);
}

static int mm_room_read(const char *dir, const char *name, char *text,
			size_t size)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int) sizeof(path))
		return -ENAMETOOLONG;
	fd = mm_sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	got = read(fd, text, size - 1);
	if (got < 0)
		got = -errno;
	else
		text[got] = '\0';
	close(fd);
	return got < 0 ? (int) got : 0;
}

/* A number; UINT64_MAX for "max" and where there is no such file. */
static uint64_t mm_room_number(const char *dir, const char *name)
{
	char text[64];

	if (!name || mm_room_read(dir, name, text, sizeof(text)) ||
	    text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

/* The number behind a word at the beginning of a line. */
static uint64_t mm_room_line(const char *text, const char *word)
{
	const char *at = text;

	while (at && strncmp(at, word, strlen(word))) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

static uint64_t mm_room_of(const char *dir, const struct mm_room_names *names)
{
	uint64_t limit = UINT64_MAX, usage, other, room;
	char text[8192];

	for (int i = 0; i < 2; i++) {
		other = mm_room_number(dir, names->limits[i]);
		limit = other < limit ? other : limit;
	}
	if (limit >= MM_ROOM_UNLIMITED)
		return UINT64_MAX;
	usage = mm_room_number(dir, names->usage);
	room = usage < limit ? limit - usage : 0;
	if (!mm_room_read(dir, "memory.stat", text, sizeof(text))) {
		for (int i = 0; i < 2; i++)
			room += mm_room_line(text, names->cache[i]);
	}
	return room;
}

/* The folder of the process's memory cgroup. */
static int mm_room_cgroup(const struct mm *mm, pid_t pid, char *dir,
			  size_t size)
{
	char path[64], text[8192], *line, *next, *controllers, *name;

	snprintf(path, sizeof(path), "/proc/%d", (int) pid);
	if (mm_room_read(path, "cgroup", text, sizeof(text)))
		return -ESRCH;
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		/* ID:CONTROLLERS:PATH */
		controllers = strchr(line, ':');
		name = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!name)
			continue;
		*name++ = '\0';
		controllers++;
		if (mm->cgroup_v1 ? strcmp(controllers, "memory")
				  : *controllers)
			continue;
		if (snprintf(dir, size, "%s%s", mm->cgroup_root, name) >=
		    (int) size)
			return -ENAMETOOLONG;
		return 0;
	}
	return -ENOENT;
}

static uint64_t mm_room_machine(void)
{
	char text[4096];

	if (mm_room_read("/proc", "meminfo", text, sizeof(text)))
		return UINT64_MAX;
	return mm_room_line(text, "MemAvailable:") * 1024;
}

uint64_t mm_room(void *context, const struct mm_mapper *mapper)
{
	uint64_t room = mm_room_machine(), here;
	struct mm *mm = context;
	char dir[PATH_MAX], *slash;

	if (!mapper || !mm->cgroup_root ||
	    mm_room_cgroup(mm, mapper->pid, dir, sizeof(dir)))
		return room;
	while (strlen(dir) > strlen(mm->cgroup_root)) {
		here = mm_room_of(dir,
				  mm->cgroup_v1 ? &mm_room_v1 : &mm_room_v2);
		room = here < room ? here : room;
		slash = strrchr(dir, '/');
		*slash = '\0';
	}
	return room;
}

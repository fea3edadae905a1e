/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the whole machine does with pages: the cheap sign that a look at the
 * processes may find something new. Most of it is no work of recovery: a
 * collapse moves none of these counters, but bringing in swap does.
 */
#include "mm/internal.h"

#include <stdlib.h>
#include <string.h>

/* More than the kernel has to say; what is cut off is not counted. */
#define MM_VMSTAT_BYTES 16384

/* What each wait is taken for. */
#define MM_STALL_US 1000

/* Lines of /proc/vmstat that say that mapped pages became others. */
static const char *const mm_moved[] = {
	"pgmigrate_success", "pswpin",	      "pswpout",
	"thp_split_page",    "thp_split_pmd", "thp_swpout",
};

/* Those that say that somebody had to wait for memory, without PSI. */
static const char *const mm_stalled[] = {
	"allocstall_device",  "allocstall_dma",	   "allocstall_dma32",
	"allocstall_movable", "allocstall_normal", "compact_stall",
	"pswpout",
};

#define MM_NR(names) (sizeof(names) / sizeof((names)[0]))

static bool mm_is_one_of(const char *const *names, size_t nr, const char *line,
			 size_t length)
{
	for (size_t i = 0; i < nr; i++) {
		if (strlen(names[i]) == length &&
		    !memcmp(names[i], line, length))
			return true;
	}
	return false;
}

static void mm_machine_line(const char *line, struct mm_machine *machine)
{
	size_t length = strcspn(line, " \n");
	uint64_t value;

	if (line[length] != ' ')
		return;
	/* all names of interest begin with one of these */
	if (!strchr("acpt", line[0]))
		return;
	value = strtoull(line + length, NULL, 10);
	if (mm_is_one_of(mm_moved, MM_NR(mm_moved), line, length))
		machine->moved += value;
	if (mm_is_one_of(mm_stalled, MM_NR(mm_stalled), line, length))
		machine->stalled_us += value * MM_STALL_US;
}

/* Microseconds that some task was stalled, from "some avg10=... total=N". */
static int mm_machine_pressure(const struct mm *mm, uint64_t *us)
{
	char text[256], *total;
	ssize_t ret;

	if (mm->pressure_fd < 0)
		return -ENOENT;
	ret = pread(mm->pressure_fd, text, sizeof(text) - 1, 0);
	if (ret < 0)
		return -errno;
	text[ret] = '\0';
	total = strstr(text, "total=");
	if (!total)
		return -ENOENT;
	*us = strtoull(total + strlen("total="), NULL, 10);
	return 0;
}

int mm_machine(void *context, struct mm_machine *machine)
{
	const struct mm *mm = context;
	char text[MM_VMSTAT_BYTES];
	ssize_t ret;

	*machine = (struct mm_machine){0};
	if (mm->vmstat_fd < 0)
		return -ENOENT;
	ret = pread(mm->vmstat_fd, text, sizeof(text) - 1, 0);
	if (ret < 0)
		return -errno;
	text[ret] = '\0';
	for (char *line = text; *line; line += *line == '\n') {
		mm_machine_line(line, machine);
		line += strcspn(line, "\n");
	}
	/* where it is known, it is in place of what the other counters say */
	if (mm->pressure_fd < 0)
		return 0;
	return mm_machine_pressure(mm, &machine->stalled_us);
}

/*
 * PSI can be built in and turned off, which only shows by use. A trigger would
 * not save anything: the other counters have to be read each second anyway.
 */
void mm_machine_open(struct mm *mm)
{
	uint64_t us;

	mm->vmstat_fd = mm_sys_open("/proc/vmstat", O_RDONLY);
	mm->pressure_fd = mm_sys_open("/proc/pressure/memory", O_RDONLY);
	if (mm->pressure_fd >= 0 && mm_machine_pressure(mm, &us)) {
		close(mm->pressure_fd);
		mm->pressure_fd = -1;
	}
}

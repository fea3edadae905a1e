/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What memory is like before a huge page is asked for: whether somebody has to
 * wait for memory, where a free block of 2 MiB is, and the way to have one
 * made.
 */
#include "mm/internal.h"

#include <stdio.h>

#include "base/buddyinfo.h"

int mm_read_text(const char *path, char *text, size_t size)
{
	int fd = mm_sys_open(path, O_RDONLY);
	ssize_t got;

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

/* The first line: "some avg10=0.12 avg60=0.00 avg300=0.00 total=4711" */
int mm_pressure(void *context, struct mm_pressure *pressure)
{
	unsigned whole, hundredths;
	unsigned long long total;
	char text[512];
	int ret;

	(void) context;
	ret = mm_read_text("/proc/pressure/memory", text, sizeof(text));
	if (ret)
		return ret;
	if (sscanf(text, "some avg10=%u.%2u avg60=%*s avg300=%*s total=%llu",
		   &whole, &hundredths, &total) != 3)
		return -EPROTO;
	pressure->avg10 = whole * 100 + hundredths;
	pressure->total_us = total;
	return 0;
}

int mm_free_blocks(void *context, uint32_t *blocks, unsigned nr_nodes)
{
	int ret = buddyinfo_read(blocks, nr_nodes);

	(void) context;
	return ret < 0 ? ret : 0;
}

static int mm_compact_open(struct mm *mm, int nid)
{
	char path[80] = "/proc/sys/vm/compact_memory";

	if (nid >= 0 && mm_only_node(mm) < 0)
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/compact", nid);
	return mm_sys_open(path, O_WRONLY);
}

int mm_compact(void *context, int nid)
{
	int fd = mm_compact_open(context, nid), ret = 0;

	if (fd < 0)
		return fd;
	if (write(fd, "1", 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

bool mm_compact_is_there(struct mm *mm)
{
	int fd = mm_compact_open(mm, -1);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls of a file from the shell, with nothing of ours between:
 *
 *	extents map | recover | dry-run FILE [FIRST [NR]]
 *
 * One line an extent: INDEX STATE REASON DATA HOLE SWAPPED. Exit code 0, or 2
 * with the name of the errno on standard output.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

static const char *const states[] = {
#define X(constant, name, meaning) name,
	HUGETMPFS_STATES(X)
#undef X
};

static const char *const reasons[] = {
#define X(constant, name, meaning) name,
	HUGETMPFS_REASONS(X)
#undef X
};

static void print(const struct hugetmpfs_extent *e)
{
	printf("%llu %s %s %u %u %u\n", (unsigned long long) e->index,
	       e->state < HUGETMPFS_NR_STATES ? states[e->state] : "?",
	       e->reason < HUGETMPFS_NR_REASONS ? reasons[e->reason] : "?",
	       e->data_pages, e->hole_pages, e->swapped_pages);
}

int main(int argc, char **argv)
{
	struct hugetmpfs_ioc_extents arg = { 0 };
	uint64_t first, left = UINT64_MAX;
	unsigned long request = HUGETMPFS_IOC_RECOVER;
	int fd;

	if (argc < 3) {
		fputs("usage: extents map|recover|dry-run FILE [FIRST [NR]]\n",
		      stderr);
		return 1;
	}
	if (strcmp(argv[1], "map") == 0)
		request = HUGETMPFS_IOC_MAP;
	first = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	if (argc > 4)
		left = strtoull(argv[4], NULL, 0);
	fd = open(argv[2], request == HUGETMPFS_IOC_MAP ? O_RDONLY : O_RDWR);
	while (fd >= 0 && left) {
		arg.first = first;
		arg.nr = left < HUGETMPFS_IOC_EXTENTS ? left :
				HUGETMPFS_IOC_EXTENTS;
		arg.flags = strcmp(argv[1], "dry-run") ? 0 :
				HUGETMPFS_RECOVER_DRY_RUN;
		if (ioctl(fd, request, &arg))
			break;
		if (arg.nr == 0)
			return 0;
		for (uint32_t i = 0; i < arg.nr; i++)
			print(&arg.extents[i]);
		first += arg.nr;
		left -= arg.nr;
	}
	if (fd >= 0 && left == 0)
		return 0;
	printf("%s\n", strerrorname_np(errno));
	return 2;
}

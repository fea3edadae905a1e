/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left in the tables of a mount, read from the memfd that its keeper
 * holds; and which backing ids are left in the kernel that no table knows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "namespace/journal.h"
#include "namespace/table.h"
#include "takeover.h"

/* ABI of Linux 6.9 (linux/fuse.h) */
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

uint64_t takeover_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* A duplicate of the keeper's fd whose link in /proc begins with name. */
static int fd_of(int keeper, const char *name)
{
	int pidfd = pidfd_open(keeper, 0), fd = -1;
	char path[64], entry_path[400], link[256];
	struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "/proc/%d/fd", keeper);
	stream = opendir(path);
	while (stream && fd < 0 && (entry = readdir(stream))) {
		ssize_t n;

		snprintf(entry_path, sizeof(entry_path), "%s/%s", path,
			 entry->d_name);
		n = readlink(entry_path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (!strncmp(link, name, strlen(name)))
			fd = pidfd_getfd(pidfd, atoi(entry->d_name), 0);
	}
	if (stream)
		closedir(stream);
	close(pidfd);
	return fd;
}

static unsigned used_records(struct table *table, bool say)
{
	unsigned nr = 0;

	for (uint32_t slot = TABLE_ROOT_SLOT + 1; slot < table_nr_slots(table);
	     slot++) {
		struct table_record *record = table_record(table, slot);

		if ((uint32_t) record->state != TABLE_IN_USE)
			continue;
		nr++;
		if (say)
			fprintf(stderr, "left: inode %llu mode %o lookups %llu "
				"opens %llu backing id %llu\n",
				(unsigned long long) record->ino, record->mode,
				(unsigned long long) record->nlookup,
				(unsigned long long) record->nopen,
				(unsigned long long) record->backing_id);
	}
	return nr;
}

/* Ids that are in no record any more, and that the daemon is about to close. */
static unsigned closing_ids(struct table *table)
{
	struct journal_slot *slots = table_journal(table);
	unsigned nr = 0;

	for (int i = 0; i < JOURNAL_NR_SLOTS; i++)
		nr += atomic_load(&slots[i].closing) != 0;
	return nr;
}

/* The kernel forgets a moment after a removal, and the daemon then. */
static bool records_go(struct table *table)
{
	for (int i = 0; i < 200; i++) {
		if (!used_records(table, false) && !closing_ids(table))
			return true;
		usleep(50000);
	}
	used_records(table, true);
	fprintf(stderr, "left: %u backing ids to close\n", closing_ids(table));
	return false;
}

/* No file is open: each id that can be closed was leaked. */
static bool no_id_is_left(struct table *table, int fuse_fd)
{
	uint64_t highest = *table_highest_id(table);
	unsigned nr = 0;

	for (uint32_t id = 1; id <= highest; id++)
		if (!ioctl(fuse_fd, BACKING_CLOSE, &id))
			nr++;
	if (nr)
		fprintf(stderr, "%u of %llu backing ids are left\n", nr,
			(unsigned long long) highest);
	return !nr;
}

bool takeover_tables_are_empty(int keeper)
{
	int table_fd = fd_of(keeper, "/memfd:hugetmpfs-table");
	int fuse_fd = fd_of(keeper, "/dev/fuse");
	struct table *table;
	bool good;

	if (table_fd < 0 || fuse_fd < 0 || table_open(&table, table_fd)) {
		fprintf(stderr, "cannot look into the tables\n");
		return false;
	}
	good = records_go(table) && no_id_is_left(table, fuse_fd);
	table_close(table);
	close(table_fd);
	close(fuse_fd);
	return good;
}

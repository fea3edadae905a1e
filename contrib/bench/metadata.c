/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures rates of operations on names: makes NR files in a folder, stats,
 * opens, lists, renames and removes them, each operation on all of them before
 * the next. Prints a line "OPERATION RATE" each, per second.
 *
 *	metadata DIRECTORY NR
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define NAME_BYTES 32

static int create_file(int dir, unsigned i)
{
	char name[NAME_BYTES];
	int fd;

	snprintf(name, sizeof(name), "f%u", i);
	fd = openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int open_file(int dir, unsigned i)
{
	char name[NAME_BYTES];
	int fd;

	snprintf(name, sizeof(name), "f%u", i);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}

static int stat_file(int dir, unsigned i)
{
	char name[NAME_BYTES];
	struct stat st;

	snprintf(name, sizeof(name), "f%u", i);
	return fstatat(dir, name, &st, 0);
}

/* A name that is not there, another one each time. */
static int miss_file(int dir, unsigned i)
{
	char name[NAME_BYTES];
	struct stat st;

	snprintf(name, sizeof(name), "m%u", i);
	if (!fstatat(dir, name, &st, 0))
		errno = EEXIST;
	return errno == ENOENT ? 0 : -1;
}

static int rename_file(int dir, unsigned i)
{
	char from[NAME_BYTES], to[NAME_BYTES];

	snprintf(from, sizeof(from), "f%u", i);
	snprintf(to, sizeof(to), "r%u", i);
	return renameat(dir, from, dir, to);
}

static int unlink_file(int dir, unsigned i)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "r%u", i);
	return unlinkat(dir, name, 0);
}

/* The whole folder, once in all calls. */
static int list_files(int dir, unsigned i)
{
	struct dirent *entry;
	DIR *stream;
	int fd;

	if (i)
		return 0;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return -1;
	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry);
	return closedir(stream) || errno ? -1 : 0;
}

static const struct operation {
	const char *name;
	int (*run)(int dir, unsigned i); /* 0, or -1 with errno set */
} operations[] = {
	{ "create", create_file },     { "stat", stat_file },
	{ "stat_again", stat_file },   { "stat_missing", miss_file },
	{ "open", open_file },	       { "list", list_files },
	{ "rename", rename_file },     { "unlink", unlink_file },
};

static int measure(const struct operation *operation, int dir, unsigned nr)
{
	uint64_t begin_ns = clock_now_ns();

	for (unsigned i = 0; i < nr; i++) {
		if (operation->run(dir, i)) {
			perror(operation->name);
			return -1;
		}
	}
	printf("%s %.0f\n", operation->name,
	       nr * 1e9 / (double) (clock_now_ns() - begin_ns));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int dir;

	if (!nr || nr > 100000000) {
		fprintf(stderr, "usage: metadata DIRECTORY NR\n");
		return 1;
	}
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		perror(argv[1]);
		return 1;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (measure(&operations[i], dir, (unsigned) nr))
			return 1;
	}
	return 0;
}

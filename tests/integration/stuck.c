/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stuck FILE OTHER: an application whose address space gets locked. It maps
 * both, touches neither and says "ready ADDRESS", where a
 * page of OTHER is mapped that nobody has read. While somebody waits for that
 * page through /proc/PID/mem, he holds the lock for reading; the mapping that
 * is made at the first line of input then waits for the lock, and everybody
 * else behind it. It says "free" and ends when it has come through.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTENT	  (2UL << 20)
#define PAGE	  4096UL
#define UNREAD_AT (512UL << 10) /* in OTHER, out of reach of readahead */

static char *map_aligned(int fd, size_t bytes)
{
	char *room = mmap(NULL, bytes + EXTENT, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t at = ((uintptr_t) room + EXTENT - 1) & ~(EXTENT - 1);

	if (room == MAP_FAILED)
		return room;
	return mmap((void *) at, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, 0);
}

int main(int argc, char **argv)
{
	struct stat st, other;
	char *map, *page, line[16];
	int fd, other_fd;

	if (argc != 3)
		return 1;
	fd = open(argv[1], O_RDWR);
	other_fd = open(argv[2], O_RDONLY);
	if (fd < 0 || other_fd < 0 || fstat(fd, &st) || fstat(other_fd, &other))
		return 2;
	map = map_aligned(fd, (size_t) st.st_size);
	page = mmap(NULL, (size_t) other.st_size, PROT_READ, MAP_SHARED,
		    other_fd, 0);
	if (map == MAP_FAILED || page == MAP_FAILED)
		return 2;
	printf("ready %lu\n", (unsigned long) (uintptr_t) (page + UNREAD_AT));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	if (mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 2;
	puts("free");
	return 0;
}

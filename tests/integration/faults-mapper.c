/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that uses a file by small pages, and waits for huge ones. */
#include "faults-mapper.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hugetmpfs/hugetmpfs.h>

#include "must.h"
#include "takeover.h"

#define EXTENT	   HUGETMPFS_EXTENT_BYTES
#define EXTENTS	   2
#define BYTES	   ((size_t) EXTENTS * EXTENT)
#define PAGE	   4096
#define PATIENCE_US 60000000

static unsigned char byte_at(size_t offset)
{
	return (unsigned char) (1 + offset / PAGE * 7 % 251);
}

static int count_line(void *arg, const char *key, const char *value)
{
	(void) key;
	(void) value;
	++*(unsigned *) arg;
	return 0;
}

static bool has_status(void)
{
	struct hugetmpfs_connection *connection;
	unsigned nr_lines = 0;
	int ret = hugetmpfs_connect(&connection, ".");

	if (ret)
		return false;
	ret = hugetmpfs_status(connection, 0, count_line, &nr_lines);
	hugetmpfs_close(connection);
	return !ret && nr_lines > 0;
}

static void ask_status(bool may_fail)
{
	uint64_t until = takeover_now_us() + PATIENCE_US;

	while (!has_status()) {
		must(may_fail && takeover_now_us() < until);
		usleep(1000);
	}
}

static int make_file(void)
{
	static unsigned char data[BYTES];
	int fd = open("work", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	for (size_t i = 0; i < BYTES; i++)
		data[i] = byte_at(i);
	must(fd >= 0 && pwrite(fd, data, BYTES, 0) == (ssize_t) BYTES);
	return fd;
}

/* At a multiple of the size of an extent, whatever the kernel would do. */
static volatile unsigned char *map_file(int fd)
{
	char *room = mmap(NULL, BYTES + EXTENT, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = room + EXTENT - (uintptr_t) room % EXTENT;

	must(room != MAP_FAILED);
	must(mmap(at, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  0) == at);
	return (volatile unsigned char *) at;
}

/* Of the whole process, which has nothing else of that kind. */
static size_t huge_bytes(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	size_t kib, sum = 0;
	char line[512];

	must(smaps);
	while (fgets(line, sizeof(line), smaps))
		if (sscanf(line, "ShmemPmdMapped: %zu", &kib) == 1)
			sum += kib;
	fclose(smaps);
	return sum << 10;
}

/* Uses some pages of each extent. */
static void use(const volatile unsigned char *map)
{
	for (size_t i = 0; i < BYTES; i += EXTENT)
		for (size_t j = i; j < i + EXTENT / 4; j += PAGE)
			must(map[j] == byte_at(j));
}

static void wait_until_huge(const volatile unsigned char *map)
{
	uint64_t until = takeover_now_us() + PATIENCE_US;

	while (huge_bytes() < BYTES) {
		must(takeover_now_us() < until);
		use(map);
		usleep(2000);
	}
}

int faults_mapper(bool status_may_fail)
{
	volatile unsigned char *map;
	int fd;

	ask_status(status_may_fail);
	fd = make_file();
	map = map_file(fd);
	use(map);
	/* without swap nothing happens */
	madvise((void *) map, BYTES, MADV_PAGEOUT);
	use(map);
	must(!close(fd));
	wait_until_huge(map);
	for (size_t i = 0; i < BYTES; i++)
		must(map[i] == byte_at(i));
	must(!munmap((void *) map, BYTES) && !unlink("work"));
	ask_status(status_may_fail);
	return 0;
}

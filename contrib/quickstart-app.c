/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application of contrib/quickstart: maps a file as any program would and
 * knows nothing of hugetmpfs. It keeps the mapping while the file is broken up
 * and recovered, and does what it is told in lines on its standard input:
 *
 *	verify		answers the SHA-256 of the mapping, read through it, and
 *			the seconds that it took
 *	random NR	NR random reads, one after the other, but for at most
 *			RANDOM_MAX_NS; answers the nanoseconds of one read and
 *			how many were done
 *	pageout		asks the kernel to page the mapping out; answers 0 or
 *			the errno
 *
 * One line is answered to each. It ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RANDOM_MAX_NS UINT64_C(1000000000)
/* Reads between two looks at the clock. */
#define RANDOM_BATCH 64

struct mapping {
	const unsigned char *bytes;
	size_t size_bytes;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static int map_file(const char *path, struct mapping *mapping)
{
	struct stat st;
	void *bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		return -1;
	}
	bytes = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		perror(path);
		return -1;
	}
	/* the mapping is all that is needed from here on */
	close(fd);
	mapping->bytes = bytes;
	mapping->size_bytes = (size_t) st.st_size;
	return 0;
}

static int write_all(int fd, const struct mapping *mapping)
{
	size_t done = 0;

	while (done < mapping->size_bytes) {
		ssize_t nr = write(fd, mapping->bytes + done,
				   mapping->size_bytes - done);

		if (nr < 0)
			return -errno;
		done += (size_t) nr;
	}
	return 0;
}

/* Runs sha256sum with the pipes as its standard input and output. */
static pid_t spawn_sha256sum(const int in[2], const int out[2])
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	/* it would wait for ever for the end of a pipe that it holds itself */
	close(in[1]);
	close(out[0]);
	execlp("sha256sum", "sha256sum", (char *) NULL);
	_exit(127);
}

/*
 * The system's own program does the sum, so that it is the same sum that a
 * user can make; the bytes come from the mapping all the same.
 */
static int sum_mapping(const struct mapping *mapping, char sum[65])
{
	int in[2], out[2], status = 0, ret;
	size_t nr = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(in) || pipe(out))
		return -errno;
	pid = spawn_sha256sum(in, out);
	close(in[0]);
	close(out[1]);
	ret = pid < 0 ? -errno : write_all(in[1], mapping);
	close(in[1]);
	while (nr < 64 && (got = read(out[0], sum + nr, 64 - nr)) > 0)
		nr += (size_t) got;
	sum[nr] = '\0';
	close(out[0]);
	if (pid > 0 && waitpid(pid, &status, 0) < 0)
		return -errno;
	return ret ? ret : nr < 64 || status ? -EIO : 0;
}

static void verify(const struct mapping *mapping)
{
	uint64_t begin_ns = now_ns();
	char sum[65];
	int ret = sum_mapping(mapping, sum);

	if (ret)
		printf("%s 0\n", strerror(-ret));
	else
		printf("%s %.3f\n", sum, (double) (now_ns() - begin_ns) / 1e9);
}

/* Each address depends on the byte read before, so no two reads overlap. */
static void read_randomly(const struct mapping *mapping, uint64_t max_reads)
{
	uint64_t begin_ns = now_ns(), end_ns = begin_ns;
	/* goes on where it was, so that no two calls read the same places */
	static uint64_t state = 88172645463325252u;
	const volatile unsigned char *bytes = mapping->bytes;
	uint64_t nr = 0;

	while (nr < max_reads && end_ns - begin_ns < RANDOM_MAX_NS) {
		for (unsigned i = 0; i < RANDOM_BATCH; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			state += bytes[state % mapping->size_bytes];
		}
		nr += RANDOM_BATCH;
		end_ns = now_ns();
	}
	printf("%.0f %" PRIu64 "\n",
	       nr ? (double) (end_ns - begin_ns) / (double) nr : 0.0, nr);
}

static void page_out(const struct mapping *mapping)
{
	int ret = madvise((void *) mapping->bytes, mapping->size_bytes,
			  MADV_PAGEOUT);

	printf("%d\n", ret ? errno : 0);
}

int main(int argc, char **argv)
{
	struct mapping mapping;
	char line[64];

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 1;
	}
	if (map_file(argv[1], &mapping))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "verify\n"))
			verify(&mapping);
		else if (!strncmp(line, "random ", 7))
			read_randomly(&mapping, strtoull(line + 7, NULL, 10));
		else if (!strcmp(line, "pageout\n"))
			page_out(&mapping);
		else
			puts("unknown command");
		fflush(stdout);
	}
	return 0;
}

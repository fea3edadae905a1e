/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data moved inside the kernel: copy_file_range, sendfile, splice, vmsplice.
 */
#include "posix.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PAGE 4096L

static unsigned char pattern_at(off_t offset)
{
	return (offset * 2654435761u >> 7) + offset / PAGE;
}

static int pattern_file(const char *name, off_t size)
{
	int fd = MUST(open(name, O_CREAT | O_TRUNC | O_RDWR, 0644));
	unsigned char *buffer = malloc(size + 1);

	for (off_t i = 0; i < size; i++)
		buffer[i] = pattern_at(i);
	for (off_t done = 0; done < size;)
		done += MUST(pwrite(fd, buffer + done, size - done, done));
	free(buffer);
	return fd;
}

/* The range holds what a pattern file has from this offset on. */
static bool holds_pattern(int fd, off_t offset, size_t length, off_t from)
{
	unsigned char *buffer = malloc(length + 1);
	bool same = pread(fd, buffer, length, offset) == (ssize_t) length;

	for (size_t i = 0; same && i < length; i++)
		same = buffer[i] == pattern_at(from + i);
	free(buffer);
	return same;
}

static off_t size_of(int fd)
{
	struct stat st = { 0 };

	MUST(fstat(fd, &st));
	return st.st_size;
}

static ssize_t copy_all(int in, off_t in_at, int out, off_t out_at,
			size_t length)
{
	ssize_t done = 0, nr;

	while ((size_t) done < length) {
		nr = copy_file_range(in, &in_at, out, &out_at, length - done,
				     0);
		if (nr < 0)
			return -1;
		if (nr == 0)
			break;
		done += nr;
	}
	return done;
}

static void copy_between_files(void)
{
	off_t size = 5 * 1024 * 1024 + 123;
	int in = pattern_file("in", size);
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(copy_all(in, 0, out, 0, size), size);
	CHECK_EQ(size_of(out), size);
	CHECK(holds_pattern(out, 0, size, 0));
	CHECK_EQ(copy_all(in, 1000, out, 77, 5000), 5000);
	CHECK(holds_pattern(out, 0, 77, 0));
	CHECK(holds_pattern(out, 77, 5000, 1000));
	CHECK(holds_pattern(out, 5077, 5000, 5077));
	/* by the descriptors' own offsets, which move */
	MUST(lseek(in, 10, SEEK_SET));
	MUST(lseek(out, 20, SEEK_SET));
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 100);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 110);
	CHECK_EQ(lseek(out, 0, SEEK_CUR), 120);
	CHECK(holds_pattern(out, 20, 100, 10));
}

static void copy_at_the_end(void)
{
	int in = pattern_file("in", 1000);
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(copy_all(in, 900, out, 0, 500), 100);
	CHECK_EQ(size_of(out), 100);
	CHECK_EQ(copy_all(in, 1000, out, 0, 500), 0);
	CHECK_EQ(copy_all(in, 5000, out, 0, 500), 0);
	CHECK_EQ(copy_all(in, 0, out, 10000, 10), 10);
	CHECK_EQ(size_of(out), 10010);
	CHECK(holds_pattern(out, 10000, 10, 0));
	CHECK_EQ(copy_file_range(in, &(off_t) { 0 }, out, &(off_t) { 0 }, 0, 0),
		 0);
}

static void copy_in_one_file(void)
{
	int fd = pattern_file("file", 64 * PAGE);

	CHECK_EQ(copy_all(fd, 0, fd, 32 * PAGE, 8 * PAGE), 8 * PAGE);
	CHECK(holds_pattern(fd, 0, 32 * PAGE, 0));
	CHECK(holds_pattern(fd, 32 * PAGE, 8 * PAGE, 0));
	CHECK(holds_pattern(fd, 40 * PAGE, PAGE, 40 * PAGE));
	CHECK_ERR(copy_all(fd, 0, fd, PAGE, 2 * PAGE), EINVAL); /* overlap */
	CHECK_ERR(copy_all(fd, PAGE, fd, 0, 2 * PAGE), EINVAL);
	CHECK_EQ(copy_all(fd, 0, fd, 64 * PAGE, PAGE), PAGE);
	CHECK_EQ(size_of(fd), 65 * PAGE);
}

static void copy_errors(void)
{
	int fd = pattern_file("file", 1000);
	int ro = MUST(open("file", O_RDONLY)), wo;
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));
	int dir = MUST(open(".", O_RDONLY));

	wo = MUST(open("out", O_WRONLY));
	CHECK_ERR(copy_all(wo, 0, fd, 0, 10), EBADF);
	CHECK_ERR(copy_all(fd, 0, ro, 0, 10), EBADF);
	CHECK_ERR(copy_all(dir, 0, out, 0, 10), EISDIR);
	CHECK_ERR(copy_file_range(fd, NULL, out, NULL, 10, 1), EINVAL);
	int append = MUST(open("out", O_WRONLY | O_APPEND));
	CHECK_ERR(copy_all(fd, 0, append, 0, 10), EBADF);
	CHECK_EQ(size_of(out), 0);
}

/* From and to another file system. */
static void copy_across(void)
{
	int in = pattern_file("in", 100000), outside = -1;

	outside = memfd_create("outside", 0);
	MUST(outside);
	CHECK_EQ(sendfile(outside, in, &(off_t) { 0 }, 100000), 100000);
	CHECK(holds_pattern(outside, 0, 100000, 0));
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));
	CHECK_EQ(sendfile(out, outside, &(off_t) { 50 }, 1000), 1000);
	CHECK(holds_pattern(out, 0, 1000, 50));
}

static void sendfile_inside_and_to_socket(void)
{
	int in = pattern_file("in", 300000), sockets[2];
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));
	off_t at = 100;

	CHECK_EQ(sendfile(out, in, &at, 200000), 200000);
	CHECK_EQ(at, 200100);
	CHECK(holds_pattern(out, 0, 200000, 100));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	at = 5;
	CHECK_EQ(sendfile(sockets[0], in, &at, 1000), 1000);
	unsigned char buffer[1000];
	CHECK_EQ(recv(sockets[1], buffer, 1000, MSG_WAITALL), 1000);
	for (int i = 0; i < 1000; i++) {
		if (buffer[i] != pattern_at(5 + i)) {
			posix_fail(__FILE__, __LINE__, "wrong byte %d", i);
			break;
		}
	}
}

static void splice_both_ways(void)
{
	int in = pattern_file("in", 50000), pipes[2];
	int out = MUST(open("out", O_CREAT | O_RDWR, 0644));
	off_t from = 10, to = 20;

	MUST(pipe(pipes));
	for (size_t left = 30000; left;) {
		ssize_t nr = MUST(splice(in, &from, pipes[1], NULL,
					 left < 4000 ? left : 4000, 0));

		CHECK(nr > 0);
		CHECK_EQ(splice(pipes[0], NULL, out, &to, nr, 0), nr);
		left -= nr;
	}
	CHECK_EQ(size_of(out), 30020);
	CHECK(holds_pattern(out, 20, 30000, 10));
	from = 50000;
	CHECK_EQ(splice(in, &from, pipes[1], NULL, 100, 0), 0);
}

/* Pages lent to a pipe show what the file holds. */
static void vmsplice_from_mapping(void)
{
	int fd = pattern_file("file", 4 * PAGE), pipes[2];
	char *map = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0));
	unsigned char buffer[PAGE];

	MUST(pipe(pipes));
	CHECK_EQ(vmsplice(pipes[1], &(struct iovec) { map + PAGE, PAGE }, 1, 0),
		 PAGE);
	CHECK_EQ(read(pipes[0], buffer, PAGE), PAGE);
	for (int i = 0; i < PAGE; i++) {
		if (buffer[i] != pattern_at(PAGE + i)) {
			posix_fail(__FILE__, __LINE__, "wrong byte %d", i);
			break;
		}
	}
}

static const struct posix_test tests[] = {
	T(copy_between_files),
	T(copy_at_the_end),
	T(copy_in_one_file),
	T(copy_errors),
	T(copy_across),
	T(sendfile_inside_and_to_socket),
	T(splice_both_ways),
	T(vmsplice_from_mapping),
};

POSIX_MAIN(tests)

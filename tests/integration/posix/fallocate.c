/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fallocate(2) in all modes, holes, SEEK_HOLE and SEEK_DATA, blocks.
 */
#include "posix.h"

#define PAGE 4096L
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static int new_file(void)
{
	return MUST(open("file", O_CREAT | O_TRUNC | O_RDWR, 0644));
}

static struct stat fstat_of(int fd)
{
	struct stat st = { 0 };

	MUST(fstat(fd, &st));
	return st;
}

static bool is_all(int fd, off_t offset, size_t length, unsigned char byte)
{
	unsigned char buffer[PAGE];

	while (length) {
		size_t part = length < sizeof(buffer) ? length : sizeof(buffer);

		if (pread(fd, buffer, part, offset) != (ssize_t) part)
			return false;
		for (size_t i = 0; i < part; i++) {
			if (buffer[i] != byte)
				return false;
		}
		offset += part;
		length -= part;
	}
	return true;
}

static void fill(int fd, off_t offset, size_t length, unsigned char byte)
{
	unsigned char buffer[PAGE];

	memset(buffer, byte, sizeof(buffer));
	while (length) {
		size_t part = length < sizeof(buffer) ? length : sizeof(buffer);

		CHECK_EQ(pwrite(fd, buffer, part, offset), part);
		offset += part;
		length -= part;
	}
}

static void default_mode(void)
{
	int fd = new_file();

	CHECK_OK(fallocate(fd, 0, 0, 3 * PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 3 * PAGE);
	CHECK(fstat_of(fd).st_blocks >= 3 * PAGE / 512);
	CHECK(is_all(fd, 0, 3 * PAGE, 0));
	fill(fd, 0, 3 * PAGE, 'x');
	CHECK_OK(fallocate(fd, 0, 0, PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 3 * PAGE);
	CHECK(is_all(fd, 0, 3 * PAGE, 'x'));
	CHECK_OK(fallocate(fd, 0, 2 * PAGE + 1, 2 * PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 4 * PAGE + 1);
	CHECK(is_all(fd, 0, 3 * PAGE, 'x'));
	CHECK_EQ(posix_fallocate(fd, 0, 10 * PAGE), 0);
	CHECK_EQ(fstat_of(fd).st_size, 10 * PAGE);
}

static void keep_size(void)
{
	int fd = new_file();

	fill(fd, 0, 10, 'x');
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 * PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 10);
	CHECK(fstat_of(fd).st_blocks >= 16 * PAGE / 512);
	CHECK(is_all(fd, 0, 10, 'x'));
	CHECK_OK(ftruncate(fd, 8 * PAGE));
	CHECK(is_all(fd, 10, 8 * PAGE - 10, 0));
}

static void punch_hole(void)
{
	int fd = new_file();

	fill(fd, 0, 16 * PAGE, 'x');
	blkcnt_t blocks = fstat_of(fd).st_blocks;
	CHECK_OK(fallocate(fd, PUNCH, 4 * PAGE, 4 * PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 16 * PAGE);
	CHECK(is_all(fd, 0, 4 * PAGE, 'x'));
	CHECK(is_all(fd, 4 * PAGE, 4 * PAGE, 0));
	CHECK(is_all(fd, 8 * PAGE, 8 * PAGE, 'x'));
	CHECK(fstat_of(fd).st_blocks <= blocks);
	/* parts of pages are zeroed */
	CHECK_OK(fallocate(fd, PUNCH, 10 * PAGE + 100, PAGE));
	CHECK(is_all(fd, 10 * PAGE, 100, 'x'));
	CHECK(is_all(fd, 10 * PAGE + 100, PAGE, 0));
	CHECK(is_all(fd, 11 * PAGE + 100, PAGE, 'x'));
	/* beyond the end nothing happens */
	CHECK_OK(fallocate(fd, PUNCH, 20 * PAGE, PAGE));
	CHECK_OK(fallocate(fd, PUNCH, 15 * PAGE, 100 * PAGE));
	CHECK_EQ(fstat_of(fd).st_size, 16 * PAGE);
	CHECK(is_all(fd, 15 * PAGE, PAGE, 0));
	CHECK_OK(fallocate(fd, PUNCH, 0, 16 * PAGE));
	CHECK_EQ(fstat_of(fd).st_blocks, 0);
}

static void punch_hole_in_huge(void)
{
	off_t size = 6 << 20, extent = 2 << 20;
	int fd = new_file();

	MUST(ftruncate(fd, size));
	unsigned char *map = MUST(mmap(NULL, size, PROT_READ | PROT_WRITE,
				       MAP_SHARED, fd, 0));
	memset(map, 'x', size);
	CHECK_OK(fallocate(fd, PUNCH, extent + PAGE, PAGE));
	CHECK_EQ(map[extent + PAGE], 0);
	CHECK_EQ(map[extent + PAGE - 1], 'x');
	CHECK_EQ(map[extent + 2 * PAGE], 'x');
	CHECK(is_all(fd, extent + PAGE, PAGE, 0));
	CHECK_OK(fallocate(fd, PUNCH, extent, extent));
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), extent);
	CHECK_EQ(lseek(fd, extent, SEEK_DATA), 2 * extent);
	CHECK_EQ(fstat_of(fd).st_blocks, 2 * extent / 512);
	CHECK_EQ(map[extent], 0);
	CHECK_EQ(map[extent - 1], 'x');
	CHECK_EQ(map[2 * extent], 'x');
	map[extent + 5] = 'y';
	CHECK(is_all(fd, extent, 5, 0));
	CHECK(is_all(fd, extent + 5, 1, 'y'));
	CHECK(is_all(fd, extent + 6, PAGE, 0));
}

static void errors(void)
{
	int fd = new_file(), pipes[2];

	CHECK_ERR(fallocate(fd, 0, -1, PAGE), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0, -1), EINVAL);
	CHECK_ERR(fallocate(fd, 0, INT64_MAX - 10, 100), EFBIG);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0x4000, 0, PAGE), EOPNOTSUPP);
	int ro = MUST(open("file", O_RDONLY));
	CHECK_ERR(fallocate(ro, 0, 0, PAGE), EBADF);
	MUST(pipe(pipes));
	CHECK_ERR(fallocate(pipes[1], 0, 0, PAGE), ESPIPE);
	int dir = MUST(open(".", O_RDONLY));
	CHECK_ERR(fallocate(dir, 0, 0, PAGE), EBADF);
	CHECK_EQ(fstat_of(fd).st_size, 0);
}

/* tmpfs has no ZERO_RANGE on this kernel, or has it and then rightly. */
static void zero_range(void)
{
	int fd = new_file();

	fill(fd, 0, 4 * PAGE, 'x');
	errno = 0;
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE, PAGE, PAGE)) {
		CHECK_EQ(errno, EOPNOTSUPP);
		CHECK(is_all(fd, 0, 4 * PAGE, 'x'));
		return;
	}
	CHECK(is_all(fd, 0, PAGE, 'x'));
	CHECK(is_all(fd, PAGE, PAGE, 0));
	CHECK(is_all(fd, 2 * PAGE, 2 * PAGE, 'x'));
}

static void seek_hole_and_data(void)
{
	int fd = new_file();

	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
	MUST(ftruncate(fd, 64 * PAGE));
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 5, SEEK_HOLE), 5);
	fill(fd, 0, 64 * PAGE, 'x');
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 64 * PAGE);
	CHECK_EQ(lseek(fd, 7, SEEK_DATA), 7);
	MUST(fallocate(fd, PUNCH, 16 * PAGE, 32 * PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 16 * PAGE);
	CHECK_EQ(lseek(fd, 16 * PAGE, SEEK_DATA), 48 * PAGE);
	CHECK_EQ(lseek(fd, 20 * PAGE, SEEK_HOLE), 20 * PAGE);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 20 * PAGE); /* the offset moved */
	CHECK_EQ(write(fd, "y", 1), 1);
	/* of large folios more than the page written becomes data */
	off_t data = lseek(fd, 16 * PAGE, SEEK_DATA);
	CHECK(data >= 16 * PAGE && data <= 20 * PAGE);
	CHECK_ERR(lseek(fd, 64 * PAGE, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 0, 77), EINVAL);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 64 * PAGE - 1);
}

static void sparse_and_large(void)
{
	off_t far = (off_t) 1 << 40;
	int fd = new_file();

	CHECK_EQ(pwrite(fd, "end", 3, far), 3);
	CHECK_EQ(fstat_of(fd).st_size, far + 3);
	CHECK(is_all(fd, far - PAGE, PAGE, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA) / (2 << 20), far / (2 << 20));
	CHECK_OK(ftruncate(fd, INT64_MAX));
	CHECK_EQ(fstat_of(fd).st_size, INT64_MAX);
	CHECK_ERR(pwrite(fd, "x", 1, INT64_MAX), EINVAL);
	CHECK_EQ(pwrite(fd, "xy", 2, INT64_MAX - 1 - PAGE), 2);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(fstat_of(fd).st_blocks, 0);
}

static void truncate_zeroes(void)
{
	int fd = new_file();

	fill(fd, 0, 3 * PAGE, 'x');
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(fstat_of(fd).st_size, PAGE + 10);
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK(is_all(fd, 0, PAGE + 10, 'x'));
	CHECK(is_all(fd, PAGE + 10, 2 * PAGE - 10, 0));
	CHECK_OK(truncate("file", 5));
	CHECK_EQ(fstat_of(fd).st_size, 5);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK(is_all(fd, 5, 95, 0));
	CHECK_EQ(fstat_of(fd).st_size, 101);
}

static void blocks_count_pages(void)
{
	int fd = new_file();

	CHECK_EQ(fstat_of(fd).st_blocks, 0);
	MUST(ftruncate(fd, 100 * PAGE));
	CHECK_EQ(fstat_of(fd).st_blocks, 0);
	CHECK_EQ(pwrite(fd, "x", 1, 50 * PAGE), 1);
	CHECK(fstat_of(fd).st_blocks >= 8);
	CHECK_EQ(stat_of("file").st_blocks, fstat_of(fd).st_blocks);
	char *map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 90 * PAGE));
	blkcnt_t before = fstat_of(fd).st_blocks;
	map[0] = 1;
	CHECK(fstat_of(fd).st_blocks >= before);
	CHECK(fstat_of(fd).st_blocks >= 16 || before >= 512);
}

static const struct posix_test tests[] = {
	T(default_mode),
	T(keep_size),
	T(punch_hole),
	T(punch_hole_in_huge),
	T(errors),
	T(zero_range),
	T(seek_hole_and_data),
	T(sparse_and_large),
	T(truncate_zeroes),
	T(blocks_count_pages),
};

POSIX_MAIN(tests)

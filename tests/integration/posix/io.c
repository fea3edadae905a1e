/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and writing: offsets, appends by many, flags of open, file size
 * limit of the process.
 */
#include "posix.h"

#include <sys/resource.h>
#include <sys/uio.h>

static void read_what_was_written(void)
{
	char buffer[32];

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQ(read(fd, buffer, 32), 0);
	CHECK_EQ(lseek(fd, -4, SEEK_END), 6);
	CHECK_EQ(read(fd, buffer, 32), 4);
	CHECK_EQ(memcmp(buffer, "6789", 4), 0);
	CHECK_EQ(pread(fd, buffer, 32, 8), 2);
	CHECK_EQ(pread(fd, buffer, 32, 100), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
	struct iovec vector[2] = { { "ab", 2 }, { "cde", 3 } };
	CHECK_EQ(pwritev(fd, vector, 2, 3), 5);
	CHECK(file_is("file", "012abcde89"));
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(pread(fd, buffer, 1, -1), EINVAL);
	void *unmapped = MUST(mmap(NULL, 4096, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_ERR(write(fd, unmapped, 10), EFAULT);
	CHECK_ERR(pread(fd, unmapped, 10, 0), EFAULT);
	CHECK_EQ(pread(fd, buffer, 0, 0), 0);
	int ro = MUST(open("file", O_RDONLY));
	int wo = MUST(open("file", O_WRONLY));
	CHECK_ERR(write(ro, "x", 1), EBADF);
	CHECK_ERR(read(wo, buffer, 1), EBADF);
	int dir = MUST(open(".", O_RDONLY));
	CHECK_ERR(read(dir, buffer, 1), EISDIR);
	CHECK_ERR(ftruncate(dir, 0), EINVAL);
}

static void append_from_many(void)
{
	enum { PROCESSES = 4, RECORDS = 500 };
	int counts[PROCESSES] = { 0 }, record[4];
	pid_t pids[PROCESSES];

	make_file("file", 0644, "");
	for (int i = 0; i < PROCESSES; i++) {
		IN_CHILD(pids[i]) {
			int fd = MUST(open("file", O_WRONLY | O_APPEND));

			for (int j = 0; j < RECORDS; j++) {
				int data[4] = { i, j, ~i, ~j };

				CHECK_EQ(write(fd, data, sizeof(data)),
					 sizeof(data));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK_CHILD(pids[i]);
	CHECK_EQ(stat_of("file").st_size, PROCESSES * RECORDS * 16);
	int fd = MUST(open("file", O_RDONLY));
	for (int i = 0; i < PROCESSES * RECORDS; i++) {
		CHECK_EQ(read(fd, record, sizeof(record)), sizeof(record));
		int who = record[0];

		if (who < 0 || who >= PROCESSES || record[1] != counts[who] ||
		    record[2] != ~who || record[3] != ~record[1]) {
			posix_fail(__FILE__, __LINE__, "record %d is torn", i);
			break;
		}
		counts[who]++;
	}
}

static void append_flag(void)
{
	make_file("file", 0644, "start");
	int fd = MUST(open("file", O_RDWR | O_APPEND));
	CHECK_EQ(pwrite(fd, "1", 1, 0), 1); /* Linux appends here too */
	CHECK(file_is("file", "start1"));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "2", 1), 1);
	CHECK(file_is("file", "start12"));
	/* shortened by another path: the end is the new one */
	MUST(truncate("file", 3));
	CHECK_EQ(write(fd, "3", 1), 1);
	CHECK(file_is("file", "sta3"));
	/* set later */
	fd = MUST(open("file", O_RDWR));
	struct iovec vector = { "4", 1 };
	CHECK_EQ(pwritev2(fd, &vector, 1, -1, RWF_APPEND), 1);
	CHECK(file_is("file", "sta34"));
	CHECK_EQ(pwrite(fd, "S", 1, 0), 1);
	CHECK(file_is("file", "Sta34"));
	CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
	CHECK_EQ(pwrite(fd, "5", 1, 0), 1);
	CHECK(file_is("file", "Sta345"));
}

static void append_flag_taken_back(void)
{
	make_file("file", 0644, "start");
	int fd = MUST(open("file", O_RDWR | O_APPEND));
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(pwrite(fd, "S", 1, 0), 1);
	CHECK(file_is("file", "Start"));
}

static void open_flags(void)
{
	char *buffer = MUST(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	static const int flags[] = { O_SYNC, O_DSYNC, O_DIRECT, O_NOATIME,
				     O_NONBLOCK, O_CLOEXEC, O_LARGEFILE };

	make_file("file", 0644, "");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = open("file", O_RDWR | flags[i]);

		CHECK_OK(fd);
		memset(buffer, 'a' + i, 4096);
		CHECK_EQ(pwrite(fd, buffer, 4096, 0), 4096);
		memset(buffer, 0, 4096);
		CHECK_EQ(pread(fd, buffer, 4096, 0), 4096);
		CHECK_EQ(buffer[4095], 'a' + (int) i);
		CHECK_OK(fsync(fd));
		CHECK_OK(fdatasync(fd));
		close(fd);
	}
	int fd = MUST(open("file", O_RDWR | O_PATH));
	CHECK_ERR(read(fd, buffer, 1), EBADF);
	close(fd);
	fd = MUST(open("file", O_WRONLY));
	CHECK_OK(fcntl(fd, F_SETFL, O_DIRECT | O_APPEND));
	CHECK_EQ(write(fd, buffer, 4096), 4096);
	CHECK_EQ(stat_of("file").st_size, 8192);
	user_is(USER_A, GROUP_A);
	CHECK_ERR(open("file", O_RDONLY | O_NOATIME), EPERM);
	root_again();
}

static void no_wait_flags(void)
{
	char buffer[16];
	struct iovec vector = { buffer, sizeof(buffer) };

	make_file("file", 0644, "0123456789abcdef");
	int fd = MUST(open("file", O_RDWR));
	/* not offered by tmpfs; a file system that does must do it right */
	CHECK(preadv2(fd, &vector, 1, 0, RWF_NOWAIT) == 16 ||
	      errno == EOPNOTSUPP || errno == EAGAIN);
	CHECK_EQ(preadv2(fd, &vector, 1, 0, RWF_HIPRI), 16);
	CHECK_EQ(pwritev2(fd, &vector, 1, 0, RWF_DSYNC), 16);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK_EQ(readahead(fd, 0, 16), 0);
	CHECK_OK(sync_file_range(fd, 0, 16, SYNC_FILE_RANGE_WRITE));
	CHECK_OK(syncfs(fd));
	CHECK(file_is("file", "0123456789abcdef"));
}

static volatile sig_atomic_t limit_signals;

static void count_signal(int signal)
{
	(void) signal;
	limit_signals++;
}

/* Sanitizers pass a signal on at the next call that waits. */
static int signals_so_far(void)
{
	sleep_ms(1);
	return limit_signals;
}

static void file_size_limit(void)
{
	char buffer[100] = "";
	pid_t pid;

	make_file("file", 0666, "");
	make_file("large", 0666, "");
	MUST(truncate("large", 5000));
	IN_CHILD(pid) {
		signal(SIGXFSZ, count_signal);
		int fd = MUST(open("file", O_RDWR));
		int large = MUST(open("large", O_RDWR));

		MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit) {
			1000, RLIM_INFINITY }));
		user_is(USER_A, GROUP_A);
		CHECK_EQ(pwrite(fd, buffer, 100, 950), 50);
		CHECK_EQ(signals_so_far(), 0);
		CHECK_ERR(pwrite(fd, buffer, 100, 1000), EFBIG);
		CHECK_EQ(signals_so_far(), 1);
		CHECK_ERR(ftruncate(fd, 1001), EFBIG);
		CHECK_EQ(signals_so_far(), 2);
		CHECK_ERR(truncate("file", 5000), EFBIG);
		CHECK_EQ(signals_so_far(), 3);
		CHECK_ERR(fallocate(fd, 0, 0, 2000), EFBIG);
		CHECK_EQ(signals_so_far(), 4);
		CHECK_OK(ftruncate(fd, 1000));
		/* smaller is always allowed */
		CHECK_OK(ftruncate(large, 3000));
		CHECK_EQ(pwrite(large, buffer, 100, 0), 100);
		CHECK_ERR(pwrite(large, buffer, 100, 2000), EFBIG);
		_exit(0);
	}
	CHECK_CHILD(pid);
	CHECK_EQ(stat_of("file").st_size, 1000);
	IN_CHILD(pid) {
		MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit) {
			1000, RLIM_INFINITY }));
		int fd = MUST(open("file", O_RDWR));

		pwrite(fd, buffer, 100, 2000);
		_exit(0);
	}
	int status = child_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

/* tmpfs counts memory beyond the end against the limit as well. */
static void file_size_limit_beyond_the_end(void)
{
	pid_t pid;

	make_file("file", 0666, "x");
	IN_CHILD(pid) {
		signal(SIGXFSZ, count_signal);
		MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit) {
			1000, RLIM_INFINITY }));
		user_is(USER_A, GROUP_A);
		int fd = MUST(open("file", O_RDWR));
		CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096), EFBIG);
		CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1000));
		CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE |
				   FALLOC_FL_PUNCH_HOLE, 0, 4096));
		_exit(0);
	}
	CHECK_CHILD(pid);
}

/* Writers of whole pages and readers: no torn page, no foreign byte. */
static void concurrent_pages(void)
{
	enum { PAGES = 64, ROUNDS = 2000 };
	pid_t pids[4];

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, PAGES * 4096));
	for (int i = 0; i < 4; i++) {
		IN_CHILD(pids[i]) {
			unsigned char page[4096], got[4096];
			int mine = MUST(open("file", O_RDWR));

			for (int j = 0; j < ROUNDS; j++) {
				off_t at = (j % (PAGES / 4) * 4 + i) * 4096;

				memset(page, j, sizeof(page));
				CHECK_EQ(pwrite(mine, page, 4096, at), 4096);
				CHECK_EQ(pread(mine, got, 4096, at), 4096);
				if (memcmp(page, got, 4096)) {
					posix_fail(__FILE__, __LINE__,
						   "page %d differs", j);
					break;
				}
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_CHILD(pids[i]);
}

static const struct posix_test tests[] = {
	T(read_what_was_written),
	T(append_from_many),
	T(append_flag),
	T(append_flag_taken_back),
	T(open_flags),
	T(no_wait_flags),
	T(file_size_limit),
	T(file_size_limit_beyond_the_end),
	T(concurrent_pages),
};

POSIX_MAIN(tests)

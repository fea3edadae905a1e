/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mount at its limit of space and of inodes. The directory must be on a
 * small mount: at most 64 MiB and 4096 inodes; others are skipped.
 */
#include "posix.h"

#include <setjmp.h>
#include <sys/statvfs.h>

static struct statvfs limits(void)
{
	struct statvfs fs;

	MUST(statvfs(".", &fs));
	return fs;
}

static void need_small_space(void)
{
	if (limits().f_blocks == 0 || limits().f_blocks > 16384)
		SKIP("the mount is not small");
}

/* Writes until nothing goes any more; gives the bytes written. */
static off_t fill_up(int fd)
{
	static char buffer[65536];
	ssize_t nr;
	off_t total = 0;

	memset(buffer, 'f', sizeof(buffer));
	while ((nr = write(fd, buffer, sizeof(buffer))) > 0)
		total += nr;
	CHECK_EQ(nr, -1);
	CHECK_EQ(errno, ENOSPC);
	return total;
}

static void writing_ends_with_enospc(void)
{
	char byte;
	off_t size;

	need_small_space();
	make_file("other", 0644, "other");
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	size = fill_up(fd);
	CHECK(size > 0);
	CHECK_EQ(stat_of("file").st_size, size);
	CHECK_EQ(pread(fd, &byte, 1, size - 1), 1);
	CHECK_EQ(byte, 'f');
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK(file_is("other", "other"));
	CHECK_EQ(pwrite(fd, "overwrite", 9, 0), 9); /* needs no new page */
	CHECK_EQ(limits().f_bfree, 0);
	CHECK_ERR(fallocate(fd, 0, size, 16 << 20), ENOSPC);
	CHECK_EQ(stat_of("file").st_size, size);
	/* all that takes no space goes on */
	CHECK_OK(rename("other", "renamed"));
	CHECK_OK(chmod("renamed", 0600));
	CHECK_OK(ftruncate(fd, size + (100 << 20)));
	CHECK_OK(ftruncate(fd, size / 2));
	CHECK(limits().f_bfree > 0);
	CHECK_EQ(pwrite(fd, "x", 1, size / 2), 1);
	CHECK_OK(unlink("file"));
	close(fd);
	for (int i = 0; i < 100 &&
	     limits().f_bfree < limits().f_blocks - 64; i++)
		sleep_ms(20);
	CHECK(limits().f_bfree >= limits().f_blocks - 64);
	fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	CHECK_EQ(fill_up(fd) >= size - (2 << 20), 1);
}

static void fallocate_is_all_or_nothing(void)
{
	need_small_space();
	fsblkcnt_t before = limits().f_bfree;
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	CHECK_ERR(fallocate(fd, 0, 0, 1 << 30), ENOSPC);
	CHECK_EQ(stat_of("file").st_size, 0);
	CHECK_EQ(stat_of("file").st_blocks, 0);
	CHECK(limits().f_bfree + 4 >= before);
	CHECK_OK(fallocate(fd, 0, 0, 1 << 20));
}

static sigjmp_buf fault_return;

static void on_fault(int signal)
{
	(void) signal;
	siglongjmp(fault_return, 1);
}

/* A store for which there is no page raises SIGBUS; those before are kept. */
static void stores_raise_sigbus(void)
{
	struct sigaction action = { .sa_handler = on_fault };
	size_t size = 128 << 20;
	volatile size_t at = 0;
	volatile bool faulted = false;

	need_small_space();
	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, size));
	volatile char *map = MUST(mmap(NULL, size, PROT_READ | PROT_WRITE,
				       MAP_SHARED, fd, 0));
	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(fault_return, 1) == 0) {
		for (at = 0; at < size; at += 4096)
			map[at] = 1 + at / 4096 % 100;
	} else {
		faulted = true;
	}
	CHECK(faulted);
	CHECK(at > 0);
	for (size_t i = 0; i < at; i += 4096) {
		if (map[i] != (char) (1 + i / 4096 % 100)) {
			posix_fail(__FILE__, __LINE__, "store at %zu lost", i);
			break;
		}
	}
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

/* Inodes free, once those removed a moment ago have come back. */
static fsfilcnt_t inodes_at_rest(void)
{
	fsfilcnt_t now = limits().f_ffree, before;

	do {
		before = now;
		sleep_ms(100);
		now = limits().f_ffree;
	} while (now != before);
	return now;
}

static void inodes_run_out(void)
{
	char name[32];
	int nr = 0, fd;

	if (limits().f_files == 0 || limits().f_files > 4096)
		SKIP("no small limit of inodes");
	fsfilcnt_t before = inodes_at_rest();
	for (;; nr++) {
		snprintf(name, sizeof(name), "f%d", nr);
		fd = open(name, O_CREAT | O_RDWR, 0600);
		if (fd < 0)
			break;
		close(fd);
		if (nr > 5000)
			break;
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(nr, before);
	CHECK_EQ(limits().f_ffree, 0);
	CHECK_ERR(mkdir("dir", 0700), ENOSPC);
	CHECK_ERR(symlink("x", "symlink"), ENOSPC);
	CHECK_ERR(mkfifo("fifo", 0600), ENOSPC);
	CHECK_ERR(open(".", O_TMPFILE | O_RDWR, 0600), ENOSPC);
	CHECK_ERR(link("f0", "link"), ENOSPC); /* tmpfs counts links too */
	CHECK(!exists("dir"));
	make_file("f0", 0600, "still writable");
	CHECK(file_is("f0", "still writable"));
	CHECK_OK(rename("f0", "g0"));
	CHECK_OK(unlink("f1"));
	/* at once on tmpfs; what has to be asked for comes back a bit later */
	CHECK_EQ(inodes_at_rest(), 1);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(rmdir("dir"));
	CHECK_EQ(inodes_at_rest(), 1);
	CHECK_OK(link("g0", "link"));
}

static const struct posix_test tests[] = {
	T(writing_ends_with_enospc),
	T(fallocate_is_all_or_nothing),
	T(stores_raise_sigbus),
	T(inodes_run_out),
};

POSIX_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mmap: shared and private, the end of the file, truncation under a mapping,
 * what protection allows.
 */
#include "posix.h"

#include <setjmp.h>

#define PAGE 4096L

static sigjmp_buf fault_return;
static volatile int fault_signal;

static void on_fault(int signal)
{
	fault_signal = signal;
	siglongjmp(fault_return, 1);
}

/* The signal that reading (or writing) the byte raises, 0 for none. */
static int touch(volatile char *byte, bool store)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	fault_signal = 0;
	if (sigsetjmp(fault_return, 1) == 0) {
		if (store)
			*byte = 1;
		else
			(void) *byte;
	}
	return fault_signal;
}

static char *map_file(const char *name, size_t size, int protection, int flags)
{
	int fd = MUST(open(name, flags & MAP_PRIVATE ||
			   !(protection & PROT_WRITE) ? O_RDONLY : O_RDWR));
	char *map = MUST(mmap(NULL, size, protection, flags, fd, 0));

	close(fd);
	return map;
}

static void shared_is_shared(void)
{
	char buffer[8];
	pid_t pid;

	make_file("file", 0644, "content");
	char *a = map_file("file", PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *b = map_file("file", PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	a[0] = 'C';
	CHECK_EQ(b[0], 'C');
	CHECK(file_is("file", "Content"));
	int fd = MUST(open("file", O_RDWR));
	CHECK_EQ(pwrite(fd, "ON", 2, 1), 2);
	CHECK_EQ(memcmp(a, "CONtent", 7), 0);
	IN_CHILD(pid) {
		a[3] = 'T';
		char *own = map_file("file", PAGE, PROT_READ | PROT_WRITE,
				     MAP_SHARED);
		own[4] = 'E';
		_exit(0);
	}
	CHECK_CHILD(pid);
	CHECK_EQ(memcmp(b, "CONTEnt", 7), 0);
	CHECK_OK(msync(a, PAGE, MS_SYNC));
	CHECK_OK(msync(a, PAGE, MS_ASYNC | MS_INVALIDATE));
	CHECK_EQ(pread(fd, buffer, 7, 0), 7);
	CHECK_EQ(memcmp(buffer, "CONTEnt", 7), 0);
}

static void private_is_private(void)
{
	make_file("file", 0644, "content");
	char *map = map_file("file", PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	map[0] = 'X';
	CHECK(file_is("file", "content"));
	int fd = MUST(open("file", O_RDWR));
	CHECK_EQ(pwrite(fd, "CONTENT", 7, 0), 7);
	CHECK_EQ(memcmp(map, "Xontent", 7), 0);
	struct stat st = stat_of("file");
	CHECK_EQ(st.st_size, 7);
}

static void protection(void)
{
	make_file("file", 0644, "content");
	int ro = MUST(open("file", O_RDONLY));
	int wo = MUST(open("file", O_WRONLY));
	CHECK_ERR((intptr_t) mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR((intptr_t) mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0),
		  EACCES);
	char *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0));
	CHECK_ERR(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_EQ(touch(map, true), SIGSEGV);
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro,
			0));
	CHECK_EQ(touch(map, true), 0);
	int dir = MUST(open(".", O_RDONLY));
	CHECK_ERR((intptr_t) mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0),
		  ENODEV);
	CHECK_ERR((intptr_t) mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 100),
		  EINVAL);
	map = MUST(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, ro, 0));
	CHECK_EQ(map[0], 'c');
}

static void beyond_the_end(void)
{
	make_file("file", 0644, "content");
	char *map = map_file("file", 4 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED);
	CHECK_EQ(touch(map + PAGE - 1, true), 0);
	CHECK_EQ(stat_of("file").st_size, 7);
	CHECK_EQ(touch(map + PAGE, false), SIGBUS);
	CHECK_EQ(touch(map + PAGE, true), SIGBUS);
	MUST(truncate("file", 2 * PAGE));
	/* what was stored behind the end in the last page is gone */
	CHECK_EQ(touch(map + PAGE, true), 0);
	CHECK_EQ(touch(map + 2 * PAGE, false), SIGBUS);
	CHECK_EQ(map[7], 0);
	CHECK_EQ(memcmp(map, "content", 7), 0);
}

static void truncated_under_mapping(void)
{
	size_t size = 6 << 20, extent = 2 << 20;

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, size));
	char *map = map_file("file", size, PROT_READ | PROT_WRITE, MAP_SHARED);
	memset(map, 'x', size);
	CHECK_OK(ftruncate(fd, extent + 100));
	CHECK_EQ(map[extent + 99], 'x');
	CHECK_EQ(map[extent + 100], 0);
	CHECK_EQ(touch(map + extent + PAGE, false), SIGBUS);
	CHECK_EQ(touch(map + 2 * extent, true), SIGBUS);
	CHECK_OK(ftruncate(fd, size));
	CHECK_EQ(touch(map + extent + PAGE, false), 0);
	CHECK_EQ(map[extent + PAGE], 0);
	CHECK_EQ(map[size - 1], 0);
	CHECK_EQ(map[extent - 1], 'x');
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(touch(map, false), SIGBUS);
	CHECK_EQ(stat_of("file").st_blocks, 0);
}

static void private_survives_truncation(void)
{
	make_file("file", 0644, "content");
	char *map = map_file("file", PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	map[0] = 'X';
	MUST(truncate("file", 0));
	CHECK_EQ(touch(map, false), SIGBUS); /* truncation takes copies too */
}

static void remapped_and_split(void)
{
	size_t size = 4 << 20;

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, size));
	char *map = map_file("file", size, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (size_t i = 0; i < size; i += PAGE)
		map[i] = i / PAGE;
	CHECK_OK(munmap(map + 100 * PAGE, PAGE));
	CHECK_OK(mprotect(map + 200 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(touch(map + 100 * PAGE, false), SIGSEGV);
	CHECK_EQ(touch(map + 200 * PAGE, true), SIGSEGV);
	CHECK_EQ(map[201 * PAGE], (char) 201);
	char *moved = MUST(mremap(map + 2 * PAGE, 10 * PAGE, 20 * PAGE,
				  MREMAP_MAYMOVE));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(moved[i * PAGE], (char) (i + 2));
	moved[5 * PAGE] = 99;
	char byte;
	CHECK_EQ(pread(fd, &byte, 1, 7 * PAGE), 1);
	CHECK_EQ(byte, 99);
	CHECK_OK(madvise(map + 300 * PAGE, 100 * PAGE, MADV_DONTNEED));
	CHECK_EQ(map[350 * PAGE], (char) 350);
	CHECK_OK(madvise(map + 300 * PAGE, 10 * PAGE, MADV_REMOVE));
	CHECK_EQ(map[305 * PAGE], 0);
	CHECK_EQ(map[310 * PAGE], (char) 310);
}

/* A buffer of read or write may itself be mapped from the mount. */
static void own_pages_as_buffer(void)
{
	size_t size = 1 << 20;

	int fd = MUST(open("file", O_CREAT | O_RDWR, 0644));
	MUST(ftruncate(fd, 2 * size));
	char *map = MUST(mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0));
	memset(map, 'a', size);
	CHECK_EQ(pwrite(fd, map, size, size), size);
	CHECK_EQ(map[2 * size - 1], 'a');
	CHECK_EQ(pread(fd, map + size, PAGE, 0), PAGE);
	make_file("other", 0644, "");
	int other = MUST(open("other", O_RDWR));
	CHECK_EQ(write(other, map, size), size);
	CHECK_EQ(pread(other, map, size, 0), size);
	CHECK_EQ(map[size - 1], 'a');
}

static void anonymous_neighbours_stay(void)
{
	char name[32];

	/* many small mappings of many files at the same time */
	char *maps[200];
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make_file(name, 0644, name);
		maps[i] = map_file(name, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED);
		if (i % 2)
			MUST(unlink(name));
	}
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		CHECK_EQ(strncmp(maps[i], name, strlen(name)), 0);
		CHECK_OK(munmap(maps[i], PAGE));
	}
}

static const struct posix_test tests[] = {
	T(shared_is_shared),
	T(private_is_private),
	T(protection),
	T(beyond_the_end),
	T(truncated_under_mapping),
	T(private_survives_truncation),
	T(remapped_and_split),
	T(own_pages_as_buffer),
	T(anonymous_neighbours_stay),
};

POSIX_MAIN(tests)

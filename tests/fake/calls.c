/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that fail, by the linker's --wrap. */
#include "fake/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

static struct calls calls;

struct calls *calls_of_test(void)
{
	return &calls;
}

static bool fails(const char *name)
{
	uint64_t left = atomic_load(&calls.left);

	while (left && !atomic_compare_exchange_weak(&calls.left, &left,
						     left - 1))
		;
	if (left != 1)
		return false;
	calls.name = name;
	atomic_fetch_add(&calls.nr_failed, 1);
	errno = calls.error;
	return true;
}

/* A function that returns failure when it fails. */
#define WRAP(type, failure, name, parameters, arguments)                       \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return fails(#name) ? failure : __real_##name arguments;       \
	}

WRAP(ssize_t, -1, read, (int fd, void *data, size_t size), (fd, data, size))
WRAP(ssize_t, -1, pread, (int fd, void *data, size_t size, off_t at),
     (fd, data, size, at))
WRAP(off_t, -1, lseek, (int fd, off_t at, int whence), (fd, at, whence))
WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, madvise, (void *at, size_t bytes, int advice),
     (at, bytes, advice))
WRAP(int, -1, mincore, (void *at, size_t bytes, unsigned char *there),
     (at, bytes, there))
WRAP(void *, MAP_FAILED, mmap,
     (void *at, size_t bytes, int rights, int flags, int fd, off_t offset),
     (at, bytes, rights, flags, fd, offset))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(struct dirent *, NULL, readdir, (DIR *stream), (stream))

/* Those with arguments that need not be there; they are passed on all the same. */
#define WRAP_ONE(name, parameters, last, first)                                \
	int __real_##name parameters;                                          \
	int __wrap_##name parameters;                                          \
	int __wrap_##name parameters                                           \
	{                                                                      \
		unsigned long arg;                                             \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, last);                                            \
		arg = va_arg(ap, unsigned long);                               \
		va_end(ap);                                                    \
		return fails(#name) ? -1 : __real_##name first;                \
	}

WRAP_ONE(open, (const char *path, int flags, ...), flags, (path, flags, arg))
WRAP_ONE(openat, (int dir, const char *path, int flags, ...), flags,
	 (dir, path, flags, arg))
WRAP_ONE(ioctl, (int fd, unsigned long request, ...), request,
	 (fd, request, arg))
WRAP_ONE(fcntl, (int fd, int command, ...), command, (fd, command, arg))

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Of those that are called so none has more arguments. */
long __wrap_syscall(long number, ...)
{
	long args[5];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 5; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	return fails("syscall") ? -1
				: __real_syscall(number, args[0], args[1],
						 args[2], args[3], args[4]);
}

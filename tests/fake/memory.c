/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short of memory, by the linker's --wrap. */
#include "fake/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/child.h"

extern const char __executable_start[];

static struct memory own;
static struct memory *memory = &own;
static bool is_daemon;

struct memory *memory_of_test(void)
{
	return memory;
}

/* Before main(): a daemon may open no files later. */
__attribute__((constructor)) static void memory_begin(int argc, char **argv)
{
	const char *path = getenv("HT_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	is_daemon = argc > CHILD_ARG_MODE &&
		    !strcmp(argv[CHILD_ARG_MODE], CHILD_MODE);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	if (map != MAP_FAILED)
		memory = map;
	close(fd);
}

static bool fails(const char *name, const void *caller)
{
	uint64_t left = atomic_load(&memory->left);

	if (atomic_load(&memory->who) == MEMORY_DAEMON && !is_daemon)
		return false;
	while (left && !atomic_compare_exchange_weak(&memory->left, &left,
						     left - 1))
		;
	if (left != 1)
		return false;
	strncpy(memory->name, name, sizeof(memory->name) - 1);
	atomic_store(&memory->caller, (uint64_t) ((const char *) caller -
						  __executable_start));
	atomic_fetch_add(&memory->nr_failed, 1);
	errno = ENOMEM;
	return true;
}

/* A function that returns failure when it fails, with ENOMEM in errno. */
#define WRAP(type, failure, name, parameters, arguments)                       \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return fails(#name, __builtin_return_address(0))               \
			       ? failure                                       \
			       : __real_##name arguments;                      \
	}

WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t nr, size_t size), (nr, size))
WRAP(void *, NULL, realloc, (void *old, size_t size), (old, size))
WRAP(void *, NULL, reallocarray, (void *old, size_t nr, size_t size),
     (old, nr, size))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(char *, NULL, strndup, (const char *text, size_t most), (text, most))
WRAP(int, -1, vasprintf, (char **out, const char *format, va_list ap),
     (out, format, ap))
WRAP(char *, NULL, realpath, (const char *path, char *out), (path, out))
WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, NULL, fdopen, (int fd, const char *mode), (fd, mode))
WRAP(FILE *, NULL, open_memstream, (char **out, size_t *size), (out, size))
WRAP(ssize_t, -1, getline, (char **line, size_t *size, FILE *stream),
     (line, size, stream))
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(void *, MAP_FAILED, mmap,
     (void *at, size_t bytes, int rights, int flags, int fd, off_t offset),
     (at, bytes, rights, flags, fd, offset))
WRAP(int, EAGAIN, pthread_create,
     (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
      void *arg),
     (thread, attr, run, arg))

int __wrap_asprintf(char **out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list ap;
	int length;

	if (fails("asprintf", __builtin_return_address(0)))
		return -1;
	va_start(ap, format);
	length = __real_vasprintf(out, format, ap);
	va_end(ap);
	return length;
}

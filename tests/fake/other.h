/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that has a file mapped, and looks at it by the real mm_ops, each of
 * which says what it has found or ends with an error: the fixture of tests that
 * have calls fail in them. A header, because each test is one program.
 */
#ifndef FAKE_OTHER_H
#define FAKE_OTHER_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mm/mm.h"

#define FILE_BYTES (4 * HUGETMPFS_EXTENT_BYTES)

/* ThreadSanitizer starts one of its own in each process, sooner or later. */
#ifdef __SANITIZE_THREAD__
#define THREADS_OF_OTHER 2
#else
#define THREADS_OF_OTHER 1
#endif

/* A process that has a file mapped and uses a page of it, and who looks. */
static struct {
	pid_t pid;
	int fd; /* of the file */
	struct stat st;
	struct mm *real;
	const struct mm_ops *mm;
	struct mm_watch *watch; /* NULL: small entries cannot be seen */
	int failing; /* with which error a call may */
} other;

static inline _Noreturn void be_other(int fd, int ready_fd)
{
	char *at = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (at == MAP_FAILED)
		_exit(1);
	at[0] = 1;
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static inline void start_other(void)
{
	char byte;
	int ready[2];

	other.fd = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(ftruncate(other.fd, FILE_BYTES), 0);
	assert_int_equal(fstat(other.fd, &other.st), 0);
	assert_int_equal(pipe(ready), 0);
	other.pid = fork();
	if (!other.pid)
		be_other(other.fd, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static inline int start_watch(unsigned without)
{
	int ret;

	other.failing = -ENOMEM;
	start_other();
	assert_int_equal(mm_open(&other.real, without), 0);
	other.mm = mm_real_ops(other.real);
	ret = other.mm->watch_open(other.mm->context, other.st.st_dev,
				   &other.watch);
	if (ret == -EOPNOTSUPP)
		other.watch = NULL;
	else
		assert_int_equal(ret, 0);
	return 0;
}

static inline int start_query(void **state)
{
	(void) state;
	return start_watch(0);
}

static inline int start_text(void **state)
{
	(void) state;
	return start_watch(1u << MM_PROCMAP_QUERY);
}

static inline int stop_watch(void **state)
{
	(void) state;
	if (other.watch)
		other.mm->watch_close(other.mm->context, other.watch);
	mm_close(other.real);
	kill(other.pid, SIGKILL);
	waitpid(other.pid, NULL, 0);
	close(other.fd);
	return 0;
}

static inline int see_use(void *arg, const struct mm_use *use)
{
	(void) arg;
	assert_in_range(use->pages, 1, HUGETMPFS_EXTENT_PAGES);
	return 0;
}

/* The device is that of all such files, of others as well. */
static inline int see_mapped(void *arg, const struct mm_mapped *mapped)
{
	unsigned *nr = arg;

	*nr += mapped->pid == other.pid && mapped->ino == other.st.st_ino &&
	       mapped->nr == FILE_BYTES / HUGETMPFS_EXTENT_BYTES;
	return 0;
}

static inline int list(void)
{
	struct mm_watch *watch;
	int ret = other.mm->watch_open(other.mm->context, other.st.st_dev,
				       &watch);

	if (ret == -EOPNOTSUPP)
		skip();
	if (ret)
		return ret;
	ret = other.mm->watch_list(other.mm->context, watch);
	/* of what is there already */
	if (ret >= 0)
		ret = other.mm->watch_list(other.mm->context, watch);
	other.mm->watch_close(other.mm->context, watch);
	return ret < 0 ? ret : 0;
}

/* It is among the last, as it was started a moment ago. */
static inline int look(void)
{
	unsigned found = 0;
	const struct mm_seen seen = { see_use, see_mapped, &found };
	int nr, ret, error = 0;

	if (!other.watch)
		skip();
	nr = other.mm->watch_list(other.mm->context, other.watch);
	if (nr < 0)
		return nr;
	for (int i = nr; i > 0 && !found && !error; i--) {
		ret = other.mm->watch_look(other.mm->context, other.watch,
					   (unsigned) i - 1, &seen);
		/* that of a stranger may be anything */
		error = ret == other.failing ? ret : 0;
	}
	assert_true(error || found == 1);
	return error;
}

static inline int find_mappers(void)
{
	struct mm_mappers mappers;
	int ret = other.mm->mappers_find(other.mm->context, other.st.st_dev,
					 other.st.st_ino, &mappers);

	if (ret)
		return ret;
	/* one that was missed is counted */
	assert_true(mappers.nr == 1 || mappers.missed);
	ret = mappers.nr ? 0 : other.failing;
	other.mm->mappers_free(other.mm->context, &mappers);
	return ret;
}

static inline int ask_threads(void)
{
	uint32_t threads[NODESET_NODES];
	int ret = other.mm->mapper_nodes(other.mm->context, other.pid, threads,
					 NODESET_NODES);

	if (ret >= 0)
		assert_in_range(ret, 1, THREADS_OF_OTHER);
	return ret < 0 ? ret : 0;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locked are, and nothing else:
 *
 *	text and data of the program and its libraries, some MiB; but not their
 *	large arrays, of which libfuse has one of 8 MiB that nobody uses
 *	the heap, with a reserve of MEMLOCK_RESERVE from the beginning, as far
 *	as MEMLOCK_HEAP
 *	of each thread that answers, MEMLOCK_STACK of its stack
 *	of the tables, what is in use (namespace/inode.c), and of the journal,
 *	the slots of threads that there are
 *
 * Never locked is a mapping of a file's data: that would bring all of it into
 * memory, and keep it there. So what the daemon maps later is not locked by
 * itself (no MCL_FUTURE).
 *
 * The heap is one piece, without arenas of threads, and gives nothing back; so
 * it is known where it is. Very large blocks are outside of it, and are locked
 * by who has them, or not.
 */
#include "base/memlock.h"

#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/procmaps.h"

#define MEMLOCK_RESERVE (2 << 20)
#define MEMLOCK_HEAP	(64 << 20)
#define MEMLOCK_STACK	(64 << 10)
#define MEMLOCK_LARGE	(1 << 20) /* blocks outside of the heap */
#define PAGE		((uintptr_t) 4096)

static bool is_on;
static atomic_int error; /* the first one */
static uintptr_t heap_start;
static _Atomic uintptr_t heap_end; /* of what is locked of it */
static atomic_bool is_finished;

/*
 * What memlock_begin() has found, in the order of addresses. On the heap, for
 * it is the large arrays that are not locked.
 */
#define MAX_RANGES 256
static struct range {
	uintptr_t start;
	uintptr_t end;
	bool must; /* or else it is an error */
} *ranges;
static unsigned nr_ranges;

/* Whether there is no limit: what is locked today may grow tomorrow. */
static bool may_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct rlimit limit;

	if (!syscall(SYS_capget, &header, data) &&
	    data[0].effective & CAP_TO_MASK(CAP_IPC_LOCK))
		return true;
	return !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	       limit.rlim_cur == RLIM_INFINITY;
}

static int keep_error(int ret)
{
	int none = 0;

	if (ret)
		atomic_compare_exchange_strong(&error, &none, ret);
	return ret;
}

int memlock_range(const void *start, size_t bytes)
{
	uintptr_t from = (uintptr_t) start & ~(PAGE - 1);

	if (!is_on)
		return -EPERM;
	bytes += (uintptr_t) start - from;
	return mlock((void *) from, bytes) ? keep_error(-errno) : 0;
}

/* Makes the reserve of the heap. */
static void prepare_heap(void)
{
	void *volatile block; /* or the compiler sees that nobody uses it */

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, MEMLOCK_LARGE);
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	mallopt(M_TOP_PAD, MEMLOCK_RESERVE);
	/* more than is free of what there is: the heap grows by the pad */
	block = malloc(MEMLOCK_LARGE / 2);
	free(block);
	heap_end = (uintptr_t) sbrk(0);
	heap_start = heap_end;
}

static bool is_wanted(const struct procmaps_line *line)
{
	if (!line->readable)
		return false;
	/* a large one without a file is an array, or the heap */
	return line->ino || line->end - line->start < MEMLOCK_LARGE ||
	       (line->start < heap_start && line->end >= heap_start);
}

/* Those that lie side by side are one. */
static int add_range(const struct procmaps_line *line)
{
	/* the kernel's own pages among the small ones cannot be locked */
	bool must = line->ino || line->end - line->start >= MEMLOCK_LARGE;
	struct range *last = nr_ranges ? &ranges[nr_ranges - 1] : NULL;

	if (last && last->end == line->start && last->must == must) {
		last->end = line->end;
		return 0;
	}
	if (nr_ranges == MAX_RANGES)
		return -ENOMEM;
	ranges[nr_ranges++] = (struct range){ line->start, line->end, must };
	return 0;
}

static int find_ranges(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct procmaps_line line;
	char text[512];
	int ret = 0;

	if (!maps)
		return -errno;
	while (!ret && fgets(text, sizeof(text), maps))
		if (procmaps_parse(text, &line) && is_wanted(&line))
			ret = add_range(&line);
	fclose(maps);
	return ret;
}

int memlock_begin(void)
{
	if (!may_lock())
		return -EPERM;
	is_on = true;
	prepare_heap();
	ranges = calloc(MAX_RANGES, sizeof(*ranges));
	return keep_error(ranges ? find_ranges() : -ENOMEM);
}

int memlock_finish(void)
{
	int ret = 0;

	for (unsigned i = 0; i < nr_ranges; i++) {
		const struct range *range = &ranges[i];

		if (mlock((void *) range->start, range->end - range->start) &&
		    range->must)
			ret = -errno;
	}
	free(ranges);
	ranges = NULL;
	nr_ranges = 0;
	atomic_store(&is_finished, true);
	return keep_error(ret);
}

int memlock_for_good(void)
{
	int ret = memlock_begin();

	if (!ret)
		ret = memlock_finish();
	/* when it is used, and not before: a mistake shall not cost so much */
	if (!ret && mlockall(MCL_FUTURE | MCL_ONFAULT))
		ret = keep_error(-errno);
	return ret;
}

void memlock_heap(void)
{
	uintptr_t end = (uintptr_t) sbrk(0), from = atomic_load(&heap_end);

	if (!is_on || end <= from || end - heap_start > MEMLOCK_HEAP ||
	    !atomic_compare_exchange_strong(&heap_end, &from, end))
		return;
	memlock_range((void *) from, end - from);
}

void memlock_stack(void)
{
	pthread_attr_t attr;
	size_t bytes, part;
	void *lowest;

	if (!is_on || pthread_getattr_np(pthread_self(), &attr))
		return;
	if (!pthread_attr_getstack(&attr, &lowest, &bytes)) {
		part = bytes < MEMLOCK_STACK ? bytes : MEMLOCK_STACK;
		memlock_range((char *) lowest + bytes - part, part);
	}
	pthread_attr_destroy(&attr);
}

const char *memlock_state(void)
{
	if (!is_on)
		return "off: CAP_IPC_LOCK is missing, and RLIMIT_MEMLOCK is a "
		       "limit";
	if (!atomic_load(&is_finished))
		return "in part: the rest follows in a moment";
	switch (atomic_load(&error)) {
	case 0:
		return "on";
	case -ENOMEM:
	case -EAGAIN:
		return "in part: there was not enough memory";
	case -EPERM:
		return "in part: not permitted";
	default:
		return "in part: the kernel refused";
	}
}

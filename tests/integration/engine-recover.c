/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recoveries: checked against smaps, and that no byte is lost.
 */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WITHOUT(interface) (1u << MM_##interface)

#define counted(engine, name) \
	atomic_load(&(engine).counters.count[RECOVERY_COUNT_##name])

static void check_all(const struct hugetmpfs_extent *extents, int nr,
		      enum hugetmpfs_reason reason)
{
	for (int i = 0; i < nr; i++)
		check_equal(extents[i].reason, reason);
}

/* Two use it, one of them pays, both have it by PMD without touching it. */
static void mapped(void)
{
	struct hugetmpfs_extent extents[8];
	struct mapper one, two, other;
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 8 * EXTENT);
	file_fill(&file, 0, 8 * EXTENT, 1 << 16);
	mapper_start(&one, &file, 8, MAPPED_ALIGNED);
	mapper_start(&two, &file, 8, MAPPED_ALIGNED);
	mapper_start(&other, &file, 8, MAPPED_MISALIGNED);
	mapper_touch(&one);
	mapper_touch(&two);
	mapper_touch(&other);
	engine_start(&engine, &file, 0);
	check_equal(engine_recover(&engine, &file, 0, 8, extents), 8);
	check_all(extents, 8, HUGETMPFS_REASON_DONE);
	check_equal(smaps_kib(one.pid, file.path, "ShmemPmdMapped"), 16384);
	check_equal(smaps_kib(two.pid, file.path, "ShmemPmdMapped"), 16384);
	check_equal(counted(engine, remap_faulter), 8);
	check_equal(counted(engine, remap_another), 8);
	check_equal(counted(engine, remap_untried), 8);
	/* the misaligned one goes on with small entries to the huge pages */
	mapper_touch(&other);
	check_equal(smaps_kib(other.pid, file.path, "ShmemPmdMapped"), 0);
	file_check(&file, 0, 8 * EXTENT);
	engine_stop(&engine);
	mapper_end(&one);
	mapper_end(&two);
	mapper_end(&other);
	file_end(&file);
	tmpfs_umount();
}

/* Whatever the kernel lacks, it is done, and smaps agrees after a touch. */
static void without(void)
{
	static const unsigned ways[] = {
		WITHOUT(PROCESS_COLLAPSE), WITHOUT(CACHESTAT),
		WITHOUT(PAGEMAP_SCAN),	   WITHOUT(PROCMAP_QUERY),
		WITHOUT(KPAGEFLAGS),	   WITHOUT(POPULATE_READ),
		WITHOUT(IO_URING),
	};
	struct hugetmpfs_extent extents[4];
	struct mapper mapper;
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		file_make(&file, 4 * EXTENT);
		file_fill(&file, 0, 4 * EXTENT, 1 << 16);
		file_punch(&file, EXTENT, 3 * PAGE);
		mapper_start(&mapper, &file, 4, MAPPED_ALIGNED);
		engine_start(&engine, &file, ways[i]);
		check_equal(engine_recover(&engine, &file, 0, 4, extents), 4);
		check_all(extents, 4, HUGETMPFS_REASON_DONE);
		engine_stop(&engine);
		mapper_touch(&mapper);
		check_equal(smaps_kib(mapper.pid, file.path, "ShmemPmdMapped"),
			    8192);
		mapper_end(&mapper);
		file_check(&file, 0, EXTENT);
		file_check(&file, EXTENT + 3 * PAGE, 4 * EXTENT);
		file_end(&file);
	}
	file_make(&file, EXTENT);
	file_fill(&file, 0, EXTENT, 1 << 16);
	engine_start(&engine, &file, WITHOUT(COLLAPSE));
	check_equal(engine_recover(&engine, &file, 0, 1, extents), 1);
	check_all(extents, 1, HUGETMPFS_REASON_UNSUPPORTED);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

/* A page that lies in a pipe. */
static void pinned(void)
{
	struct hugetmpfs_extent extents[3];
	struct engine engine;
	struct iovec iov;
	struct file file;
	int ends[2];
	char *at;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 3 * EXTENT);
	file_fill(&file, 0, 3 * EXTENT, 1 << 16);
	at = mmap(NULL, 3 * EXTENT, PROT_READ, MAP_SHARED, file.fd, 0);
	check(at != MAP_FAILED);
	check_equal(pipe(ends), 0);
	iov = (struct iovec){at + EXTENT + 5 * PAGE, PAGE};
	check_equal(vmsplice(ends[1], &iov, 1, 0), PAGE);
	check_equal(munmap(at, 3 * EXTENT), 0);
	engine_start(&engine, &file, 0);
	check_equal(engine_recover(&engine, &file, 0, 3, extents), 3);
	check_all(&extents[0], 1, HUGETMPFS_REASON_DONE);
	check_all(&extents[1], 1, HUGETMPFS_REASON_PINNED);
	check_equal(extents[1].error, EAGAIN);
	check_all(&extents[2], 1, HUGETMPFS_REASON_DONE);
	check_equal(counted(engine, recov_retried), 1);
	check_equal(engine_map(&engine, &file, 1, 1, &extents[1]), 1);
	check_all(&extents[1], 1, HUGETMPFS_REASON_PINNED);
	close(ends[0]);
	close(ends[1]);
	check_equal(engine_recover(&engine, &file, 1, 1, extents), 1);
	check_all(extents, 1, HUGETMPFS_REASON_DONE);
	file_check(&file, 0, 3 * EXTENT);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

/* No room for the holes; nothing changes. */
static void full(void)
{
	struct hugetmpfs_extent extents[2];
	struct engine engine;
	struct file file;
	uint64_t kib;

	tmpfs_mount("size=3M,huge=never");
	file_make(&file, 2 * EXTENT);
	file_fill(&file, 0, EXTENT, 1 << 16);
	file_fill(&file, EXTENT, EXTENT + 20 * PAGE, PAGE);
	kib = file_kib(&file);
	engine_start(&engine, &file, 0);
	check_equal(engine_recover(&engine, &file, 0, 2, extents), 2);
	/* a whole extent needs no block more */
	check_all(&extents[0], 1, HUGETMPFS_REASON_DONE);
	check_all(&extents[1], 1, HUGETMPFS_REASON_OVER_LIMIT);
	check_equal(extents[1].state, HUGETMPFS_PARTIAL);
	check_equal(file_kib(&file), kib);
	file_check(&file, 0, EXTENT + 20 * PAGE);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

struct shaker {
	struct file *file;
	uint64_t bytes;
	atomic_bool stop;
};

static void *shake(void *arg)
{
	struct shaker *shaker = arg;
	char page[PAGE] = "x";
	unsigned seed = 7;
	off_t at;

	while (!atomic_load(&shaker->stop)) {
		at = (off_t) ((uint64_t) rand_r(&seed) % shaker->bytes);
		switch (rand_r(&seed) % 4) {
		case 0:
			if (ftruncate(shaker->file->fd, at) ||
			    ftruncate(shaker->file->fd, (off_t) shaker->bytes))
				return NULL;
			break;
		case 1:
			file_punch(shaker->file, (uint64_t) at, EXTENT);
			break;
		default:
			for (int i = 0; i < 300; i++, at += PAGE)
				check_equal(pwrite(shaker->file->fd, page, PAGE,
						   at),
					    PAGE);
		}
	}
	return NULL;
}

/* The file changes under every step: answers, and no signal. */
static void shaken(void)
{
	struct hugetmpfs_extent extents[16];
	struct timespec now, start;
	struct mapper mapper;
	struct engine engine;
	struct file file;
	pthread_t thread;
	unsigned done = 0;

	tmpfs_mount("size=128M,huge=within_size");
	file_make(&file, 16 * EXTENT);
	mapper_start(&mapper, &file, 16, MAPPED_ALIGNED);
	engine_start(&engine, &file, 0);
	struct shaker shaker = {&file, 16 * EXTENT, false};
	check_equal(pthread_create(&thread, NULL, shake, &shaker), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		int nr = engine_recover(&engine, &file, 0, 16, extents);

		check(nr >= 0 && nr <= 16);
		for (int i = 0; i < nr; i++) {
			check_equal(extents[i].reason == HUGETMPFS_REASON_DONE,
				    extents[i].state == HUGETMPFS_HUGE);
			check(extents[i].reason != HUGETMPFS_REASON_FAILED);
			done += extents[i].reason == HUGETMPFS_REASON_DONE;
		}
		nr = engine_map(&engine, &file, 0, 16, extents);
		check(nr >= 0 && nr <= 16);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 5);
	atomic_store(&shaker.stop, true);
	pthread_join(thread, NULL);
	check(done > 0);
	printf("  %u extents huge, %lu too late\n", done,
	       atomic_load(&engine.counters.count[RECOVERY_COUNT_reasons +
						  HUGETMPFS_REASON_TOO_LATE]));
	engine_stop(&engine);
	mapper_end(&mapper);
	file_end(&file);
	tmpfs_umount();
}

static uint32_t swapped_pages(struct engine *engine, struct file *file)
{
	struct hugetmpfs_extent extents[8];
	uint32_t pages = 0;

	check_equal(engine_map(engine, file, 0, 8, extents), 8);
	for (int i = 0; i < 8; i++)
		pages += extents[i].swapped_pages;
	return pages;
}

/* Sends most of the file to swap; the test ends here if that cannot be. */
static void page_out(struct engine *engine, struct file *file)
{
	char *at;

	for (int tries = 0; tries < 10; tries++) {
		at = mmap(NULL, 8 * EXTENT, PROT_READ,
			  MAP_SHARED | MAP_POPULATE, file->fd, 0);
		check(at != MAP_FAILED);
		madvise(at, 8 * EXTENT, MADV_PAGEOUT);
		munmap(at, 8 * EXTENT);
		if (swapped_pages(engine, file) > 2048)
			return;
		usleep(10000);
	}
	printf("skipped: nothing goes to swap here\n");
	exit(77);
}

/* Needs swap of 16 MiB. */
static void swapped(void)
{
	static const unsigned ways[] = {
		0,
		WITHOUT(IO_URING),
		WITHOUT(POPULATE_READ),
		WITHOUT(CACHESTAT),
	};
	struct hugetmpfs_extent extents[8];
	struct engine engine, watcher;
	struct file file;
	uint32_t before;

	tmpfs_mount("size=64M,huge=never");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		file_make(&file, 8 * EXTENT);
		file_fill(&file, 0, 8 * EXTENT, 1 << 16);
		file_punch(&file, EXTENT, PAGE);
		engine_start(&watcher, &file, 0);
		page_out(&watcher, &file);
		/* looking at them leaves them there */
		before = swapped_pages(&watcher, &file);
		engine_start(&engine, &file, ways[i]);
		/* mincore takes what is on the way out for resident */
		if (!(ways[i] & WITHOUT(CACHESTAT)))
			check(swapped_pages(&engine, &file) > 0);
		check_equal(swapped_pages(&watcher, &file), before);
		check_equal(engine_recover(&engine, &file, 0, 8, extents), 8);
		check_all(extents, 8, HUGETMPFS_REASON_DONE);
		check_equal(swapped_pages(&watcher, &file), 0);
		if (!(ways[i] & WITHOUT(CACHESTAT)))
			check(counted(engine, swap_read) > 0);
		engine_stop(&engine);
		engine_stop(&watcher);
		file_check(&file, 0, EXTENT);
		file_check(&file, EXTENT + PAGE, 8 * EXTENT);
		file_end(&file);
	}
	tmpfs_umount();
}

const struct topic engine_recover_topics[] = {
	{"mapped", mapped}, {"without", without}, {"pinned", pinned},
	{"full", full},	    {"shaken", shaken},	  {"swapped", swapped},
	{NULL, NULL},
};

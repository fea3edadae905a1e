/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks: what the kernel shows of a file, by each of the ways there are to see
 * it, and that looking changes nothing.
 */
#include "engine.h"
#include "mm/internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


/* Each has to see the same. */
static const unsigned ways[] = {
	0,
	WITHOUT(PAGEMAP_SCAN),
	WITHOUT(KPAGEFLAGS),
	WITHOUT(POPULATE_READ),
	WITHOUT(CACHESTAT),
	WITHOUT(PROCMAP_QUERY) | WITHOUT(IO_URING),
	WITHOUT(CACHESTAT) | WITHOUT(PAGEMAP_SCAN) | WITHOUT(POPULATE_READ),
};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

void file_collapse(struct file *file, uint64_t index)
{
	struct hugetmpfs_extent extent;
	struct engine engine;

	engine_start(&engine, file, 0);
	check_equal(engine_recover(&engine, file, index, 1, &extent), 1);
	check_equal(extent.reason, HUGETMPFS_REASON_DONE);
	engine_stop(&engine);
}

static void check_extent(const struct hugetmpfs_extent *extent,
			 enum hugetmpfs_state state, int data, int holes)
{
	check_equal(extent->state, state);
	check_equal(extent->data_pages, data);
	check_equal(extent->hole_pages, holes);
	check_equal(extent->swapped_pages, 0);
	/* where there are many nodes, that of a few pages is not known */
	if (data == 0 || data == EXTENT / PAGE)
		check_equal(extent->nid >= 0, data > 0);
}

static void states(void)
{
	struct hugetmpfs_extent extents[8];
	struct engine engine;
	struct file file;
	uint64_t kib;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 4 * EXTENT + 10 * PAGE + 1);
	file_fill(&file, 0, 2 * EXTENT, 1 << 16);
	file_fill(&file, 3 * EXTENT + 7 * PAGE, 3 * EXTENT + 9 * PAGE, PAGE);
	file_fill(&file, 4 * EXTENT, 4 * EXTENT + 3 * PAGE, PAGE);
	file_collapse(&file, 1);
	kib = file_kib(&file);
	for (size_t i = 0; i < NR_WAYS; i++) {
		engine_start(&engine, &file, ways[i]);
		check_equal(engine_map(&engine, &file, 0, 8, extents), 5);
		check_extent(&extents[0], HUGETMPFS_SMALL, 512, 0);
		check_extent(&extents[1], HUGETMPFS_HUGE, 512, 0);
		check_extent(&extents[2], HUGETMPFS_HOLE, 0, 512);
		check_extent(&extents[3], HUGETMPFS_PARTIAL, 2, 510);
		check_extent(&extents[4], HUGETMPFS_PARTIAL, 3, 8);
		check_equal(engine_map(&engine, &file, 5, 8, extents), 0);
		engine_stop(&engine);
		check_equal(file_kib(&file), kib);
	}
	file_end(&file);
	tmpfs_umount();
}

/* A huge last extent has all its pages. */
static void last(void)
{
	struct hugetmpfs_extent extent;
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	for (size_t i = 0; i < NR_WAYS; i++) {
		file_make(&file, 10 * PAGE);
		file_fill(&file, 0, 10 * PAGE, PAGE);
		engine_start(&engine, &file, ways[i]);
		check_equal(engine_map(&engine, &file, 0, 1, &extent), 1);
		check_extent(&extent, HUGETMPFS_SMALL, 10, 0);
		check_equal(engine_recover(&engine, &file, 0, 1, &extent), 1);
		check_extent(&extent, HUGETMPFS_HUGE, 512, 0);
		check_equal(engine_map(&engine, &file, 0, 1, &extent), 1);
		check_extent(&extent, HUGETMPFS_HUGE, 512, 0);
		engine_stop(&engine);
		file_check(&file, 0, 10 * PAGE);
		file_end(&file);
	}
	tmpfs_umount();
}

/* Pages that fallocate has put above the end: counted below it only. */
static void preallocated(void)
{
	struct hugetmpfs_extent extent;
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 10 * PAGE);
	file_fill(&file, 0, 9 * PAGE, PAGE);
	check_equal(fallocate(file.fd, FALLOC_FL_KEEP_SIZE, 0, EXTENT), 0);
	file_punch(&file, 9 * PAGE, PAGE);
	engine_start(&engine, &file, 0);
	check_equal(engine_map(&engine, &file, 0, 1, &extent), 1);
	check_extent(&extent, HUGETMPFS_PARTIAL, 9, 1);
	/* the kernel does not collapse it until the file has grown */
	check_equal(engine_recover(&engine, &file, 0, 1, &extent), 1);
	check_extent(&extent, HUGETMPFS_PARTIAL, 9, 1);
	check_equal(extent.reason, HUGETMPFS_REASON_PREALLOCATED);
	file_check(&file, 0, 9 * PAGE);
	check_equal(ftruncate(file.fd, EXTENT), 0);
	check_equal(engine_recover(&engine, &file, 0, 1, &extent), 1);
	check_extent(&extent, HUGETMPFS_HUGE, 512, 0);
	file_check(&file, 0, 9 * PAGE);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

/* Allocated and never written: in memory, though SEEK_DATA sees nothing. */
static void fallocated(void)
{
	struct hugetmpfs_extent extents[2];
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 2 * EXTENT);
	check_equal(fallocate(file.fd, 0, 0, EXTENT), 0);
	check_equal(lseek(file.fd, 0, SEEK_DATA), -1);
	engine_start(&engine, &file, 0);
	check_equal(engine_map(&engine, &file, 0, 2, extents), 2);
	check_extent(&extents[0], HUGETMPFS_SMALL, 512, 0);
	check_extent(&extents[1], HUGETMPFS_HOLE, 0, 512);
	check_equal(engine_recover(&engine, &file, 0, 2, extents), 2);
	check_extent(&extents[0], HUGETMPFS_HUGE, 512, 0);
	check_extent(&extents[1], HUGETMPFS_HOLE, 0, 512);
	check_equal(file_kib(&file), 2048);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

static uint64_t khugepaged_collapsed(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/khugepaged/"
			   "pages_collapsed",
			   "r");
	uint64_t pages = 0;

	check(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	return pages;
}

/* Whether all ways see extents of small pages in the file. */
static bool appended_is_small(struct file *file)
{
	struct hugetmpfs_extent extents[4];
	struct engine engine;
	bool small = true;

	for (size_t i = 0; i < NR_WAYS; i++) {
		engine_start(&engine, file, ways[i]);
		check_equal(engine_map(&engine, file, 0, 4, extents), 4);
		for (int j = 0; j < 4; j++)
			small &= extents[j].state == HUGETMPFS_SMALL;
		engine_stop(&engine);
	}
	return small;
}

/* Large folios that are not the largest are not huge. */
static void appended(void)
{
	struct hugetmpfs_extent extents[4];
	struct engine engine;
	uint64_t collapsed;
	struct file file;
	bool small;

	tmpfs_mount("size=64M,huge=within_size");
	/* each write ends the file, so no folio is larger than it */
	for (int tries = 0; tries < 5; tries++) {
		file_make(&file, 0);
		file_fill(&file, 0, 4 * EXTENT, 1 << 16);
		collapsed = khugepaged_collapsed();
		small = appended_is_small(&file);
		if (small)
			break;
		/* else it is an error, if khugepaged has not been here */
		check(khugepaged_collapsed() != collapsed);
		file_end(&file);
	}
	check(small);
	engine_start(&engine, &file, 0);
	check_equal(engine_recover(&engine, &file, 0, 4, extents), 4);
	for (int j = 0; j < 4; j++)
		check_extent(&extents[j], HUGETMPFS_HUGE, 512, 0);
	engine_stop(&engine);
	file_check(&file, 0, 4 * EXTENT);
	file_end(&file);
	tmpfs_umount();
}

/* A terabyte of nothing with three pages in it. */
static void sparse(void)
{
	enum { STEP = 256 };
	const uint64_t all = UINT64_C(1) << 40, nr = all / EXTENT;
	static struct hugetmpfs_extent extents[STEP];
	struct timespec start, end;
	unsigned found = 0;
	struct engine engine;
	struct file file;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, all);
	file_fill(&file, 0, PAGE, PAGE);
	file_fill(&file, all / 2, all / 2 + PAGE, PAGE);
	file_fill(&file, all - PAGE, all, PAGE);
	engine_start(&engine, &file, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t i = 0; i < nr; i += STEP) {
		check_equal(engine_map(&engine, &file, i, STEP, extents), STEP);
		for (int j = 0; j < STEP; j++)
			found += extents[j].state == HUGETMPFS_PARTIAL;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	check_equal(found, 3);
	check_equal(file_kib(&file), 12);
	printf("  1 TiB in %ld ms\n",
	       (end.tv_sec - start.tv_sec) * 1000 +
		       (end.tv_nsec - start.tv_nsec) / 1000000);
	check(end.tv_sec - start.tv_sec < 10);
	engine_stop(&engine);
	file_end(&file);
	tmpfs_umount();
}

/* Who maps the file, and how, by each way to find out. */
static void mappers(void)
{
	static const unsigned masks[] = {0, WITHOUT(PROCMAP_QUERY),
					 WITHOUT(PAGEMAP_SCAN)};
	struct mapper aligned, misaligned, private;
	struct mm_mappers found;
	const struct mm_ops *ops;
	struct mm_view views[4];
	struct file file;
	struct mm *mm;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 4 * EXTENT);
	file_fill(&file, 0, 4 * EXTENT, 1 << 16);
	file_collapse(&file, 2);
	mapper_start(&aligned, &file, 3, MAPPED_ALIGNED);
	mapper_start(&misaligned, &file, 4, MAPPED_MISALIGNED);
	mapper_start(&private, &file, 4, MAPPED_PRIVATE);
	mapper_touch(&aligned);
	mapper_touch(&misaligned);
	mapper_touch(&private);
	for (size_t i = 0; i < 3; i++) {
		check_equal(mm_open(&mm, masks[i]), 0);
		ops = mm_real_ops(mm);
		check_equal(ops->mappers_find(mm, file.st.st_dev,
					      file.st.st_ino, &found),
			    0);
		check_equal(found.nr, 2);
		check_equal(found.mapper[0].pid, aligned.pid);
		check_equal(found.mapper[1].pid, misaligned.pid);
		check_equal(ops->mapper_view(mm, &found.mapper[0],
					     file.st.st_dev, file.st.st_ino, 0,
					     4, views),
			    0);
		check_equal(views[0].addr, aligned.addr);
		check_equal(views[2].addr, aligned.addr + 2 * EXTENT);
		check_equal(views[3].addr, 0);
		check_equal(views[0].small, 512);
		check(!views[0].by_pmd);
		check(!views[3].small && !views[3].misaligned);
		if (!(masks[i] & WITHOUT(PAGEMAP_SCAN)))
			check(views[2].by_pmd && !views[2].small);
		check_equal(ops->mapper_view(mm, &found.mapper[1],
					     file.st.st_dev, file.st.st_ino, 0,
					     4, views),
			    0);
		check(views[0].misaligned && !views[0].addr);
		/* another file of the same number, on another device */
		ops->mappers_free(mm, &found);
		check_equal(ops->mappers_find(mm, file.st.st_dev + 1,
					      file.st.st_ino, &found),
			    0);
		check_equal(found.nr, 0);
		ops->mappers_free(mm, &found);
		mm_set_second(mm, aligned.pid);
		check_equal(ops->mappers_find(mm, file.st.st_dev,
					      file.st.st_ino, &found),
			    0);
		check_equal(found.nr, 1);
		check_equal(found.mapper[0].pid, misaligned.pid);
		ops->mappers_free(mm, &found);
		mm_close(mm);
	}
	mapper_end(&aligned);
	mapper_end(&misaligned);
	mapper_end(&private);
	file_end(&file);
	tmpfs_umount();
}

/* Maps the first extent so that it could be mapped huge. */
static char *map_aligned(const struct file *file, char *near)
{
	uintptr_t at = ((uintptr_t) near + EXTENT) & ~(uintptr_t) (EXTENT - 1);
	char *addr;

	addr = mmap((void *) at, EXTENT, PROT_READ, MAP_SHARED | MAP_FIXED,
		    file->fd, 0);
	check(addr != MAP_FAILED);
	return addr;
}

static void touch(const volatile char *addr, int nr)
{
	for (int i = 0; i < nr; i++)
		(void) addr[i * PAGE];
}

/* An extent that a process has mapped twice is counted where it is first. */
static void mapped_twice(void)
{
	static const unsigned masks[] = {0, WITHOUT(PAGEMAP_SCAN)};
	struct mm_mapper self = {.pid = getpid()};
	size_t bytes = 5 * EXTENT;
	struct mm_view view;
	struct file file;
	struct mm *mm;
	char *place, *once;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, EXTENT);
	file_fill(&file, 0, EXTENT, 1 << 16);
	place = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	check(place != MAP_FAILED);
	once = map_aligned(&file, place);
	touch(map_aligned(&file, once + EXTENT), 512);
	self.pidfd = (int) syscall(SYS_pidfd_open, self.pid, 0);
	for (size_t i = 0; i < 2; i++) {
		check_equal(mm_open(&mm, masks[i]), 0);
		check_equal(mm_real_ops(mm)->mapper_view(
				    mm, &self, file.st.st_dev, file.st.st_ino,
				    0, 1, &view),
			    0);
		check_equal(view.addr, (uintptr_t) once);
		check_equal(view.small, i * 512);
		touch(once, 512);
		mm_close(mm);
	}
	close(self.pidfd);
	munmap(place, bytes);
	file_end(&file);
	tmpfs_umount();
}

/* What is known is not asked for; and what was written is found. */
static void known(void)
{
	static const enum mm_known knowns[] = {
		MM_KNOWN_NOTHING, MM_KNOWN_RESIDENT, MM_KNOWN_RESIDENT,
		MM_KNOWN_HUGE};
	struct mm_extent extents[4], asked[4];
	const struct mm_ops *ops;
	struct mm_window *window;
	struct file file;
	uint64_t size;
	struct mm *mm;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, 5 * EXTENT);
	file_fill(&file, 0, 4 * EXTENT, 1 << 16);
	file_collapse(&file, 2);
	file_collapse(&file, 3);
	check_equal(mm_open(&mm, 0), 0);
	ops = mm_real_ops(mm);
	check_equal(ops->window_open(mm, 5, &window), 0);
	ops->window_attach(mm, window, file.fd, 0, 5);
	check_equal(ops->look(mm, window, 0, 4, NULL, asked, &size), 4);
	check_equal(ops->look(mm, window, 0, 4, knowns, extents, &size), 4);
	for (int i = 0; i < 4; i++) {
		check_equal(extents[i].resident, 512);
		check_equal(asked[i].resident, 512);
		check_equal(extents[i].huge, i > 1);
		check_equal(asked[i].huge, i > 1);
	}
	check(ops->has_data(mm, window, 0, 5));
	check(ops->has_data(mm, window, 3, 1));
	check(!ops->has_data(mm, window, 4, 1));
	file_punch(&file, 3 * EXTENT, EXTENT);
	check_equal(ops->look(mm, window, 0, 4, knowns, extents, &size), 4);
	check(extents[3].huge && extents[3].resident == 512);
	check_equal(ops->look(mm, window, 0, 4, NULL, extents, &size), 4);
	check(!extents[3].huge && extents[3].resident == 0);
	check(!ops->has_data(mm, window, 3, 2));
	ops->window_close(mm, window);
	mm_close(mm);
	file_end(&file);
	tmpfs_umount();
}

/* One that ends between the search and what is done with it. */
static void mapper_gone(void)
{
	const struct mm_ops *ops;
	struct mm_mappers found;
	struct mapper mapper;
	struct mm_view view;
	struct file file;
	struct mm *mm;

	tmpfs_mount("size=64M,huge=never");
	file_make(&file, EXTENT);
	file_fill(&file, 0, EXTENT, 1 << 16);
	mapper_start(&mapper, &file, 1, MAPPED_ALIGNED);
	check_equal(mm_open(&mm, 0), 0);
	ops = mm_real_ops(mm);
	check_equal(
		ops->mappers_find(mm, file.st.st_dev, file.st.st_ino, &found),
		0);
	check_equal(found.nr, 1);
	mapper_end(&mapper);
	check_equal(ops->mapper_view(mm, &found.mapper[0], file.st.st_dev,
				     file.st.st_ino, 0, 1, &view),
		    -3 /* ESRCH */);
	check_equal(ops->mapper_collapse(mm, &found.mapper[0], mapper.addr,
					 1),
		    -3);
	ops->mappers_free(mm, &found);
	mm_close(mm);
	file_end(&file);
	tmpfs_umount();
}

/* What a process with threads says of itself when all of them are there. */
struct threads {
	pid_t pid;
	unsigned node; /* that it runs on, and nowhere else */
};

static void *threads_sleep(void *arg)
{
	pthread_barrier_wait(arg);
	pause();
	return NULL;
}

/* Stays where it is, with a name that is hard to read. */
static void threads_run(unsigned nr, int answer)
{
	unsigned cpu, node;
	pthread_barrier_t barrier;
	pthread_t thread;
	cpu_set_t set;

	check_equal(prctl(PR_SET_NAME, ") R 1 (2) 3"), 0);
	check_equal(getcpu(&cpu, &node), 0);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	check_equal(getcpu(&cpu, &node), 0);
	pthread_barrier_init(&barrier, NULL, nr);
	for (unsigned i = 1; i < nr; i++)
		check_equal(pthread_create(&thread, NULL, threads_sleep,
					   &barrier),
			    0);
	pthread_barrier_wait(&barrier);
	check_equal(write(answer, &node, sizeof(node)), sizeof(node));
	pause();
}

static void threads_start(struct threads *threads, unsigned nr)
{
	int pipes[2];

	check_equal(pipe(pipes), 0);
	threads->pid = fork();
	check(threads->pid >= 0);
	if (!threads->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		threads_run(nr, pipes[1]);
		_exit(1);
	}
	close(pipes[1]);
	check_equal(read(pipes[0], &threads->node, sizeof(threads->node)),
		    sizeof(threads->node));
	close(pipes[0]);
}

/* Where the threads of a process run, few of them or many. */
static void threads(void)
{
	static const unsigned numbers[] = {1, 2, 64, 65, 300};
	struct threads threads;
	uint32_t count[64];
	struct mm *mm;
	int all;

	check_equal(mm_open(&mm, 0), 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		threads_start(&threads, numbers[i]);
		all = mm_mapper_nodes(mm, threads.pid, count, 64);
		/* counted by a sample, each for those that it stands for */
		check(all >= (int) numbers[i] && all < (int) numbers[i] + 8);
		check_equal(count[threads.node], all);
		check_equal(mm_mapper_nodes(mm, threads.pid, count,
					    threads.node), all);
		check_equal(kill(threads.pid, SIGKILL), 0);
		check_equal(waitpid(threads.pid, NULL, 0), threads.pid);
		check_equal(mm_mapper_nodes(mm, threads.pid, count, 64),
			    -ESRCH);
	}
	mm_close(mm);
}

/* What was asked to be absent is; what is there says so. */
static void probes(void)
{
	const struct mm_interface *interfaces;
	struct mm *mm;

	check_equal(mm_open(&mm, 0), 0);
	interfaces = mm_interfaces(mm);
	for (int i = 0; i < MM_NR_INTERFACES; i++) {
		printf("  %s: %s\n", interfaces[i].name,
		       interfaces[i].present ? "present" : "absent");
		check(interfaces[i].absence[0]);
	}
	check(interfaces[MM_COLLAPSE].present);
	mm_close(mm);
	check_equal(mm_open(&mm, ~0u), 0);
	interfaces = mm_interfaces(mm);
	for (int i = 0; i < MM_NR_INTERFACES; i++)
		check(!interfaces[i].present);
	mm_close(mm);
}

const struct topic engine_look_topics[] = {
	{"probes", probes},
	{"states", states},
	{"last", last},
	{"preallocated", preallocated},
	{"fallocated", fallocated},
	{"appended", appended},
	{"sparse", sparse},
	{"mappers", mappers},
	{"mapped_twice", mapped_twice},
	{"known", known},
	{"nodes", engine_look_nodes},
	{"threads", threads},
	{"mapper_gone", mapper_gone},
	{NULL, NULL},
};

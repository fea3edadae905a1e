/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What contrib/bench/recovery measures with: an application that has a file of
 * a hugetmpfs mount mapped, breaks it up in several ways, has it put together
 * again, and takes the time of its own accesses meanwhile. It obeys one command
 * a line on standard input and answers each with one line. See usage_text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "base/clock.h"
#include "latency.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define PAGE	    4096UL
#define EXTENT	    HUGETMPFS_EXTENT_BYTES
#define NR_MAPPERS  15	/* besides this one */
#define PIN_STEP    8	/* one page in each so many extents */
#define PUNCH_STEP  32	/* one page of each so many */
#define MAX_THREADS 64

static const char usage_text[] =
	"usage: recovery-app FILE EXTENTS\n"
	"  prepare KIND    access or resident (both: small pages), unmapped,\n"
	"                  half_swapped, swapped, punched, mappers or pinned\n"
	"                  -> prepared CAN SWAPPED: extents\n"
	"                  that can be made huge, pages on swap\n"
	"  loop THREADS    MADV_COLLAPSE of each extent\n"
	"  populate THREADS  the same after MADV_POPULATE_READ of all\n"
	"  request         asks the mount\n"
	"  watch MS LIMIT_MS [PATH VALUE]  writes VALUE and waits until all\n"
	"                  that can are huge, none became so for MS, or the limit\n"
	"  storm MS LIMIT_MS  the same after touching one page of each extent\n"
	"  rest MS         does nothing\n"
	"                  -> did NS HUGE: nanoseconds, extents that are huge\n"
	"  access          starts to read at random places until one of these ends\n"
	"  stop            -> accessed COUNT P50 P99 P99.9 in ns\n"
	"  quit\n";

struct app {
	const char *path;
	int fd;
	uint64_t nr;	/* extents */
	size_t size;
	char *place;	/* aligned, reserved */
	bool mapped;
	bool pinned;	/* some extents cannot be made huge */
	int pipes[2];
	pid_t children[NR_MAPPERS];
	int pagemap;
	int kpageflags;
	struct latency *latency;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void die(const char *what)
{
	fprintf(stderr, "recovery-app: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void sleep_ms(unsigned long ms)
{
	struct timespec ts = {
		.tv_sec = (time_t) (ms / 1000),
		.tv_nsec = (long) (ms % 1000) * 1000000,
	};

	nanosleep(&ts, NULL);
}

static char *extent_at(const struct app *app, uint64_t index)
{
	return app->place + index * EXTENT;
}

static bool is_pinned(const struct app *app, uint64_t index)
{
	return app->pinned && index % PIN_STEP == 0;
}

/* ---- the mapping ---- */

static void reserve(struct app *app)
{
	char *at = mmap(NULL, app->size + EXTENT, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	app->place = (char *) (((uintptr_t) at + EXTENT - 1) / EXTENT * EXTENT);
}

static void unmap(struct app *app)
{
	if (app->mapped &&
	    mmap(app->place, app->size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		die("mmap");
	app->mapped = false;
}

static void map(struct app *app)
{
	if (app->mapped)
		return;
	if (mmap(app->place, app->size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, app->fd, 0) == MAP_FAILED)
		die("mmap");
	app->mapped = true;
}

/* khugepaged gets to know of the mapping by the second call. */
static void show_to_khugepaged(struct app *app)
{
	madvise(app->place, app->size, MADV_HUGEPAGE);
	madvise(app->place, app->size, MADV_HUGEPAGE);
}

static void populate(struct app *app)
{
	volatile char *at = app->place;

	if (!madvise(app->place, app->size, MADV_POPULATE_READ))
		return;
	for (size_t i = 0; i < app->size; i += PAGE)
		(void) at[i];
}

/* ---- what the kernel has made of it ---- */

/* There are no large folios but whole extents on a mount with huge=advise. */
static bool is_huge(const struct app *app, uint64_t index)
{
	volatile char *at = extent_at(app, index);
	uint64_t entry, flags;

	(void) *at;
	if (pread(app->pagemap, &entry, 8, (uintptr_t) at / PAGE * 8) != 8)
		die("pagemap");
	entry &= (UINT64_C(1) << 55) - 1;
	if (!entry || entry % HUGETMPFS_EXTENT_PAGES)
		return false;
	if (pread(app->kpageflags, &flags, 8, (off_t) entry * 8) != 8)
		die("kpageflags");
	return flags & 1 << 22 && flags & 1 << 15; /* THP, COMPOUND_HEAD */
}

static void extents_ask(const struct app *app, unsigned long request,
			uint64_t first, struct hugetmpfs_ioc_extents *extents)
{
	uint64_t left = app->nr - first;

	memset(extents, 0, offsetof(struct hugetmpfs_ioc_extents, extents));
	extents->first = first;
	extents->nr = left < HUGETMPFS_IOC_EXTENTS ? (uint32_t) left
						   : HUGETMPFS_IOC_EXTENTS;
	if (ioctl(app->fd, request, extents))
		die("ioctl");
}

static void count(const struct app *app, uint64_t *huge, uint64_t *swapped)
{
	static struct hugetmpfs_ioc_extents extents;

	*huge = *swapped = 0;
	for (uint64_t first = 0; first < app->nr; first += extents.nr) {
		extents_ask(app, HUGETMPFS_IOC_MAP, first, &extents);
		for (uint32_t i = 0; i < extents.nr; i++) {
			*huge += extents.extents[i].state == HUGETMPFS_HUGE;
			*swapped += extents.extents[i].swapped_pages;
		}
	}
}

/* ---- breaking it up ---- */

static void mend(struct app *app)
{
	for (int i = 0; i < NR_MAPPERS; i++) {
		if (!app->children[i])
			continue;
		kill(app->children[i], SIGKILL);
		waitpid(app->children[i], NULL, 0);
		app->children[i] = 0;
	}
	for (int i = 0; i < 2; i++) {
		if (app->pipes[i] >= 0)
			close(app->pipes[i]);
		app->pipes[i] = -1;
	}
	app->pinned = false;
}

/* All of it anew, in small pages. */
static void write_small(struct app *app)
{
	static uint64_t buffer[65536 / 8];

	if (ftruncate(app->fd, 0) || ftruncate(app->fd, (off_t) app->size))
		die("ftruncate");
	for (size_t at = 0; at < app->size; at += sizeof(buffer)) {
		for (size_t i = 0; i < 65536 / 8; i += PAGE / 8)
			buffer[i] = at + i + 1;
		if (pwrite(app->fd, buffer, sizeof(buffer), (off_t) at) !=
		    (ssize_t) sizeof(buffer))
			die("write");
	}
}

/* The kernel may leave some in at first. */
static void page_out(struct app *app, bool half)
{
	size_t bytes = half ? EXTENT / 2 : EXTENT;
	uint64_t huge, swapped;

	for (int tries = 0; tries < 20; tries++) {
		for (uint64_t i = 0; i < app->nr; i++)
			madvise(extent_at(app, i), bytes, MADV_PAGEOUT);
		count(app, &huge, &swapped);
		if (swapped >= app->nr * (bytes / PAGE))
			break;
		sleep_ms(50);
		if (half)
			continue;
		populate(app);
	}
}

static void punch(struct app *app)
{
	for (size_t at = 0; at < app->size; at += PUNCH_STEP * PAGE)
		if (fallocate(app->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t) at, PAGE))
			die("fallocate");
}

static void start_mappers(struct app *app)
{
	for (int i = 0; i < NR_MAPPERS; i++) {
		int ready[2];
		char byte;

		if (pipe(ready))
			die("pipe");
		app->children[i] = fork();
		if (app->children[i] < 0)
			die("fork");
		if (app->children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			populate(app);
			close(ready[0]);
			close(ready[1]);
			for (;;)
				pause();
		}
		close(ready[1]);
		if (read(ready[0], &byte, 1) < 0)
			die("read");
		close(ready[0]);
	}
}

/* A page in a pipe is held until it is read. */
static void pin(struct app *app)
{
	uint64_t nr = (app->nr + PIN_STEP - 1) / PIN_STEP;

	if (pipe(app->pipes) ||
	    fcntl(app->pipes[1], F_SETPIPE_SZ, (int) (nr * PAGE)) < 0)
		die("pipe");
	for (uint64_t i = 0; i < app->nr; i += PIN_STEP) {
		struct iovec vector = { extent_at(app, i) + 7 * PAGE, PAGE };

		if (vmsplice(app->pipes[1], &vector, 1, 0) != (ssize_t) PAGE)
			die("vmsplice");
	}
	app->pinned = true;
}

static void prepare(struct app *app, const char *kind)
{
	uint64_t huge, swapped, can = 0;

	/* khugepaged, that may still be at work, does not know a new mapping */
	mend(app);
	unmap(app);
	write_small(app);
	map(app);
	populate(app);
	if (!strcmp(kind, "half_swapped"))
		page_out(app, true);
	else if (!strcmp(kind, "swapped"))
		page_out(app, false);
	else if (!strcmp(kind, "punched"))
		punch(app);
	else if (!strcmp(kind, "mappers"))
		start_mappers(app);
	else if (!strcmp(kind, "pinned"))
		pin(app);
	else if (!strcmp(kind, "unmapped"))
		unmap(app);
	for (uint64_t i = 0; i < app->nr; i++)
		can += !is_pinned(app, i);
	count(app, &huge, &swapped);
	say("prepared %llu %llu", (unsigned long long) can,
	    (unsigned long long) swapped);
}

static void access_start(struct app *app)
{
	map(app);
	if (latency_start(app->latency, app->place, app->size))
		die("latency");
	say("access");
}

static void access_stop(struct app *app)
{
	uint64_t count = latency_stop(app->latency);

	say("accessed %llu %llu %llu %llu", (unsigned long long) count,
	    (unsigned long long) latency_ns(app->latency, 0.5),
	    (unsigned long long) latency_ns(app->latency, 0.99),
	    (unsigned long long) latency_ns(app->latency, 0.999));
}

/* ---- putting it together ---- */

struct loop {
	const struct app *app;
	bool populates;
	_Atomic uint64_t next;
};

static void *loop_thread(void *arg)
{
	struct loop *loop = arg;
	const struct app *app = loop->app;
	uint64_t index;

	while ((index = atomic_fetch_add(&loop->next, 1)) < app->nr) {
		if (loop->populates)
			madvise(extent_at(app, index), EXTENT,
				MADV_POPULATE_READ);
		/* a failure shows in what is huge after */
		madvise(extent_at(app, index), EXTENT, MADV_COLLAPSE);
	}
	return NULL;
}

static void loop(struct app *app, unsigned long nr_threads, bool populates)
{
	struct loop loop = { .app = app, .populates = populates };
	pthread_t threads[MAX_THREADS];

	map(app);
	if (nr_threads > MAX_THREADS)
		nr_threads = MAX_THREADS;
	for (unsigned long i = 0; i < nr_threads; i++)
		if (pthread_create(&threads[i], NULL, loop_thread, &loop))
			die("pthread_create");
	for (unsigned long i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
}

static void *request(void *arg)
{
	static struct hugetmpfs_ioc_extents extents;
	const struct app *app = arg;

	for (uint64_t first = 0; first < app->nr; first += extents.nr)
		extents_ask(app, HUGETMPFS_IOC_RECOVER, first, &extents);
	return NULL;
}

/* Progress goes upwards mostly, so the last tell that it is all over. */
static bool all_huge(const struct app *app, uint64_t *left)
{
	while (*left && (is_pinned(app, *left - 1) || is_huge(app, *left - 1)))
		(*left)--;
	return !*left;
}

/*
 * Returns when the last was seen to become huge, or the limit. Accesses count from when the
 * first did.
 */
static uint64_t watch(struct app *app, uint64_t start_ns, uint64_t stall_ms,
		      uint64_t limit_ms)
{
	uint64_t left = app->nr, before = 0, nr = 0, looked_ns = start_ns;
	uint64_t progress_ns = start_ns, now = start_ns;
	bool begun = false;

	while (!all_huge(app, &left) && now - start_ns < limit_ms * 1000000 &&
	       now - progress_ns < stall_ms * 1000000) {
		sleep_ms(1);
		now = clock_now_ns();
		if (!begun && is_huge(app, app->pinned)) {
			begun = true;
			latency_forget(app->latency);
		}
		if (now - looked_ns < 50000000)
			continue;
		looked_ns = now;
		nr = 0;
		for (uint64_t i = 0; i < app->nr; i++)
			nr += is_huge(app, i);
		if (nr > before)
			progress_ns = now;
		before = nr;
	}
	return left && nr && now - start_ns < limit_ms * 1000000 ? progress_ns
								 : clock_now_ns();
}

/* It goes on trying pinned ones: returns when the others were huge. */
static uint64_t request_watched(struct app *app, uint64_t start_ns)
{
	pthread_t thread;
	uint64_t end_ns;

	if (pthread_create(&thread, NULL, request, app))
		die("pthread_create");
	end_ns = watch(app, start_ns, 5000, 60000);
	pthread_join(thread, NULL);
	return end_ns;
}

/* One page of each extent, as an application would that wakes up. */
static void touch(struct app *app)
{
	volatile char *place = app->place;

	for (uint64_t i = 0; i < app->nr; i++)
		(void) place[i * EXTENT];
}

static void write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

/* ---- commands ---- */

/* Whatever takes time; false when it is no such command. */
static bool act(struct app *app, const char *word, unsigned long a,
		unsigned long b, const char *path, const char *value)
{
	uint64_t start_ns = clock_now_ns(), end_ns = 0, huge, swapped;

	if (!strcmp(word, "loop"))
		loop(app, a ? a : 1, false);
	else if (!strcmp(word, "populate"))
		loop(app, a ? a : 1, true);
	else if (!strcmp(word, "request") && app->pinned)
		end_ns = request_watched(app, start_ns);
	else if (!strcmp(word, "request"))
		request(app);
	else if (!strcmp(word, "rest"))
		sleep_ms(a);
	else if (!strcmp(word, "storm"))
		touch(app);
	else if (strcmp(word, "watch"))
		return false;
	if (!strcmp(word, "watch") || !strcmp(word, "storm")) {
		if (*path) {
			show_to_khugepaged(app);
			write_file(path, value);
		}
		end_ns = watch(app, start_ns, a, b);
	}
	if (!end_ns)
		end_ns = clock_now_ns();
	latency_stop(app->latency);
	count(app, &huge, &swapped);
	say("did %llu %llu", (unsigned long long) (end_ns - start_ns),
	    (unsigned long long) huge);
	return true;
}

/* Obeys one line; false ends the program. */
static bool obey(struct app *app, const char *line)
{
	char word[16] = "", path[256] = "", value[32] = "";
	unsigned long a = 0, b = 0;

	if (sscanf(line, "prepare %31s", value) == 1) {
		prepare(app, value);
		return true;
	}
	if (sscanf(line, "%15s %lu %lu %255s %31s", word, &a, &b, path,
		   value) < 1 || act(app, word, a, b, path, value))
		return true;
	if (!strcmp(word, "access"))
		access_start(app);
	else if (!strcmp(word, "stop"))
		access_stop(app);
	else if (!strcmp(word, "quit"))
		return false;
	else
		say("unknown %s", word);
	return true;
}

int main(int argc, char **argv)
{
	static struct app app = { .pipes = { -1, -1 } };
	char line[512];

	if (argc != 3 || !(app.nr = strtoul(argv[2], NULL, 10))) {
		fputs(usage_text, stderr);
		return 1;
	}
	app.path = argv[1];
	app.size = app.nr * EXTENT;
	app.fd = open(app.path, O_RDWR | O_CREAT, 0644);
	if (app.fd < 0)
		die(app.path);
	app.pagemap = open("/proc/self/pagemap", O_RDONLY);
	app.kpageflags = open("/proc/kpageflags", O_RDONLY);
	if (app.pagemap < 0 || app.kpageflags < 0)
		die("page flags");
	app.latency = latency_new();
	if (!app.latency)
		die("latency");
	reserve(&app);
	say("ready");
	while (fgets(line, sizeof(line), stdin) && obey(&app, line))
		;
	latency_free(app.latency);
	mend(&app);
	return 0;
}

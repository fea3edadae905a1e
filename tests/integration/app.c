/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An application that maps a file and stays there: it takes one command a line
 * on standard input and answers each with one line, so that a script sees what
 * recovery does to somebody who knows nothing of it. See usage().
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096UL
#define EXTENT (2UL << 20)
#define PAGES  (EXTENT / PAGE)

static const char usage_text[] =
	"usage: app [-a | -m] [-p] [-s BYTES] FILE\n"
	"  -a  map it aligned to 2 MiB, whatever the kernel would do\n"
	"  -m  map it one page off that alignment\n"
	"  -p  map it private\n"
	"  -s  create it with this size\n"
	"Answers \"ready SIZE ADDRESS\", then obeys commands on its input:\n"
	"  checksum         of the content -> checksum HEX\n"
	"  access [COUNT]   reads at random places -> access_ns MEAN\n"
	"  fill SEED        stores random bytes everywhere\n"
	"  store OFFSET VALUE, load OFFSET\n"
	"  touch            reads a byte of each page\n"
	"  pageout          asks the kernel to swap all of it out\n"
	"  pin OFFSET, unpin   a page is held by a pipe\n"
	"  pages            one letter an extent, from the page flags: H one\n"
	"                   huge page, s smaller pages, m not all there, -\n"
	"  pmd              -> pmd BYTES mapped by huge entries\n"
	"  fork             a child that shares the mapping -> fork PID\n"
	"  quit\n";

struct app {
	const char *path;
	int fd;
	size_t size;
	unsigned char *map;
	int protection;
	int flags;
	size_t off_by;		/* bytes off the alignment; EXTENT: any place */
	int pipes[2];
	pid_t child;
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
	fprintf(stderr, "app: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A place for the mapping, at the given distance from 2 MiB alignment. */
static void *place(const struct app *app)
{
	size_t room = app->size + 2 * EXTENT;
	char *at = mmap(NULL, room, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return (void *) (((uintptr_t) at + EXTENT - 1) / EXTENT * EXTENT +
			 app->off_by);
}

static void map_file(struct app *app, off_t create_bytes)
{
	struct stat st;
	void *at = NULL;

	app->fd = open(app->path, O_RDWR | (create_bytes ? O_CREAT : 0), 0644);
	if (app->fd < 0 || (create_bytes && ftruncate(app->fd, create_bytes)) ||
	    fstat(app->fd, &st))
		die(app->path);
	app->size = st.st_size;
	if (app->off_by != EXTENT)
		at = place(app);
	app->map = mmap(at, app->size, app->protection,
			app->flags | (at ? MAP_FIXED : 0), app->fd, 0);
	if (app->map == MAP_FAILED)
		die("mmap");
	close(app->fd);
}

/* FNV-1a over words: fast enough for gigabytes, and every bit counts. */
static uint64_t checksum(const struct app *app)
{
	uint64_t hash = 0xcbf29ce484222325, word;
	size_t at;

	for (at = 0; at + sizeof(word) <= app->size; at += sizeof(word)) {
		memcpy(&word, app->map + at, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	for (; at < app->size; at++)
		hash = (hash ^ app->map[at]) * 0x100000001b3;
	return hash;
}

/* Each address depends on the byte before, as in a chain of pointers. */
static double access_ns(const struct app *app, size_t count)
{
	uint64_t state = 88172645463325252, sum = 0;
	double start = now_ns();

	for (size_t i = 0; i < count; i++) {
		state += sum & 1;
		sum += *(volatile unsigned char *)
				(app->map + next_random(&state) % app->size);
	}
	return (now_ns() - start) / count;
}

static void fill(struct app *app, uint64_t seed)
{
	uint64_t state = seed * 2 + 0x9e3779b97f4a7c15, word;
	size_t at;

	for (at = 0; at + sizeof(word) <= app->size; at += sizeof(word)) {
		word = next_random(&state);
		memcpy(app->map + at, &word, sizeof(word));
	}
	for (; at < app->size; at++)
		app->map[at] = next_random(&state);
}

static unsigned touch(const struct app *app)
{
	unsigned sum = 0;

	for (size_t at = 0; at < app->size; at += PAGE)
		sum += *(volatile unsigned char *) (app->map + at);
	return sum;
}

static int pin(struct app *app, size_t offset)
{
	struct iovec vector = { app->map + offset / PAGE * PAGE, PAGE };

	if (offset >= app->size || app->pipes[0] >= 0 || pipe(app->pipes))
		return -1;
	return vmsplice(app->pipes[1], &vector, 1, 0) == PAGE ? 0 : -1;
}

static void unpin(struct app *app)
{
	if (app->pipes[0] < 0)
		return;
	close(app->pipes[0]);
	close(app->pipes[1]);
	app->pipes[0] = app->pipes[1] = -1;
}

/* Frame numbers of the pages of an extent, 0 where nothing is mapped. */
static void frames_of(int pagemap, const unsigned char *at, size_t nr,
		      uint64_t *frames)
{
	size_t size = nr * sizeof(*frames);

	if (pread(pagemap, frames, size, (uintptr_t) at / PAGE * 8) !=
	    (ssize_t) size)
		die("pagemap");
	for (size_t i = 0; i < nr; i++)
		frames[i] = frames[i] >> 63 ? frames[i] & ((1UL << 55) - 1) : 0;
}

/*
 * One huge page is one head, in the first place, and tails behind it, all of
 * them in a row: contiguous pages of smaller folios are not.
 */
static char state_of(int flags_fd, const uint64_t *frames, size_t nr)
{
	const uint64_t head = 1 << 15, tail = 1 << 16;
	size_t present = 0, heads = 0, tails = 0, row = 0;
	uint64_t flags;

	for (size_t i = 0; i < nr; i++) {
		if (!frames[i])
			continue;
		present++;
		row += frames[i] == frames[0] + i;
		if (pread(flags_fd, &flags, 8, frames[i] * 8) != 8)
			die("kpageflags");
		heads += (flags & head) != 0;
		tails += (flags & tail) != 0;
		if (i == 0 && !(flags & head))
			heads += PAGES;
	}
	if (present == 0)
		return '-';
	if (present == nr && row == nr && heads == 1 && tails == nr - 1)
		return 'H';
	return present == nr ? 's' : 'm';
}

static void say_pages(const struct app *app)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	int flags = open("/proc/kpageflags", O_RDONLY);
	uint64_t frames[PAGES];

	if (pagemap < 0 || flags < 0)
		die("page flags");
	printf("pages ");
	for (size_t at = 0; at < app->size; at += EXTENT) {
		size_t nr = (app->size - at + PAGE - 1) / PAGE;

		nr = nr < PAGES ? nr : PAGES;
		frames_of(pagemap, app->map + at, nr, frames);
		putchar(state_of(flags, frames, nr));
	}
	say("%s", "");
	close(pagemap);
	close(flags);
}

/* ShmemPmdMapped of our mapping alone, from smaps. */
static size_t pmd_bytes(const struct app *app)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kib, sum = 0;
	bool ours = false;
	char line[4608];

	if (!smaps)
		die("smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			ours = start >= (uintptr_t) app->map &&
			       end <= (uintptr_t) app->map + app->size + PAGE;
		else if (ours &&
			 sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
			sum += kib * 1024;
	}
	fclose(smaps);
	return sum;
}

static pid_t fork_child(struct app *app)
{
	app->child = fork();
	if (app->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		touch(app);
		for (;;)
			pause();
	}
	return app->child;
}

/* Obeys one line; false ends the program. */
static bool obey(struct app *app, const char *line)
{
	unsigned long a = 0, b = 0;
	char word[16] = "";

	if (sscanf(line, "%15s %li %li", word, (long *) &a, (long *) &b) < 1)
		return true;
	if (strcmp(word, "checksum") == 0)
		say("checksum %016llx", (unsigned long long) checksum(app));
	else if (strcmp(word, "access") == 0)
		say("access_ns %.2f", access_ns(app, a ? a : 2000000));
	else if (strcmp(word, "fill") == 0)
		fill(app, a), say("fill %lu", a);
	else if (strcmp(word, "store") == 0 && a < app->size)
		app->map[a] = b, say("store %lu", a);
	else if (strcmp(word, "load") == 0 && a < app->size)
		say("load %u", app->map[a]);
	else if (strcmp(word, "touch") == 0)
		say("touch %u", touch(app));
	else if (strcmp(word, "pageout") == 0)
		say("pageout %d", madvise(app->map, app->size, MADV_PAGEOUT));
	else if (strcmp(word, "pin") == 0)
		say("pin %d", pin(app, a));
	else if (strcmp(word, "unpin") == 0)
		unpin(app), say("unpin");
	else if (strcmp(word, "pages") == 0)
		say_pages(app);
	else if (strcmp(word, "pmd") == 0)
		say("pmd %zu", pmd_bytes(app));
	else if (strcmp(word, "fork") == 0)
		say("fork %d", fork_child(app));
	else if (strcmp(word, "quit") == 0)
		return false;
	else
		say("error: %s", line);
	return true;
}

int main(int argc, char **argv)
{
	struct app app = { .protection = PROT_READ | PROT_WRITE,
			   .flags = MAP_SHARED, .off_by = EXTENT,
			   .pipes = { -1, -1 } };
	off_t create_bytes = 0;
	char line[256];
	int c;

	while ((c = getopt(argc, argv, "amps:")) != -1) {
		switch (c) {
		case 'a': app.off_by = 0; break;
		case 'm': app.off_by = PAGE; break;
		case 'p': app.flags = MAP_PRIVATE; break;
		case 's': create_bytes = atoll(optarg); break;
		default: optind = argc + 1;
		}
	}
	if (optind != argc - 1) {
		fputs(usage_text, stderr);
		return 1;
	}
	app.path = argv[optind];
	map_file(&app, create_bytes);
	say("ready %zu %p", app.size, (void *) app.map);
	while (fgets(line, sizeof(line), stdin) && obey(&app, line))
		;
	if (app.child > 0)
		kill(app.child, SIGTERM);
	return 0;
}

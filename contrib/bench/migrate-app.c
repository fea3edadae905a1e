/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What contrib/bench/migrate measures with: an application that has a file of a
 * hugetmpfs mount mapped, puts its pages on a NUMA node, and has them moved to
 * another, by the kernel's own means or by the mount. It obeys one command a
 * line on standard input and answers each with one line. See usage_text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "base/clock.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGE	  4096UL
#define EXTENT	  HUGETMPFS_EXTENT_BYTES
#define NODE_BITS 1024

static const char usage_text[] =
	"usage: migrate-app FILE EXTENTS\n"
	"  prepare KIND NODE     all of it anew on the node, KIND huge or small\n"
	"                        -> prepared OFF\n"
	"  loop KIND NODE BATCH  move_pages(2) with so many pages a call, of a\n"
	"                        huge page the first\n"
	"  request NODE          asks the mount for recovery\n"
	"                        -> did NS OFF: nanoseconds, pages that are not\n"
	"                        on the node\n"
	"  quit\n";

struct app {
	int fd;
	size_t size;
	char *map; /* aligned to an extent */
};

/* Pages of it, one address each, as move_pages(2) wants them. */
struct pages {
	unsigned long nr;
	void **at;
	int *nodes;
	int *status;
};

static void die(const char *what)
{
	fprintf(stderr, "migrate-app: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void *room(size_t nr, size_t size)
{
	void *at = calloc(nr, size);

	if (!at)
		die("memory");
	return at;
}

static void pages_make(const struct app *app, struct pages *pages, size_t step,
		       int node)
{
	pages->nr = app->size / step;
	pages->at = room(pages->nr, sizeof(*pages->at));
	pages->nodes = room(pages->nr, sizeof(*pages->nodes));
	pages->status = room(pages->nr, sizeof(*pages->status));
	for (unsigned long i = 0; i < pages->nr; i++) {
		pages->at[i] = app->map + i * step;
		pages->nodes[i] = node;
	}
}

static void pages_free(struct pages *pages)
{
	free(pages->at);
	free(pages->nodes);
	free(pages->status);
}

/* By the kernel's word; what is not mapped is not there either. */
static unsigned long pages_off(const struct app *app, int node)
{
	unsigned long off = 0;
	struct pages pages;

	pages_make(app, &pages, PAGE, node);
	for (unsigned long i = 0; i < pages.nr; i++)
		(void) *(volatile char *) pages.at[i];
	if (syscall(SYS_move_pages, 0, pages.nr, pages.at, NULL, pages.status,
		    0))
		die("move_pages");
	for (unsigned long i = 0; i < pages.nr; i++)
		off += pages.status[i] != node;
	pages_free(&pages);
	return off;
}

/* What this process allocates from now on; -1: anywhere. */
static void allocate_on(int node)
{
	unsigned long mask[NODE_BITS / 64] = {0};

	if (node >= 0)
		mask[node / 64] = 1UL << node % 64;
	if (syscall(SYS_set_mempolicy, node >= 0 ? MPOL_BIND : MPOL_DEFAULT,
		    node >= 0 ? mask : NULL, node >= 0 ? NODE_BITS : 0))
		die("set_mempolicy");
}

/*
 * Where nothing of a whole GiB of addresses has ever been mapped, the kernel makes
 * the huge page, cannot map it for want of a table, and says EINVAL.
 */
static void collapse(char *at)
{
	(void) *(volatile char *) at;
	if (madvise(at, EXTENT, MADV_COLLAPSE))
		die("MADV_COLLAPSE");
}

static void prepare(const struct app *app, bool huge, int node)
{
	static uint64_t buffer[65536 / 8];

	allocate_on(node);
	if (ftruncate(app->fd, 0) || ftruncate(app->fd, (off_t) app->size))
		die("ftruncate");
	for (size_t at = 0; at < app->size; at += sizeof(buffer)) {
		for (size_t i = 0; i < 65536 / 8; i += PAGE / 8)
			buffer[i] = at + i + 1;
		if (pwrite(app->fd, buffer, sizeof(buffer), (off_t) at) !=
		    (ssize_t) sizeof(buffer))
			die("write");
	}
	for (size_t at = 0; huge && at < app->size; at += EXTENT)
		collapse(app->map + at);
	allocate_on(-1);
	printf("prepared %lu\n", pages_off(app, node));
}

static void say_did(const struct app *app, uint64_t ns, int node)
{
	printf("did %llu %lu\n", (unsigned long long) ns, pages_off(app, node));
}

static void loop(const struct app *app, bool huge, int node, unsigned long nr)
{
	struct pages pages;
	uint64_t start;

	pages_make(app, &pages, huge ? EXTENT : PAGE, node);
	start = clock_now_ns();
	for (unsigned long i = 0; i < pages.nr; i += nr) {
		if (nr > pages.nr - i)
			nr = pages.nr - i;
		/* what was not moved shows after */
		syscall(SYS_move_pages, 0, nr, pages.at + i, pages.nodes + i,
			pages.status + i, MPOL_MF_MOVE_ALL);
	}
	start = clock_now_ns() - start;
	pages_free(&pages);
	say_did(app, start, node);
}

static void request(const struct app *app, int node)
{
	static struct hugetmpfs_ioc_extents extents;
	uint64_t nr = app->size / EXTENT, start = clock_now_ns();

	for (uint64_t first = 0; first < nr; first += extents.nr) {
		memset(&extents, 0,
		       offsetof(struct hugetmpfs_ioc_extents, extents));
		extents.first = first;
		extents.nr = HUGETMPFS_IOC_EXTENTS;
		if (nr - first < extents.nr)
			extents.nr = (uint32_t) (nr - first);
		if (ioctl(app->fd, HUGETMPFS_IOC_RECOVER, &extents))
			die("ioctl");
	}
	say_did(app, clock_now_ns() - start, node);
}

/* Obeys one line; false ends the program. */
static bool obey(const struct app *app, const char *line)
{
	char word[16] = "", kind[16] = "";
	unsigned long nr = 0;
	int node = 0;

	sscanf(line, "%15s", word);
	if (sscanf(line, "prepare %15s %d", kind, &node) == 2) {
		prepare(app, !strcmp(kind, "huge"), node);
	} else if (sscanf(line, "loop %15s %d %lu", kind, &node, &nr) == 3 &&
		   nr) {
		loop(app, !strcmp(kind, "huge"), node, nr);
	} else if (sscanf(line, "request %d", &node) == 1) {
		request(app, node);
	} else if (!strcmp(word, "quit")) {
		return false;
	} else {
		printf("error: %s", line);
	}
	fflush(stdout);
	return true;
}

static void map(struct app *app, const char *path)
{
	char *at;

	app->fd = open(path, O_RDWR | O_CREAT, 0600);
	if (app->fd < 0 || ftruncate(app->fd, (off_t) app->size))
		die(path);
	at = mmap(NULL, app->size + EXTENT, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		die("mmap");
	app->map = (char *) (((uintptr_t) at + EXTENT - 1) / EXTENT * EXTENT);
	if (mmap(app->map, app->size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, app->fd, 0) == MAP_FAILED)
		die("mmap");
}

int main(int argc, char **argv)
{
	char line[128];
	struct app app;

	if (argc != 3 || atol(argv[2]) < 1) {
		fputs(usage_text, stderr);
		return 1;
	}
	app.size = (size_t) atol(argv[2]) * EXTENT;
	map(&app, argv[1]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && obey(&app, line))
		;
	return 0;
}

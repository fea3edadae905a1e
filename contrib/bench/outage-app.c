/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures how long nobody answers when the daemon of a mount is killed: makes
 * NR files in a folder, which the kernel then knows, and keeps some of them
 * open. Then it kills the daemon KILLS times, each time asks for a name that
 * nobody has asked for before, and prints the nanoseconds from before the kill
 * to after the answer, a line for each.
 *
 *	outage-app KEEPER DIRECTORY NR KILLS
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "integration/daemon.h"

#define NAME_BYTES 32
#define NR_OPEN	   1000 /* at most */
#define PAUSE_MS   250	/* for the next daemon to come to rest */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Some of the files stay open: every so-manyth. */
static void make_files(int dir, unsigned nr)
{
	unsigned step = nr < NR_OPEN ? 1 : nr / NR_OPEN;
	char name[NAME_BYTES];
	int fd;

	for (unsigned i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd = openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
			    0600);
		if (fd < 0)
			die(name);
		if (i % step)
			close(fd);
	}
}

static void ask(int dir, unsigned i)
{
	char name[NAME_BYTES];
	struct stat st;

	snprintf(name, sizeof(name), "m%u", i);
	if (!fstatat(dir, name, &st, 0) || errno != ENOENT)
		die(name);
}

/* Returns how long it took until there was an answer. */
static uint64_t outage_ns(int keeper, int dir, unsigned i)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	uint64_t begin_ns;
	pid_t pid;

	ask(dir, 2 * i);
	nanosleep(&pause, NULL);
	pid = daemon_of(keeper);
	if (!pid) {
		fprintf(stderr, "the daemon has died by itself\n");
		exit(1);
	}
	begin_ns = clock_now_ns();
	if (kill(pid, SIGKILL))
		die("kill");
	ask(dir, 2 * i + 1);
	begin_ns = clock_now_ns() - begin_ns;
	if (daemon_of(keeper) == pid) {
		fprintf(stderr, "the daemon was killed and has answered\n");
		exit(1);
	}
	return begin_ns;
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!value || *end || value > 100000000) {
		fprintf(stderr, "not a number above 0: %s\n", text);
		exit(1);
	}
	return (unsigned) value;
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 2 * NR_OPEN, 2 * NR_OPEN };
	unsigned nr, kills;
	int keeper, dir;

	if (argc != 5) {
		fprintf(stderr, "usage: outage-app KEEPER DIRECTORY NR KILLS\n");
		return 1;
	}
	keeper = (int) number(argv[1]);
	nr = number(argv[3]);
	kills = number(argv[4]);
	setrlimit(RLIMIT_NOFILE, &limit);
	dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(argv[2]);
	make_files(dir, nr);
	for (unsigned i = 0; i < kills; i++) {
		printf("%llu\n",
		       (unsigned long long) outage_ns(keeper, dir, i));
		fflush(stdout);
	}
	return 0;
}

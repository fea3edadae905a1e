/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each operation, with each call of the daemon failing once that wants memory or
 * a thread; judged as in faults.c.
 *
 *	faults-memory KEEPER DIRECTORY FILE
 *
 * FILE is the one that tells the daemon what is to fail (fake/memory.h).
 */
#include "faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "fake/memory.h"
#include "takeover.h"

#define HANG_US 30000000

static struct {
	pid_t daemon;
	struct memory *memory;
} me;

/* Whether one of the daemon's threads runs, or waits for a device. */
static bool is_busy(void)
{
	char path[400], state;
	struct dirent *entry;
	bool busy = false;
	DIR *stream;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", (int) me.daemon);
	stream = opendir(path);
	while (stream && !busy && (entry = readdir(stream))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat",
			 (int) me.daemon, entry->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1)
			busy = state != 'S';
		if (file)
			fclose(file);
	}
	if (stream)
		closedir(stream);
	return busy;
}

/* What the kernel asks for after an operation has ended is part of it. */
static void wait_until_quiet(void)
{
	uint64_t until = takeover_now_us() + HANG_US;

	while (is_busy() || is_busy()) {
		if (takeover_now_us() > until)
			faults_fail("it goes on and on");
		usleep(100);
	}
}

static int wait_for(pid_t pid)
{
	uint64_t until = takeover_now_us() + HANG_US;
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (takeover_now_us() > until)
			faults_fail("it hangs");
		usleep(50);
	}
	return status;
}

static bool carry_out(int (*phase)(unsigned), unsigned operation, int nth,
		      int *status)
{
	uint64_t before = me.memory->nr_failed;

	if (nth != FAULTS_NEVER) {
		wait_until_quiet();
		me.memory->left = (uint64_t) nth + 1;
	}
	*status = wait_for(faults_begin(phase, operation));
	if (nth != FAULTS_NEVER)
		wait_until_quiet();
	me.memory->left = 0;
	if (me.memory->nr_failed == before)
		return false;
	faults_note("%s at %#llx (call %d)", me.memory->name,
		    (unsigned long long) me.memory->caller, nth);
	return true;
}

static int open_memory(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	me.memory = mmap(NULL, sizeof(*me.memory), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	close(fd);
	return me.memory == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
	pid_t keeper;
	int status;

	if (argc != 4)
		return 2;
	keeper = atoi(argv[1]);
	if (open_memory(argv[3]) || chdir(argv[2])) {
		perror(argv[0]);
		return 1;
	}
	umask(0);
	me.memory->who = MEMORY_DAEMON;
	faults_with_control = true;
	me.daemon = daemon_of(keeper);
	status = faults_run_all(carry_out, 1);
	if (daemon_of(keeper) != me.daemon) {
		fprintf(stderr, "the daemon has ended meanwhile\n");
		return 1;
	}
	return status || chdir("/") || !takeover_tables_are_empty(keeper);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA nodes the threads of a process run. /proc/PID/task/TID/stat
 * names the CPU that each ran on last, which is as good an answer as any for
 * one that sleeps. Of many threads only some are asked, at even distances in
 * the list, because neighbours there are often of a kind. None of it wants the
 * mmap lock of the process.
 */
#include "mm/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Threads of one process that are asked. */
#define MM_THREADS 64

/* Blanks in stat from the name of the program, in brackets, to the CPU. */
#define MM_THREADS_BLANKS 37

/* The CPU, or a negative errno when the thread is gone. */
static int mm_thread_cpu(pid_t pid, const char *tid)
{
	char path[300], text[2048], *at;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int) pid, tid);
	ret = mm_read_text(path, text, sizeof(text));
	if (ret)
		return ret == -ENOENT ? -ESRCH : ret;
	/* a name may have brackets and blanks in it */
	at = strrchr(text, ')');
	for (int i = 0; at && i < MM_THREADS_BLANKS; i++)
		at = strchr(at + 1, ' ');
	return at ? (int) strtol(at, NULL, 10) : -EPROTO;
}

/* About how many threads there are. */
static unsigned mm_threads_count(DIR *task)
{
	struct stat st;

	if (fstat(dirfd(task), &st) || st.st_nlink <= 2)
		return 1;
	return (unsigned) st.st_nlink - 2;
}

/*
 * CPUs of one thread out of step, into cpus. Returns their number, or a negative
 * errno when one could not be asked that is not gone.
 */
static int mm_threads_ask(pid_t pid, DIR *task, unsigned step, int *cpus)
{
	struct dirent *entry;
	unsigned at = 0;
	int cpu, nr = 0;

	while (nr < MM_THREADS && (entry = readdir(task))) {
		if (!isdigit((unsigned char) entry->d_name[0]) ||
		    at++ % step != 0)
			continue;
		cpu = mm_thread_cpu(pid, entry->d_name);
		if (cpu >= 0)
			cpus[nr++] = cpu;
		else if (cpu != -ESRCH)
			return cpu;
	}
	return nr;
}

int mm_mapper_nodes(void *context, pid_t pid, uint32_t *threads,
		    unsigned nr_nodes)
{
	int cpus[MM_THREADS], nids[MM_THREADS], ret;
	struct nodeset allowed;
	unsigned step;
	char path[64];
	DIR *task;
	int nr;

	memset(threads, 0, nr_nodes * sizeof(*threads));
	snprintf(path, sizeof(path), "/proc/%d/task", (int) pid);
	task = opendir(path);
	if (!task)
		return errno == ENOENT ? -ESRCH : -errno;
	step = (mm_threads_count(task) + MM_THREADS - 1) / MM_THREADS;
	nr = mm_threads_ask(pid, task, step, cpus);
	closedir(task);
	if (nr <= 0)
		return nr ? nr : -ESRCH;
	ret = mm_nodes_allowed(context, pid, &allowed);
	if (!ret)
		ret = mm_nodes_of_cpus(cpus, (unsigned) nr, nids);
	for (int i = 0; !ret && i < nr; i++) {
		if (nodeset_has(&allowed, nids[i]) &&
		    nids[i] < (int) nr_nodes)
			threads[nids[i]] += step;
	}
	return ret ? ret : nr * (int) step;
}

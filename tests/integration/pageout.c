/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pageout PID: has the kernel put out of memory whatever of a process is not
 * locked there.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/uio.h>

int main(int argc, char **argv)
{
	unsigned long long start, end;
	char path[48], line[512];
	int pid = argc == 2 ? atoi(argv[1]) : 0;
	int pidfd = pidfd_open(pid, 0);
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (pidfd < 0 || !maps) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), maps)) {
		struct iovec range;

		if (sscanf(line, "%llx-%llx r", &start, &end) != 2)
			continue;
		range.iov_base = (void *) (uintptr_t) start;
		range.iov_len = end - start;
		/* what is locked, and the kernel's own, it refuses */
		if (process_madvise(pidfd, &range, 1, MADV_PAGEOUT, 0) < 0 &&
		    (errno == EPERM || errno == ESRCH)) {
			perror("process_madvise");
			return 1;
		}
	}
	fclose(maps);
	return 0;
}

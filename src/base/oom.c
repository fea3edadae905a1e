/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/PID/oom_score_adj. It is handed down to whatever a process starts, and
 * everybody may raise it.
 */
#include "base/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char before[16]; /* as text; empty: not known */

/* Only system calls. */
static int write_own(const char *text)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int oom_score_of(pid_t pid, int *score)
{
	char path[48], text[16];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
	if (!pid)
		strcpy(path, "/proc/self/oom_score_adj");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return -EIO;
	text[length] = '\0';
	*score = atoi(text);
	return 0;
}

int oom_protect(int score)
{
	char text[16];
	int now, ret;

	ret = oom_score_of(0, &now);
	if (ret)
		return ret;
	/* a service may be protected from the beginning: that is for us alone */
	snprintf(before, sizeof(before), "%d", now < 0 ? 0 : now);
	if (now <= score)
		return 0;
	snprintf(text, sizeof(text), "%d", score);
	return write_own(text);
}

void oom_unprotect(void)
{
	if (before[0])
		write_own(before);
}

void oom_offer(void)
{
	write_own("1000"); /* OOM_SCORE_FIRST */
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring of steps. Its lock is held for copies only and comes after the
 * engine's.
 */
#include "recovery/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "recovery/internal.h"

int recovery_trace_begin(struct recovery *recovery, uint64_t *cursor)
{
	struct recovery_trace *trace = &recovery->trace;
	int ret = 0;

	pthread_mutex_lock(&trace->lock);
	if (atomic_load(&trace->readers) == RECOVERY_TRACE_READERS)
		ret = -EBUSY;
	if (!ret && !trace->events) {
		trace->events = calloc(RECOVERY_TRACE_EVENTS,
				       sizeof(*trace->events));
		ret = trace->events ? 0 : -ENOMEM;
	}
	*cursor = trace->next;
	if (!ret)
		atomic_fetch_add(&trace->readers, 1);
	pthread_mutex_unlock(&trace->lock);
	return ret;
}

void recovery_trace_end(struct recovery *recovery)
{
	struct recovery_trace *trace = &recovery->trace;

	pthread_mutex_lock(&trace->lock);
	if (atomic_fetch_sub(&trace->readers, 1) == 1) {
		free(trace->events);
		trace->events = NULL;
	}
	pthread_mutex_unlock(&trace->lock);
}

size_t recovery_trace_read(struct recovery *recovery, uint64_t *cursor,
			   struct recovery_trace_event *events, size_t max,
			   uint64_t *lost)
{
	struct recovery_trace *trace = &recovery->trace;
	size_t nr = 0;

	*lost = 0;
	pthread_mutex_lock(&trace->lock);
	if (trace->next - *cursor > RECOVERY_TRACE_EVENTS) {
		*lost = trace->next - *cursor - RECOVERY_TRACE_EVENTS;
		*cursor += *lost;
	}
	while (nr < max && *cursor < trace->next)
		events[nr++] = trace->events[(*cursor)++ %
					     RECOVERY_TRACE_EVENTS];
	pthread_mutex_unlock(&trace->lock);
	return nr;
}

static uint64_t recovery_trace_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

void recovery_trace_add(struct recovery *recovery,
			struct recovery_trace_event *event)
{
	struct recovery_trace *trace = &recovery->trace;

	if (!recovery_is_traced(recovery))
		return;
	event->time_ns = recovery_trace_now_ns();
	pthread_mutex_lock(&trace->lock);
	/* the last reader may just have gone */
	if (trace->events)
		trace->events[trace->next++ % RECOVERY_TRACE_EVENTS] = *event;
	pthread_mutex_unlock(&trace->lock);
}

void recovery_trace_path(struct recovery *recovery, uint64_t ino, char *path,
			 size_t path_bytes)
{
	const struct recovery_config *config = &recovery->config;
	char link[64];
	struct stat st;
	ssize_t n = -1;
	int fd = -1;

	if (config->open_ino)
		fd = config->open_ino(config->files_arg, ino,
				      O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (!fstat(fd, &st) && st.st_nlink)
			n = readlink(link, path, path_bytes - 1);
		close(fd);
	}
	/* what cannot be reached from the root has no path either */
	if (n < 0 || (size_t) n == path_bytes - 1 || path[0] != '/')
		n = 0;
	path[n] = '\0';
}

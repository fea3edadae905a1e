/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log sink: one line a message, to standard error or to syslog.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/syslog.h"

/* How long a line for standard error waits for room. */
#define STDERR_MS 200

static log_sink_fn *sink = log_sink_stderr;
static atomic_uint debug_mask;

static const int priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static const char *const mask_names[] = {
#define X(constant, name) [LOG_MASK_BIT_##constant] = name,
	LOG_MASKS(X)
#undef X
};

void log_set_sink(log_sink_fn *new_sink)
{
	sink = new_sink;
}

/*
 * Whether systemd's journal is there, which names the service itself and takes
 * the level from the beginning of a line. It has said which file that is.
 */
static bool is_journal(int fd)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(fd, &st) && st.st_dev == dev && st.st_ino == ino;
}

/*
 * One write a line, so that lines of threads do not mix. Nobody waits for long
 * for a terminal that was stopped, or a pipe whose reader may wait for us.
 */
static void write_stderr(enum log_level level, const char *line)
{
	static const char *const prefixes[] = {
		[LOG_LEVEL_ERROR] = "",
		[LOG_LEVEL_WARNING] = "warning: ",
		[LOG_LEVEL_INFO] = "",
		[LOG_LEVEL_DEBUG] = "debug: ",
	};
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static bool is_stuck;
	struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	pthread_mutex_lock(&mutex);
	is_stuck = !poll(&pollfd, 1, is_stuck ? 0 : STDERR_MS);
	if (!is_stuck && is_journal(STDERR_FILENO))
		fprintf(stderr, "<%d>%s\n", priorities[level], line);
	else if (!is_stuck)
		fprintf(stderr, "hugetmpfs: %s%s\n", prefixes[level], line);
	pthread_mutex_unlock(&mutex);
}

void log_sink_stderr(enum log_level level, const char *format, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, ap);
	write_stderr(level, line);
}

void log_sink_syslog(enum log_level level, const char *format, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, ap);
	syslog_send(LOG_DAEMON | priorities[level], line);
}

static int mask_of(const char *name, size_t length, unsigned *mask)
{
	if (length == strlen("all") && !memcmp(name, "all", length)) {
		*mask |= (1u << LOG_NR_MASKS) - 1;
		return 0;
	}
	for (unsigned bit = 0; bit < LOG_NR_MASKS; bit++) {
		if (strlen(mask_names[bit]) == length &&
		    !memcmp(mask_names[bit], name, length)) {
			*mask |= 1u << bit;
			return 0;
		}
	}
	return -EINVAL;
}

int log_set_debug(const char *names)
{
	unsigned mask = 0;

	while (*names) {
		size_t length = strcspn(names, ",");

		if (mask_of(names, length, &mask))
			return -EINVAL;
		names += length;
		names += *names == ',';
	}
	atomic_store(&debug_mask, mask);
	return 0;
}

bool log_debug_enabled(enum log_mask_bit subsystem)
{
	return atomic_load_explicit(&debug_mask, memory_order_relaxed) &
	       (1u << subsystem);
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	sink(level, format, ap);
	va_end(ap);
}

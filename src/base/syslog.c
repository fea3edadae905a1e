/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The format is the one that syslog(3) of the C library sends.
 */
#include "base/syslog.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* all below */
static const char *socket_path = "/dev/log";
static int fd = -1;
static bool is_stream;
static unsigned nr_lost;

static bool connect_as(int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	if (!connect(fd, (struct sockaddr *) &address, sizeof(address))) {
		is_stream = type == SOCK_STREAM;
		return true;
	}
	close(fd);
	fd = -1;
	return false;
}

static void disconnect(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

/* A stream has a zero byte after each message; half of one is none. */
static bool send_now(const char *message, size_t length)
{
	ssize_t sent;

	if (fd < 0 && !connect_as(SOCK_DGRAM) && !connect_as(SOCK_STREAM))
		return false;
	length += is_stream;
	sent = send(fd, message, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == (ssize_t) length)
		return true;
	if (sent >= 0 || (errno != EAGAIN && errno != ENOBUFS))
		disconnect();
	return false;
}

static bool send_message(int priority, const char *text)
{
	char message[1200], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int length;

	strftime(when, sizeof(when), "%h %e %T", localtime_r(&now, &tm));
	length = snprintf(message, sizeof(message), "<%d>%s hugetmpfs[%d]: %s",
			  priority, when, (int) getpid(), text);
	if (length >= (int) sizeof(message))
		length = sizeof(message) - 1;
	/* once more: the other side may have been started anew */
	return send_now(message, (size_t) length) ||
	       (fd < 0 && send_now(message, (size_t) length));
}

void syslog_send(int priority, const char *text)
{
	char lost[64];

	pthread_mutex_lock(&mutex);
	if (nr_lost) {
		snprintf(lost, sizeof(lost), "messages lost: %u", nr_lost);
		if (send_message(priority, lost))
			nr_lost = 0;
	}
	if (!send_message(priority, text))
		nr_lost++;
	pthread_mutex_unlock(&mutex);
}

void syslog_set_path(const char *path)
{
	pthread_mutex_lock(&mutex);
	disconnect();
	nr_lost = 0;
	socket_path = path;
	pthread_mutex_unlock(&mutex);
}

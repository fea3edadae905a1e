/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A few datagrams, so libsystemd, with all that it depends on, is not worth its
 * place in the one process that must not die. Fds are not watched by the manager
 * (FDPOLL=0): it would drop /dev/fuse by itself when the mount has ended.
 */
#include "keeper/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper/report.h"

#define FIRST_FD 3

static const char *const names[STORE_NR] = {
	[STORE_FUSE] = "fuse",	 [STORE_ROOT] = "root",
	[STORE_BACKING] = "backing", [STORE_TABLE] = "table",
	[STORE_STATE] = "state",
};

static int connect_to(const char *path)
{
	const struct timeval timeout = { .tv_sec = 5 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd, ret;

	if (!length || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, length);
	/* an abstract one */
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (!connect(fd, (struct sockaddr *) &address,
		     (socklen_t) (offsetof(struct sockaddr_un, sun_path) +
				  length)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

void store_open(struct store *store)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *room = getenv("FDSTORE");

	*store = (struct store){ .socket_fd = -1 };
	if (path) {
		store->socket_fd = connect_to(path);
		if (store->socket_fd < 0)
			log_warning("cannot tell the service manager: %s: %s",
				    path, strerror(-store->socket_fd));
	}
	store->keeps_fds = store->socket_fd >= 0 && room && atoi(room) > 0;
}

void store_close(struct store *store)
{
	if (store->socket_fd >= 0)
		close(store->socket_fd);
	*store = (struct store){ .socket_fd = -1 };
}

/* Sends text, and an fd unless it is negative. */
static void send_text(const struct store *store, const char *text, int fd)
{
	const struct iovec part = { (void *) text, strlen(text) };
	int ret = report_send_parts(store->socket_fd, &part, 1, fd);

	if (ret)
		log_warning("cannot tell the service manager: %s",
			    strerror(-ret));
}

void store_ready(const struct store *store)
{
	if (store->socket_fd >= 0)
		send_text(store, "READY=1\n", -1);
}

void store_put(const struct store *store, enum store_fd which, int fd)
{
	char text[80];

	if (!store->keeps_fds || fd < 0)
		return;
	store_remove(store, which);
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0\n",
		 names[which]);
	send_text(store, text, fd);
}

void store_remove(const struct store *store, enum store_fd which)
{
	char text[80];

	if (!store->keeps_fds)
		return;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s\n",
		 names[which]);
	send_text(store, text, -1);
}

static int number_of(const char *variable)
{
	const char *text = getenv(variable);

	return text ? atoi(text) : 0;
}

static void take(int fds[STORE_NR], const char *name, int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (int i = 0; i < STORE_NR; i++) {
		if (!strcmp(name, names[i]) && fds[i] < 0) {
			fds[i] = fd;
			return;
		}
	}
	close(fd);
}

int store_given(int fds[STORE_NR])
{
	const char *list = getenv("LISTEN_FDNAMES");
	char *copy, *cursor, *name;
	int fd = FIRST_FD, nr = 0;

	for (int i = 0; i < STORE_NR; i++)
		fds[i] = -1;
	if (number_of("LISTEN_PID") == getpid())
		nr = number_of("LISTEN_FDS");
	copy = cursor = strdup(list ? list : "");
	while (copy && fd < FIRST_FD + nr && (name = strsep(&cursor, ":")))
		take(fds, name, fd++);
	free(copy);
	return fd;
}

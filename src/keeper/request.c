/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests and answers of one packet; longer answers are for the tools, which
 * have the library.
 */
#include "keeper/request.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "keeper/runtime.h"

#define REQUEST_TIMEOUT_MS 1000	/* for what a connection is opened for */
#define ANSWER_TIMEOUT_MS  60000 /* silence for so long means trouble */

static int send_request(int fd, const char *command, const char *argument)
{
	char *escaped = NULL, *line = NULL;
	int ret = -ENOMEM;

	if (argument) {
		escaped = runtime_escape(argument);
		if (!escaped)
			return -ENOMEM;
	}
	if (asprintf(&line, "%s%s%s", command, escaped ? " " : "",
		     escaped ? escaped : "") < 0)
		goto out_free_escaped;
	if (strlen(line) > PROTOCOL_REQUEST_BYTES)
		ret = -E2BIG;
	else
		ret = send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 ? -errno
								     : 0;
	free(line);
out_free_escaped:
	free(escaped);
	return ret;
}

/* Looks at one packet. Returns 1 when more are to come. */
static int read_answer(char *packet, char **message)
{
	char *line;
	int number, length = 0;

	while ((line = strsep(&packet, "\n"))) {
		if (!strcmp(line, PROTOCOL_END))
			return 0;
		if (sscanf(line, PROTOCOL_ERROR " %d %n", &number, &length) ==
			    1 && length && number > 0) {
			*message = strdup(line + length);
			return -number;
		}
	}
	return 1;
}

static int receive_answer(int fd, char **message)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char *packet = malloc(PROTOCOL_ANSWER_BYTES + 1);
	ssize_t length;
	int ret = 1;

	if (!packet)
		return -ENOMEM;
	while (ret == 1) {
		length = recv(fd, packet, PROTOCOL_ANSWER_BYTES, 0);
		if (length > 0) {
			packet[length] = '\0';
			ret = read_answer(packet, message);
		} else if (!length) {
			ret = -ECONNRESET;
		} else if (errno == EAGAIN) {
			if (!poll(&pollfd, 1, ANSWER_TIMEOUT_MS))
				ret = -ETIMEDOUT;
		} else if (errno != EINTR) {
			ret = -errno;
		}
	}
	free(packet);
	return ret;
}

int request_send(pid_t keeper_pid, const char *command, const char *argument,
		 char **message)
{
	int fd, ret;

	*message = NULL;
	fd = runtime_connect(keeper_pid);
	if (fd < 0)
		return fd;
	ret = send_request(fd, command, argument);
	if (!ret)
		ret = receive_answer(fd, message);
	close(fd);
	return ret;
}

static int is_attach(int fd)
{
	char line[sizeof(PROTOCOL_ATTACH) + 1];
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	ssize_t length;

	if (poll(&pollfd, 1, REQUEST_TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	length = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	if (length <= 0)
		return -ECONNRESET;
	line[length] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, PROTOCOL_ATTACH) ? -ENOTCONN : 0;
}

int request_accept_attach(int listen_fd, const char *mountpoint)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char *message;
	int fd, ret;

	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.uid) {
		request_answer(fd, -EPERM, "only root may ask");
		return -EAGAIN;
	}
	ret = is_attach(fd);
	if (!ret)
		return fd;
	if (ret == -ENOTCONN &&
	    asprintf(&message, "the daemon of %s is dead; its files are kept: "
		     "hugetmpfs --attach %s mounts them again", mountpoint,
		     mountpoint) >= 0) {
		request_answer(fd, ret, message);
		free(message);
	} else {
		close(fd);
	}
	return -EAGAIN;
}

void request_answer(int fd, int error, const char *message)
{
	char *escaped = runtime_escape(message ? message : "");
	char *text;
	int length;

	if (!error)
		length = asprintf(&text, PROTOCOL_OK "\n" PROTOCOL_END "\n");
	else
		length = asprintf(&text, PROTOCOL_ERROR " %d %s\n", -error,
				  escaped ? escaped : "");
	if (length >= 0) {
		send(fd, text, (size_t) length, MSG_NOSIGNAL | MSG_DONTWAIT);
		free(text);
	}
	free(escaped);
	close(fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to the daemon and the parsing of its answers, as
 * <hugetmpfs/protocol.h> has them.
 */
#include "client/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include <hugetmpfs/hugetmpfs.h>
#include <hugetmpfs/protocol.h>

#include "client/lookup.h"

#define TIMEOUT_MS 30000

struct hugetmpfs_connection {
	int fd;
	bool broken; /* out of step with the other end */
	char packet[PROTOCOL_ANSWER_BYTES + 1];
};

/* An answer on its way through the lines of its packets. */
struct answer {
	hugetmpfs_line_fn *fn;
	void *arg;
	char *message;
	size_t message_bytes;
	bool ok;	/* the first line said so */
	bool complete;	/* the last line has come */
	bool failed;	/* it was an error line */
};

void hugetmpfs_set_timeout(struct hugetmpfs_connection *connection,
			   unsigned timeout_ms)
{
	struct timeval timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};

	setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
		   sizeof(timeout));
	setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		   sizeof(timeout));
}

int connection_create(struct hugetmpfs_connection **out, int fd,
		      unsigned timeout_ms)
{
	struct hugetmpfs_connection *connection;

	connection = malloc(sizeof(*connection));
	if (!connection) {
		close(fd);
		return -ENOMEM;
	}
	connection->fd = fd;
	connection->broken = false;
	hugetmpfs_set_timeout(connection, timeout_ms);
	*out = connection;
	return 0;
}

int hugetmpfs_connect(struct hugetmpfs_connection **out, const char *path)
{
	struct hugetmpfs_mount mount;
	int ret = hugetmpfs_mount_of(path, &mount);

	if (ret)
		return ret;
	ret = lookup_connect(PROTOCOL_RUNTIME_DIR,
			      makedev(mount.dev_major, mount.dev_minor),
			      TIMEOUT_MS);
	if (ret < 0)
		return ret;
	return connection_create(out, ret, TIMEOUT_MS);
}

void hugetmpfs_close(struct hugetmpfs_connection *connection)
{
	if (!connection)
		return;
	close(connection->fd);
	free(connection);
}

/* Appends text to a line, a newline or backslash in it escaped. */
static int escape(char *line, size_t *length, const char *text)
{
	for (; *text; text++) {
		bool special = *text == '\n' || *text == '\\';

		/* there must be room for the newline at the end, too */
		if (*length + 2 + special > PROTOCOL_REQUEST_BYTES)
			return -E2BIG;
		if (special)
			line[(*length)++] = '\\';
		line[(*length)++] = *text == '\n' ? 'n' : *text;
	}
	return 0;
}

/* Undoes it in place; what no escape begins is taken as it is. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1]) {
			*out++ = text[1] == 'n' ? '\n' : text[1];
			text += 2;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

static int send_request(struct hugetmpfs_connection *connection,
			const char *command, const char *argument)
{
	char line[PROTOCOL_REQUEST_BYTES];
	size_t length = strlen(command);

	if (length + 2 > sizeof(line))
		return -E2BIG;
	if (!length || strpbrk(command, " \n"))
		return -EINVAL;
	memcpy(line, command, length);
	if (argument) {
		line[length++] = ' ';
		if (escape(line, &length, argument))
			return -E2BIG;
	}
	line[length++] = '\n';
	if (send(connection->fd, line, length, MSG_NOSIGNAL) < 0) {
		connection->broken = true;
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
	return 0;
}

/* "ERRNO MESSAGE": the daemon's errno, negative. */
static int answer_error(struct answer *answer, char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (end == value || number <= 0 || number > 4095 ||
	    (*end && *end != ' '))
		return -EPROTO;
	answer->complete = true;
	answer->failed = true;
	if (answer->message && *end) {
		unescape(end + 1);
		snprintf(answer->message, answer->message_bytes, "%s", end + 1);
	}
	return (int) -number;
}

static int answer_line(struct answer *answer, char *key)
{
	char *value = strchr(key, ' ');

	if (value)
		*value++ = '\0';
	else
		value = key + strlen(key);
	if (!strcmp(key, PROTOCOL_ERROR))
		return answer_error(answer, value);
	if (!answer->ok) {
		answer->ok = !strcmp(key, PROTOCOL_OK);
		return answer->ok ? 0 : -EPROTO;
	}
	if (!strcmp(key, PROTOCOL_END)) {
		answer->complete = true;
		return 0;
	}
	unescape(value);
	return answer->fn ? answer->fn(answer->arg, key, value) : 0;
}

/* The lines of one packet. */
static int answer_packet(struct answer *answer, char *packet, size_t length)
{
	int ret = 0;

	if (memchr(packet, '\0', length) || packet[length - 1] != '\n')
		return -EPROTO;
	packet[length - 1] = '\0';
	while (packet && !ret) {
		/* nothing may follow the last line */
		if (answer->complete)
			return -EPROTO;
		ret = answer_line(answer, strsep(&packet, "\n"));
	}
	return ret;
}

/*
 * A server that closes without reading our request, as it does to those that
 * it turns away, makes the kernel report that first; its answer is there still.
 */
static ssize_t receive_packet(struct hugetmpfs_connection *connection)
{
	ssize_t n;

	for (int i = 0; i < 2; i++) {
		n = recv(connection->fd, connection->packet,
			 PROTOCOL_ANSWER_BYTES, MSG_TRUNC);
		if (n >= 0 || errno != ECONNRESET)
			break;
	}
	return n;
}

static int receive_answer(struct hugetmpfs_connection *connection,
			  struct answer *answer)
{
	ssize_t n;
	int ret = 0;

	while (!ret && !answer->complete) {
		n = receive_packet(connection);
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		if (n > PROTOCOL_ANSWER_BYTES)
			return -EPROTO;
		ret = answer_packet(answer, connection->packet, (size_t) n);
	}
	return ret;
}

int hugetmpfs_request(struct hugetmpfs_connection *connection,
		      const char *command, const char *argument,
		      hugetmpfs_line_fn *fn, void *arg,
		      char *message, size_t message_bytes)
{
	struct answer answer = {
		.fn = fn,
		.arg = arg,
		.message = message_bytes ? message : NULL,
		.message_bytes = message_bytes,
	};
	int ret, sent;

	if (answer.message)
		answer.message[0] = '\0';
	if (connection->broken)
		return -EPIPE;
	ret = send_request(connection, command, argument);
	/* who is turned away finds the reason before a closed socket */
	if (ret && ret != -EPIPE)
		return ret;
	sent = ret;
	ret = receive_answer(connection, &answer);
	if (ret && !answer.failed)
		connection->broken = true;
	return sent && !answer.failed ? sent : ret;
}

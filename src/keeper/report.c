/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets from the daemon to its keeper: one byte with the kind, and the text.
 */
#include "keeper/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

int report_send(int fd, enum report_kind kind, const char *text)
{
	unsigned char byte = (unsigned char) kind;
	struct iovec parts[] = {
		{ .iov_base = &byte, .iov_len = 1 },
		{ .iov_base = (void *) text, .iov_len = strlen(text) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int report_receive(int fd, char **text)
{
	ssize_t length;
	char *packet;
	int kind;

	*text = NULL;
	length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (length < 0)
		return -errno;
	if (!length)
		return -EPIPE;
	packet = malloc((size_t) length + 1);
	if (!packet)
		return -ENOMEM;
	length = recv(fd, packet, (size_t) length, MSG_DONTWAIT);
	if (length < 1) {
		kind = length < 0 ? -errno : -EPIPE;
		free(packet);
		return kind;
	}
	kind = (unsigned char) packet[0];
	packet[length] = '\0';
	memmove(packet, packet + 1, (size_t) length);
	*text = packet;
	return kind;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets between the daemon and its keeper: one byte with the kind, the text,
 * and at most one fd.
 */
#include "keeper/report.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* A report that is lost is not asked for: a want of memory may pass. */
#define SEND_TRIES    1000
#define SEND_PAUSE_US 1000

static bool is_short(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EINTR;
}

/* Room for one fd, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int report_send_parts(int fd, const struct iovec *parts, size_t nr, int passed)
{
	struct msghdr message = {
		.msg_iov = (struct iovec *) parts,
		.msg_iovlen = nr,
	};
	union control control = { .bytes = { 0 } };

	if (passed >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
	}
	for (int i = 0; sendmsg(fd, &message, MSG_NOSIGNAL) < 0; i++) {
		if (i == SEND_TRIES || !is_short(errno))
			return -errno;
		usleep(SEND_PAUSE_US);
	}
	return 0;
}

int report_send_fd(int fd, enum report_kind kind, const char *text, int passed)
{
	unsigned char byte = (unsigned char) kind;
	const struct iovec parts[] = {
		{ .iov_base = &byte, .iov_len = 1 },
		{ .iov_base = (void *) text, .iov_len = strlen(text) },
	};

	return report_send_parts(fd, parts, 2, passed);
}

int report_send(int fd, enum report_kind kind, const char *text)
{
	return report_send_fd(fd, kind, text, -1);
}

/* Receives a packet into room bytes. Returns its length or a negative errno. */
static ssize_t receive(int fd, char *packet, size_t room, int *passed)
{
	struct iovec part = { .iov_base = packet, .iov_len = room };
	union control control = { .bytes = { 0 } };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(fd, &message,
				 MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;

	if (length < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(header), sizeof(int));
	return length;
}

int report_receive(int fd, char **text, int *passed)
{
	ssize_t length;
	char *packet;
	int kind;

	*text = NULL;
	*passed = -1;
	length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (length < 0)
		return -errno;
	if (!length)
		return -EPIPE;
	packet = malloc((size_t) length + 1);
	if (!packet)
		return -ENOMEM;
	length = receive(fd, packet, (size_t) length, passed);
	if (length < 1) {
		free(packet);
		return length < 0 ? (int) length : -EPIPE;
	}
	kind = (unsigned char) packet[0];
	packet[length] = '\0';
	memmove(packet, packet + 1, (size_t) length);
	*text = packet;
	return kind;
}

/*
 * An answer is the number of an eventfd: there is room for it beforehand, so who
 * answers needs no memory and waits for nobody.
 */
int report_answer_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int report_answer_wait(int fd, int timeout_ms)
{
	uint64_t end_ns = clock_now_ns() +
			  (uint64_t) timeout_ms * CLOCK_NS_PER_MS;
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t number, now_ns;

	for (;;) {
		if (read(fd, &number, sizeof(number)) == sizeof(number))
			return 1 - (int) number;
		now_ns = clock_now_ns();
		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		timeout_ms = (int) ((end_ns - now_ns) / CLOCK_NS_PER_MS) + 1;
		/* it comes all the same when the kernel is short of memory */
		if (poll(&pollfd, 1, timeout_ms) < 0)
			usleep(SEND_PAUSE_US);
	}
}

void report_answer(int fd, int error)
{
	const uint64_t number = (uint64_t) (1 - error);

	while (fd >= 0 && write(fd, &number, sizeof(number)) < 0 && errno == EINTR)
		;
}

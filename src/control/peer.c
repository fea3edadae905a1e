/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client: reads a request, runs its scan or its trace if it has one, sends
 * the answer; then the next.
 */
#include "control/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/answer.h"
#include "control/commands.h"
#include "control/scan.h"
#include "control/server.h"
#include "control/trace.h"

/* How long others wait at most while a scan goes on. */
#define SCAN_BUDGET_NS (5 * CLOCK_NS_PER_MS)

/* How often a client hears of a scan. */
#define SCAN_NEWS_NS CLOCK_NS_PER_S

struct peer {
	int fd;
	const struct control_config *config;
	struct answer answer;	/* not all sent, while it has text */
	struct command_rest rest; /* under way */
	uint64_t last_ns;	/* when a packet came or left */
	uint64_t news_ns;	/* when the client heard of the scan */
	char request[PROTOCOL_REQUEST_BYTES + 1];
};

/* The client hears of it in any case; what it was told before was not all. */
static void send_no_memory(int fd)
{
	char packet[64];
	int length = snprintf(packet, sizeof(packet), PROTOCOL_ERROR
			      " %d no memory for an answer\n", ENOMEM);

	log_warning("control: no memory for an answer");
	if (send(fd, packet, (size_t) length,
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(CONTROL, "control: client gone before it was heard");
}

int peer_create(struct peer **out, int fd, const struct control_config *config)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer) {
		send_no_memory(fd);
		close(fd);
		return -ENOMEM;
	}
	peer->fd = fd;
	peer->config = config;
	peer->last_ns = clock_now_ns();
	*out = peer;
	return 0;
}

int peer_fd(const struct peer *peer)
{
	return peer->fd;
}

short peer_events(const struct peer *peer)
{
	if (peer->answer.length)
		return POLLOUT;
	return peer->rest.scan || peer->rest.trace ? 0 : POLLIN;
}

bool peer_is_busy(const struct peer *peer)
{
	return peer->rest.scan;
}

uint64_t peer_idle_since(const struct peer *peer)
{
	return peer->rest.scan || peer->rest.trace || peer->answer.length ?
		       0 : peer->last_ns;
}

uint64_t peer_deadline(const struct peer *peer)
{
	/* who watches may stop reading for a while; it is told what it missed */
	if (peer->rest.trace)
		return peer->answer.length ? UINT64_MAX :
					     trace_due(peer->rest.trace);
	if (!peer->answer.length)
		return UINT64_MAX;
	return peer->last_ns + PROTOCOL_SEND_TIMEOUT_MS * CLOCK_NS_PER_MS;
}

/* Sends what the socket takes. Returns false when the client is lost. */
static bool send_answer(struct peer *peer)
{
	const char *packet;
	size_t length;

	while ((packet = answer_packet(&peer->answer, &length))) {
		if (send(peer->fd, packet, length,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == EINTR;
		peer->answer.sent += length;
		peer->last_ns = clock_now_ns();
	}
	answer_clear(&peer->answer);
	return true;
}

/* Tells one that watches that there is no more to come, if it still listens. */
static void end_trace(struct peer *peer)
{
	trace_destroy(peer->rest.trace);
	answer_end(&peer->answer);
	if (!peer->answer.failed && !send_answer(peer))
		log_debug(CONTROL, "control: a client that watched is gone");
}

void peer_destroy(struct peer *peer)
{
	scan_destroy(peer->rest.scan);
	if (peer->rest.trace)
		end_trace(peer);
	answer_clear(&peer->answer);
	close(peer->fd);
	free(peer);
}

/* Returns false when nobody has taken the connection. */
static bool hand_over(struct peer *peer)
{
	int ret = peer->config->hand_over(peer->config->options_arg, peer->fd);

	peer->rest.hand_over = false;
	if (!ret)
		return true;
	answer_error(&peer->answer, ret, "the keeper cannot be told");
	return false;
}

/*
 * Reads and answers one request. Returns false when the client is gone, or is
 * somebody else's.
 */
static bool receive_request(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->request, PROTOCOL_REQUEST_BYTES,
			 MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	peer->last_ns = clock_now_ns();
	if (n > PROTOCOL_REQUEST_BYTES) {
		answer_error(&peer->answer, -EMSGSIZE,
			     "a request has at most %d bytes",
			     PROTOCOL_REQUEST_BYTES);
		return true;
	}
	command_run(peer->config, peer->request, (size_t) n, &peer->answer,
		    &peer->rest);
	peer->news_ns = peer->last_ns;
	return !peer->rest.hand_over || !hand_over(peer);
}

static void run_scan(struct peer *peer)
{
	int ret = scan_step(peer->rest.scan, SCAN_BUDGET_NS);
	bool first = !peer->answer.length;
	uint64_t now = clock_now_ns();

	if (ret <= 0) {
		command_scanned(peer->config, peer->rest.scan, ret, &peer->answer);
		scan_destroy(peer->rest.scan);
		peer->rest.scan = NULL;
	} else if (first && now - peer->news_ns >= SCAN_NEWS_NS) {
		command_scanning(peer->rest.scan, &peer->answer);
		peer->news_ns = now;
	}
	/* from now on it has time to take it */
	if (first)
		peer->last_ns = now;
}

bool peer_run(struct peer *peer, short revents)
{
	if (revents & (POLLHUP | POLLERR | POLLNVAL))
		return false;
	if (revents & POLLIN && !receive_request(peer))
		return false;
	if (peer->rest.scan)
		run_scan(peer);
	/* what it has not taken yet comes first */
	if (peer->rest.trace && !peer->answer.length)
		trace_run(peer->rest.trace, &peer->answer);
	if (peer->answer.failed) {
		send_no_memory(peer->fd);
		return false;
	}
	if (!send_answer(peer))
		return false;
	return peer->rest.trace || clock_now_ns() < peer_deadline(peer);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread of the control socket: one loop around poll(2) for the listening
 * socket and a bounded number of peers.
 */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memlock.h"
#include "control/answer.h"
#include "control/peer.h"
#include "namespace/table.h"

#define MAX_PEERS 16

/* After a failed accept (no file descriptors), how long not to try again. */
#define ACCEPT_PAUSE_NS (100 * CLOCK_NS_PER_MS)

struct control {
	struct control_config config;
	char *mountpoint;
	char *version;
	struct control_counters *counters;
	pthread_t thread;
	int stop_fd; /* eventfd, readable when it is time to end */
	/* the rest belongs to the thread */
	struct peer *peers[MAX_PEERS];
	unsigned nr_peers;
	uint64_t accept_after_ns;
};

/* Answers a client that is not let in, as far as its socket takes it. */
static void turn_away(int fd, int error, const char *message)
{
	struct answer answer = { 0 };
	const char *packet;
	size_t length;

	answer_error(&answer, error, "%s", message);
	packet = answer_packet(&answer, &length);
	if (packet && send(fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(CONTROL, "control: client gone before it was heard");
	answer_clear(&answer);
	close(fd);
}

static void peer_remove(struct control *control, unsigned i)
{
	peer_destroy(control->peers[i]);
	control->peers[i] = control->peers[--control->nr_peers];
}

/* Makes room by closing the connection that has been silent for longest. */
static bool make_room(struct control *control)
{
	uint64_t oldest_ns = UINT64_MAX;
	unsigned oldest = MAX_PEERS;

	if (control->nr_peers < MAX_PEERS)
		return true;
	for (unsigned i = 0; i < control->nr_peers; i++) {
		uint64_t idle = peer_idle_since(control->peers[i]);

		if (idle && idle < oldest_ns) {
			oldest_ns = idle;
			oldest = i;
		}
	}
	if (oldest == MAX_PEERS)
		return false;
	peer_remove(control, oldest);
	return true;
}

static void accept_peer(struct control *control)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);
	struct peer *peer;
	int fd = accept4(control->config.listen_fd, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			log_warning("control: accept: %s", strerror(errno));
			control->accept_after_ns =
				clock_now_ns() + ACCEPT_PAUSE_NS;
		}
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) ||
	    cred.uid != 0) {
		turn_away(fd, -EPERM, "only root may do this");
		return;
	}
	if (!make_room(control)) {
		turn_away(fd, -EBUSY, "too many requests are under way");
		return;
	}
	if (peer_create(&peer, fd, &control->config))
		return;
	control->peers[control->nr_peers++] = peer;
}

/* Milliseconds until somebody's deadline, for poll(2). */
static int poll_timeout(const struct control *control)
{
	uint64_t now = clock_now_ns(), soonest = UINT64_MAX;

	for (unsigned i = 0; i < control->nr_peers; i++) {
		if (peer_is_busy(control->peers[i]))
			return 0;
		if (peer_deadline(control->peers[i]) < soonest)
			soonest = peer_deadline(control->peers[i]);
	}
	if (control->accept_after_ns > now &&
	    control->accept_after_ns < soonest)
		soonest = control->accept_after_ns;
	if (soonest == UINT64_MAX)
		return -1;
	return soonest <= now ? 0 : (int) ((soonest - now) / CLOCK_NS_PER_MS) + 1;
}

static void *control_thread(void *arg)
{
	struct pollfd fds[2 + MAX_PEERS];
	struct control *control = arg;

	prctl(PR_SET_NAME, "control", 0, 0, 0);
	memlock_stack();
	for (;;) {
		bool accepting = clock_now_ns() >= control->accept_after_ns;
		unsigned nr = control->nr_peers;

		fds[0] = (struct pollfd){ .fd = control->stop_fd,
					  .events = POLLIN };
		fds[1] = (struct pollfd){
			.fd = accepting ? control->config.listen_fd : -1,
			.events = POLLIN,
		};
		for (unsigned i = 0; i < nr; i++)
			fds[2 + i] = (struct pollfd){
				.fd = peer_fd(control->peers[i]),
				.events = peer_events(control->peers[i]),
			};
		if (poll(fds, 2 + nr, poll_timeout(control)) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		/* backwards: a removal moves the last one only */
		for (unsigned i = nr; i-- > 0;) {
			if (!peer_run(control->peers[i], fds[2 + i].revents))
				peer_remove(control, i);
		}
		if (fds[1].revents)
			accept_peer(control);
	}
}

static bool counters_are_inside(const struct control_config *config)
{
	for (size_t i = 0; i < config->nr_counters; i++) {
		const struct control_counters *run = &config->counters[i];

		if (run->first > TABLE_NR_COUNTERS ||
		    run->nr > TABLE_NR_COUNTERS - run->first)
			return false;
	}
	return true;
}

static void control_free(struct control *control)
{
	free(control->mountpoint);
	free(control->version);
	free(control->counters);
	free(control);
}

static struct control *control_copy(const struct control_config *config)
{
	size_t bytes = config->nr_counters * sizeof(*config->counters);
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->config = *config;
	control->mountpoint = strdup(config->mountpoint);
	control->version = strdup(config->version);
	control->counters = malloc(bytes ? bytes : 1);
	if (!control->mountpoint || !control->version || !control->counters) {
		control_free(control);
		return NULL;
	}
	if (bytes)
		memcpy(control->counters, config->counters, bytes);
	control->config.mountpoint = control->mountpoint;
	control->config.version = control->version;
	control->config.counters = control->counters;
	return control;
}

/* Signals are for the daemon's other threads. */
static int start_thread(struct control *control)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&control->thread, NULL, control_thread, control);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

int control_start(struct control **out, const struct control_config *config)
{
	struct control *control;
	int ret;

	if (!counters_are_inside(config))
		return -EINVAL;
	/* a client may be gone between poll and accept */
	if (fcntl(config->listen_fd, F_SETFL, O_NONBLOCK))
		return -errno;
	control = control_copy(config);
	if (!control)
		return -ENOMEM;
	control->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (control->stop_fd < 0) {
		ret = -errno;
		goto err_free;
	}
	ret = start_thread(control);
	if (ret)
		goto err_close;
	*out = control;
	return 0;

err_close:
	close(control->stop_fd);
err_free:
	control_free(control);
	return ret;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	eventfd_write(control->stop_fd, 1);
	pthread_join(control->thread, NULL);
	while (control->nr_peers)
		peer_remove(control, control->nr_peers - 1);
	close(control->stop_fd);
	control_free(control);
}

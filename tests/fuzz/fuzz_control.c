/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clients of the control socket: what two of them send, in packets of any
 * length and with fds in them, whether they read what comes back or not, and
 * hang up at any moment. Each request that was taken has one answer, which ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "control/peer.h"
#include "control/server.h"
#include "fuzz/fuzz.h"
#include "fuzz/mount.h"
#include "mm/mm.h"
#include "namespace/table.h"
#include "recovery/latency.h"
#include "recovery/recovery.h"

#define NR_CLIENTS 2
#define MAX_RUNS   10000 /* until an answer has to be there */

struct client {
	struct peer *peer; /* NULL: the daemon has closed it */
	int fd;		   /* the client's end, -1: it has hung up */
	unsigned asked;	   /* requests that were sent and not answered */
};

static struct fixture {
	struct fuzz_mount mount;
	struct recovery_latencies latencies;
	struct control_config config;
	struct client clients[NR_CLIENTS];
} me;

/* ---- what the daemon would do ---- */

static char *give_options(void *arg)
{
	(void) arg;
	return strdup("size=1G");
}

static int take_options(void *arg, const char *options, char *error,
			size_t error_size)
{
	(void) arg;
	snprintf(error, error_size, "bad value \"%s\"", options);
	return strlen(options) % 2 ? -EINVAL : 0;
}

static int take_settings(void *arg, const char *text, char *error,
			 size_t error_size)
{
	struct recovery_settings settings;

	(void) arg;
	recovery_settings_init(&settings);
	return recovery_settings_parse(&settings, text, error, error_size);
}

static int take_connection(void *arg, int fd)
{
	const char answer[] = PROTOCOL_OK "\n" PROTOCOL_END "\n";

	(void) arg;
	return send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) < 0 ? -errno
								      : 0;
}

static const char *const names[] = { "first", NULL, "third" };
static const struct control_counters counters[] = {
	{ names, names, 3, 0 },
	{ names, NULL, 1, TABLE_NR_COUNTERS - 1 },
};
static const struct mm_interface interfaces[] = {
	{ .name = "KPAGEFLAGS", .absence = "it is slow", .present = true },
};

/* Something for a scan to find. */
static void make_files(int root_fd)
{
	int fd = openat(root_fd, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);

	fuzz_must(fd >= 0 && write(fd, "content", 7) == 7 && !close(fd));
	fuzz_must(!mkdirat(root_fd, "directory", 0755));
	fuzz_must(!linkat(root_fd, "file", root_fd, "directory/link", 0));
	fuzz_must(!symlinkat("file", root_fd, "symlink"));
}

static void start(void)
{
	int memfd = table_create();

	fuzz_mount_begin(&me.mount, NULL);
	me.config = (struct control_config){
		.listen_fd = -1,
		.root_fd = open(me.mount.path, O_RDONLY | O_DIRECTORY),
		.mountpoint = "/mnt/new\nline",
		.version = "9.9",
		.keeper_pid = getpid(),
		.survival = "no",
		.seccomp = "off: a test",
		.recovery = me.mount.recovery,
		.counters = counters,
		.nr_counters = 2,
		.latencies = &me.latencies,
		.interfaces = interfaces,
		.nr_interfaces = 1,
		.options = give_options,
		.remount = take_options,
		.set = take_settings,
		.hand_over = take_connection,
	};
	fuzz_must(me.config.root_fd >= 0 &&
		  !table_open(&me.config.table, memfd));
	close(memfd);
	make_files(me.config.root_fd);
}

/* ---- clients ---- */

static void client_connect(struct client *client)
{
	int pair[2];

	fuzz_must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	*client = (struct client){ .fd = pair[0] };
	fuzz_must(!fcntl(pair[1], F_SETFL, O_NONBLOCK));
	fuzz_must(!peer_create(&client->peer, pair[1], &me.config));
}

static void client_hang_up(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* What the thread of the socket does with it. */
static void client_serve(struct client *client)
{
	struct pollfd pollfd;

	if (!client->peer)
		return;
	pollfd.fd = peer_fd(client->peer);
	pollfd.events = peer_events(client->peer);
	fuzz_must(poll(&pollfd, 1, 0) >= 0);
	if (peer_run(client->peer, pollfd.revents))
		return;
	peer_destroy(client->peer);
	client->peer = NULL;
}

/* A line of an answer, without its end. */
static void client_take_line(struct client *client, const char *line)
{
	if (strcmp(line, PROTOCOL_END) &&
	    strncmp(line, PROTOCOL_ERROR " ", strlen(PROTOCOL_ERROR " ")))
		return;
	fuzz_must(client->asked > 0);
	client->asked--;
}

/* Reads a packet if there is one. False when there is none, or no more. */
static bool client_read(struct client *client)
{
	static char packet[PROTOCOL_ANSWER_BYTES + 1];
	ssize_t n = client->fd < 0 ? -1 : recv(client->fd, packet,
					       sizeof(packet), MSG_DONTWAIT);
	char *cursor = packet, *line;

	if (n <= 0)
		return false;
	fuzz_must(n <= PROTOCOL_ANSWER_BYTES && packet[n - 1] == '\n' &&
		  !memchr(packet, '\0', (size_t) n));
	packet[n - 1] = '\0';
	while ((line = strsep(&cursor, "\n")))
		client_take_line(client, line);
	return true;
}

static void client_send(struct client *client, const void *data, size_t size,
			bool with_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *) data, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (with_fd) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &me.config.root_fd,
		       sizeof(int));
	}
	if (client->fd >= 0 && sendmsg(client->fd, &message,
				       MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		client->asked++;
}

/* ---- what the input says ---- */

static const char *const words[] = {
	PROTOCOL_ATTACH, PROTOCOL_CANCEL, PROTOCOL_PING, PROTOCOL_STATUS,
	PROTOCOL_TRACE, PROTOCOL_NO_SCAN, PROTOCOL_SCAN, PROTOCOL_COUNTERS,
	PROTOCOL_METRICS, PROTOCOL_REMOUNT, PROTOCOL_SET, PROTOCOL_UPGRADE,
	" ", "\n", "\\", "\\n", "=", ",", "recoveries", "numa",
	"18446744073709551615",
	"recover", "compact", "cpu_percent", "bytes_per_second", "max_holes",
	"on", "all", "follow", "bind:0", "1k", "\"",
};
#define NR_WORDS (sizeof(words) / sizeof(*words))

/* A request of words, and of bytes as they are; its length. */
static size_t take_request(struct fuzz_input *input, char *request, size_t room)
{
	unsigned nr = fuzz_take_byte(input) % 12;
	size_t length = 0;

	while (nr-- > 0) {
		uint8_t which = fuzz_take_byte(input);
		size_t size = which < NR_WORDS ? strlen(words[which])
					       : which % 16u;

		if (size > room - length)
			break;
		if (which < NR_WORDS)
			memcpy(request + length, words[which], size);
		else
			fuzz_take(input, request + length, size);
		length += size;
	}
	return length;
}

/* The same again and again, up to longer than any that is taken. */
static size_t lengthen(struct fuzz_input *input, char *request, size_t length,
		       size_t room)
{
	size_t most = (size_t) fuzz_take_byte(input) << 6;
	size_t wanted = most < room ? most : room;

	for (size_t i = length; length && i < wanted; i++)
		request[i] = request[i - length];
	return wanted > length ? wanted : length;
}

static void act(struct fuzz_input *input)
{
	static char request[3 * PROTOCOL_REQUEST_BYTES];
	uint8_t what = fuzz_take_byte(input);
	struct client *client = &me.clients[what >> 7];
	size_t length;

	switch (what % 8) {
	case 0:
		client_hang_up(client);
		break;
	case 1:
		client_read(client);
		break;
	case 2:
		if (client->fd >= 0)
			shutdown(client->fd, what & 0x40 ? SHUT_RD : SHUT_WR);
		break;
	default:
		length = take_request(input, request, sizeof(request));
		if (what % 8 == 3)
			length = lengthen(input, request, length,
					  sizeof(request));
		client_send(client, request, length, what % 8 == 4);
	}
	if (what & 0x08)
		client_serve(client);
}

/* A trace has no end; the rest does not wait for the client. */
static bool is_tracing(const struct peer *peer)
{
	return !peer_events(peer) && !peer_is_busy(peer);
}

/* What was asked is answered, unless the connection is gone or traces. */
static void client_finish(struct client *client)
{
	for (int i = 0; client->peer && client->asked &&
			!is_tracing(client->peer); i++) {
		fuzz_must(i < MAX_RUNS);
		client_serve(client);
		while (client_read(client))
			;
	}
	client_hang_up(client);
	client_serve(client);
	fuzz_must(!client->peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	if (!me.mount.recovery)
		start();
	for (int i = 0; i < NR_CLIENTS; i++)
		client_connect(&me.clients[i]);
	for (int i = 0; i < 64 && input.size; i++)
		act(&input);
	for (int i = 0; i < NR_CLIENTS; i++)
		client_finish(&me.clients[i]);
	fuzz_mount_settle();
	return 0;
}

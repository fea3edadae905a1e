/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of the control socket that watches the engine, from the engine's
 * ring to what hugetmpfsctl writes. The socket is a pair.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/protocol.h>

#include "control/peer.h"
#include "control/server.h"
#include "ctl/trace.h"
#include "recovery/internal.h"

static struct recovery recovery;
static struct control_config config = {
	.mountpoint = "/mnt/x",
	.recovery = &recovery,
};
static struct peer *peer;
static int client;
static char packet[PROTOCOL_ANSWER_BYTES + 1];

static int setup(void **state)
{
	int fds[2];

	(void) state;
	pthread_mutex_init(&recovery.trace.lock, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	client = fds[0];
	assert_int_equal(peer_create(&peer, fds[1], &config), 0);
	assert_int_equal(send(client, "trace\n", 6, 0), 6);
	assert_true(peer_run(peer, POLLIN));
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	if (client >= 0)
		close(client);
	pthread_mutex_destroy(&recovery.trace.lock);
	return 0;
}

static void add(uint64_t index)
{
	struct recovery_trace_event event = {
		.ino = 5,
		.index = index,
		.duration_ns = 1500,
		.pass = "collapse",
		.pid = 4711,
		.pages = 512,
		.before = HUGETMPFS_SMALL,
		.after = HUGETMPFS_HUGE,
		.reason = HUGETMPFS_REASON_DONE,
	};

	recovery_trace_add(&recovery, &event);
}

/* Runs it until a packet has come. */
static const char *next_packet(void)
{
	ssize_t n;

	while ((n = recv(client, packet, sizeof(packet) - 1, MSG_DONTWAIT)) < 0) {
		assert_int_equal(errno, EAGAIN);
		poll(NULL, 0, 1);
		assert_true(peer_run(peer, 0));
	}
	packet[n] = '\0';
	return packet;
}

static void test_events(void **state)
{
	static const char expected[] =
		" 5 7 collapse small huge 512 1500 done 4711 0 \n";
	const char *line;

	(void) state;
	assert_string_equal(next_packet(), "ok\n");
	add(7);
	do {
		line = next_packet();
	} while (!strcmp(line, "tracing\n"));
	line = strstr(line, "trace ");
	assert_non_null(line);
	line = strstr(line, " 5 7 ");
	assert_non_null(line);
	assert_memory_equal(line, expected, strlen(expected));
	/* there is always a time at which it wants to be run again */
	assert_true(peer_deadline(peer) < UINT64_MAX);
	assert_int_equal(peer_idle_since(peer), 0);
	peer_destroy(peer);
	assert_string_equal(next_packet(), "end\n");
	assert_int_equal(atomic_load(&recovery.trace.readers), 0);
}

/*
 * Takes nothing: is not given up for that, keeps nobody awake, and what is
 * kept for it does not grow.
 */
static void test_no_reader(void **state)
{
	uint64_t index = 0, got = 0, lost = 0;
	const char *line;

	(void) state;
	while (peer_events(peer) != POLLOUT) {
		for (int i = 0; i < 1000; i++)
			add(index++);
		poll(NULL, 0, 1);
		assert_true(peer_run(peer, 0));
	}
	assert_int_equal(peer_deadline(peer), UINT64_MAX);
	for (int i = 0; i < 2 * RECOVERY_TRACE_EVENTS; i++)
		add(index++);
	for (int i = 0; i < 100; i++)
		assert_true(peer_run(peer, 0));
	/* each was told or was lost */
	while (got + lost < index) {
		for (line = next_packet(); line && *line; line++) {
			if (!strncmp(line, "trace ", 6))
				got++;
			else if (!strncmp(line, "lost ", 5))
				lost += strtoull(line + 5, NULL, 10);
			line = strchr(line, '\n');
		}
	}
	assert_int_equal(got + lost, index);
	assert_true(lost >= RECOVERY_TRACE_EVENTS);
	peer_destroy(peer);
}

static void test_reader_gone(void **state)
{
	(void) state;
	close(client);
	client = -1;
	assert_false(peer_run(peer, POLLHUP));
	peer_destroy(peer);
	assert_int_equal(atomic_load(&recovery.trace.readers), 0);
}

/* ---- what hugetmpfsctl makes of it ---- */

static char *written(bool json, int (*write)(struct trace_output *output,
					     const char *value),
		     const char *value, int expected)
{
	struct trace_output output = { .json = json, .begun = true };
	char *text = calloc(1, 4096);
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	assert_int_equal(write(&output, value), expected);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_true(pread(fileno(file), text, 4095, 0) >= 0);
	fclose(file);
	return text;
}

static void expect_line(bool json, int (*write)(struct trace_output *output,
						const char *value),
			const char *value, const char *expected)
{
	char *text = written(json, write, value, 0);

	assert_string_equal(text, expected);
	free(text);
}

static void test_output(void **state)
{
	(void) state;
	setenv("TZ", "UTC", 1);
	expect_line(false, trace_event,
		    "3661000002000 5 7 collapse small huge 512 1500999 done "
		    "4711 0 /mnt/a b",
		    "01:01:01.000002 collapse     1500 small>huge        512 "
		    "done                   4711        5       7 /mnt/a b\n");
	expect_line(false, trace_event,
		    "0 5 7 collapse small small 512 0 not_asked 0 11 ",
		    "00:00:00.000000 collapse        0 small>small       512 "
		    "-:EAGAIN                  -        5       7 -\n");
	expect_line(true, trace_event,
		    "1 5 7 end swapped swapped 500 0 swap_failed 0 5 /a\\b",
		    "{\"time_ns\":1,\"pass\":\"end\",\"ino\":5,\"index\":7,"
		    "\"file\":\"/a\\\\b\",\"before\":\"swapped\","
		    "\"after\":\"swapped\",\"pages\":500,\"duration_ns\":0,"
		    "\"reason\":\"swap_failed\",\"errno\":\"EIO\","
		    "\"pid\":null}\n");
	expect_line(false, trace_lost, "12", "lost 12 lines\n");
	expect_line(true, trace_lost, "12", "{\"lost\":12}\n");
}

static void test_nonsense(void **state)
{
	static const char *const nonsense[] = {
		"", "1 2 3", "1 5 7 end a b x 0 done 0 0 ",
		"1 5 7 end a b 1 0 done 0 0",
	};

	(void) state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		free(written(true, trace_event, nonsense[i], -EPROTO));
	free(written(true, trace_lost, "many", -EPROTO));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events),
		TEST(test_no_reader),
		TEST(test_reader_gone),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

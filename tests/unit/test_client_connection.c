/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client's side of the control socket: good answers, errors, rubbish, and
 * servers that fall silent or die in the middle. The answers are scripted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/hugetmpfs.h>
#include <hugetmpfs/protocol.h>

#include "client/connection.h"

struct ends {
	struct hugetmpfs_connection *client;
	int server;
};

static int setup(void **state)
{
	static struct ends ends;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(connection_create(&ends.client, fds[0], 200), 0);
	ends.server = fds[1];
	*state = &ends;
	return 0;
}

static int teardown(void **state)
{
	struct ends *ends = *state;

	hugetmpfs_close(ends->client);
	if (ends->server >= 0)
		close(ends->server);
	return 0;
}

/* The socket keeps packets, so answers can be sent before the request. */
static void script(struct ends *ends, const char *packet)
{
	assert_int_equal(send(ends->server, packet, strlen(packet), 0),
			 strlen(packet));
}

static void expect_request(struct ends *ends, const char *expected)
{
	char text[PROTOCOL_REQUEST_BYTES + 1];
	ssize_t n = recv(ends->server, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

/* Lines joined as "key=value|". */
static int collect(void *arg, const char *key, const char *value)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s=%s|", key, value);
	return 0;
}

static int ask(struct ends *ends, char *text, char *message)
{
	text[0] = '\0';
	return hugetmpfs_request(ends->client, "status", NULL, collect, text,
				 message, message ? 64 : 0);
}

static void test_answer_in_packets(void **state)
{
	char text[256];

	script(*state, "ok\na 1\n");
	script(*state, "b two words\nc\n");
	script(*state, "end\n");
	assert_int_equal(ask(*state, text, NULL), 0);
	assert_string_equal(text, "a=1|b=two words|c=|");
	expect_request(*state, "status\n");
}

static void test_escapes(void **state)
{
	char text[256] = "";
	struct ends *ends = *state;

	script(ends, "ok\npath a\\nb\\\\c\nend\n");
	assert_int_equal(hugetmpfs_request(ends->client, "remount",
					   "x\ny\\z", collect, text, NULL, 0),
			 0);
	assert_string_equal(text, "path=a\nb\\c|");
	expect_request(ends, "remount x\\ny\\\\z\n");
}

static void test_several_requests(void **state)
{
	char text[256];

	for (int i = 0; i < 3; i++) {
		script(*state, "ok\nend\n");
		assert_int_equal(ask(*state, text, NULL), 0);
	}
}

static void test_error_answer(void **state)
{
	char text[256], message[64];

	script(*state, "error 22 size=7x: bad \\\\ value\n");
	assert_int_equal(ask(*state, text, message), -EINVAL);
	assert_string_equal(message, "size=7x: bad \\ value");
	/* what the daemon refuses leaves the connection as good as before */
	script(*state, "ok\nend\n");
	assert_int_equal(ask(*state, text, message), 0);
	assert_string_equal(message, "");
}

static void test_error_in_the_middle(void **state)
{
	char text[256];

	script(*state, "ok\na 1\n");
	script(*state, "error 12\n");
	assert_int_equal(ask(*state, text, NULL), -ENOMEM);
	assert_string_equal(text, "a=1|");
}

static void test_message_is_cut(void **state)
{
	struct ends *ends = *state;
	char message[4];

	script(ends, "error 5 abcdef\n");
	assert_int_equal(hugetmpfs_request(ends->client, "x", NULL, NULL, NULL,
					   message, sizeof(message)), -EIO);
	assert_string_equal(message, "abc");
}

static void expect_rubbish(struct ends *ends, const void *packet, size_t length)
{
	char text[256];

	assert_int_equal(send(ends->server, packet, length, 0), length);
	assert_int_equal(ask(ends, text, NULL), -EPROTO);
	/* out of step: nothing can be asked any more */
	assert_int_equal(ask(ends, text, NULL), -EPIPE);
}

#define RUBBISH(name, packet)                                                  \
	static void test_##name(void **state)                                  \
	{                                                                      \
		expect_rubbish(*state, packet, sizeof(packet) - 1);            \
	}

RUBBISH(no_first_line, "a 1\nend\n")
RUBBISH(no_newline, "ok\nend")
RUBBISH(nul_inside, "ok\na \0 1\nend\n")
RUBBISH(lines_after_end, "ok\nend\na 1\n")
RUBBISH(error_without_number, "error what\n")
RUBBISH(error_of_zero, "error 0 fine\n")
RUBBISH(error_too_big, "error 99999 big\n")
RUBBISH(error_negative, "error -5 less\n")

static void test_huge_packet(void **state)
{
	static char packet[PROTOCOL_ANSWER_BYTES + 1];

	memset(packet, '\n', sizeof(packet));
	expect_rubbish(*state, packet, sizeof(packet));
}

static void test_cut_short(void **state)
{
	struct ends *ends = *state;
	char text[256];

	script(ends, "ok\na 1\n");
	close(ends->server);
	ends->server = -1;
	/* the request itself may still find the socket open, or not */
	int ret = ask(ends, text, NULL);

	assert_true(ret == -ECONNRESET || ret == -EPIPE);
}

static void test_silence(void **state)
{
	char text[256];

	script(*state, "ok\na 1\n");
	assert_int_equal(ask(*state, text, NULL), -ETIMEDOUT);
	assert_int_equal(ask(*state, text, NULL), -EPIPE);
}

static int stop_at_b(void *arg, const char *key, const char *value)
{
	(void) arg;
	(void) value;
	return *key == 'b' ? -ECANCELED : 0;
}

static void test_callback_ends_it(void **state)
{
	struct ends *ends = *state;

	script(ends, "ok\na 1\nb 2\nend\n");
	assert_int_equal(hugetmpfs_request(ends->client, "status", NULL,
					   stop_at_b, NULL, NULL, 0),
			 -ECANCELED);
	assert_int_equal(hugetmpfs_ping(ends->client), -EPIPE);
}

static void test_long_argument(void **state)
{
	static char argument[PROTOCOL_REQUEST_BYTES];
	struct ends *ends = *state;

	memset(argument, 'x', sizeof(argument) - 1);
	assert_int_equal(hugetmpfs_remount(ends->client, argument, NULL, 0),
			 -E2BIG);
	/* "remount", a space and a newline take nine bytes */
	argument[PROTOCOL_REQUEST_BYTES - 9] = '\0';
	script(ends, "ok\nend\n");
	assert_int_equal(hugetmpfs_remount(ends->client, argument, NULL, 0), 0);
}

static void test_bad_command(void **state)
{
	struct ends *ends = *state;

	assert_int_equal(hugetmpfs_request(ends->client, "", NULL, NULL, NULL,
					   NULL, 0), -EINVAL);
	assert_int_equal(hugetmpfs_request(ends->client, "a b", NULL, NULL,
					   NULL, NULL, 0), -EINVAL);
	assert_int_equal(hugetmpfs_status(ends->client, 1u << 31, NULL, NULL),
			 -EINVAL);
}

static int add_counter(void *arg, const char *name, uint64_t value)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s:%llu|", name,
		(unsigned long long) value);
	return 0;
}

static void test_counters(void **state)
{
	struct ends *ends = *state;
	char text[256] = "";

	script(ends, "ok\ncounter a 1\nlater x\n"
		     "counter b 18446744073709551615\nend\n");
	assert_int_equal(hugetmpfs_counters(ends->client, add_counter, text),
			 0);
	assert_string_equal(text, "a:1|b:18446744073709551615|");
	script(ends, "ok\ncounter a x1\nend\n");
	assert_int_equal(hugetmpfs_counters(ends->client, add_counter, text),
			 -EPROTO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answer_in_packets),
		TEST(test_bad_command),
		TEST(test_callback_ends_it),
		TEST(test_counters),
		TEST(test_cut_short),
		TEST(test_error_answer),
		TEST(test_error_in_the_middle),
		TEST(test_error_negative),
		TEST(test_error_of_zero),
		TEST(test_error_too_big),
		TEST(test_error_without_number),
		TEST(test_escapes),
		TEST(test_huge_packet),
		TEST(test_lines_after_end),
		TEST(test_long_argument),
		TEST(test_message_is_cut),
		TEST(test_no_first_line),
		TEST(test_no_newline),
		TEST(test_nul_inside),
		TEST(test_several_requests),
		TEST(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

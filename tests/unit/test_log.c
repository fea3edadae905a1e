/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging never waits for who reads the log. A test that waits is ended by its
 * alarm.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/syslog.h"

static char folder[] = "/tmp/hugetmpfs-log.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void) state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	syslog_set_path(path);
	alarm(60);
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	alarm(0);
	unlink(path);
	rmdir(folder);
	return 0;
}

static int listen_as(int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *) &address,
			      sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* The text after "<PRIORITY>DATE hugetmpfs[PID]: ". */
static const char *receive(int fd, char *message, size_t size)
{
	ssize_t length = recv(fd, message, size - 1, MSG_DONTWAIT);
	char *text;

	assert_true(length > 0);
	message[length] = '\0';
	assert_int_equal(strncmp(message, "<27>", 4), 0);
	text = strstr(message, "]: ");
	assert_non_null(text);
	return text + 3;
}

static void test_datagrams(void **state)
{
	int fd = listen_as(SOCK_DGRAM);
	unsigned sent = 2000, received = 0;
	char message[2000], expected[64];

	(void) state;
	syslog_send(27, "first");
	assert_string_equal(receive(fd, message, sizeof(message)), "first");
	/* more than there is room for, and nobody reads */
	for (unsigned i = 0; i < sent; i++)
		syslog_send(27, "again");
	while (recv(fd, message, sizeof(message), MSG_DONTWAIT) > 0)
		received++;
	assert_true(received > 0 && received < sent);
	syslog_send(27, "last");
	snprintf(expected, sizeof(expected), "messages lost: %u",
		 sent - received);
	assert_string_equal(receive(fd, message, sizeof(message)), expected);
	assert_string_equal(receive(fd, message, sizeof(message)), "last");
	close(fd);
}

static void test_stream(void **state)
{
	int listening = listen_as(SOCK_STREAM), fd;
	char message[2000];

	(void) state;
	syslog_send(27, "first");
	fd = accept(listening, NULL, NULL);
	assert_string_equal(receive(fd, message, sizeof(message)), "first");
	for (unsigned i = 0; i < 20000; i++)
		syslog_send(27, "again");
	close(fd);
	close(listening);
}

static void test_nobody_there(void **state)
{
	int fd;
	char message[2000];

	(void) state;
	syslog_send(27, "lost");
	/* somebody comes, and is another one later */
	fd = listen_as(SOCK_DGRAM);
	syslog_send(27, "one");
	assert_string_equal(receive(fd, message, sizeof(message)),
			    "messages lost: 1");
	assert_string_equal(receive(fd, message, sizeof(message)), "one");
	close(fd);
	unlink(path);
	fd = listen_as(SOCK_DGRAM);
	syslog_send(27, "two");
	assert_string_equal(receive(fd, message, sizeof(message)), "two");
	close(fd);
}

static void test_stderr(void **state)
{
	int kept = dup(STDERR_FILENO), pipe_fds[2];

	(void) state;
	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	for (unsigned i = 0; i < 2000; i++)
		log_warning("a line of some length, more often than there is "
			    "room for in a pipe that nobody reads");
	dup2(kept, STDERR_FILENO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(kept);
}

/* The journal is told the level, and names the program itself. */
static void test_journal(void **state)
{
	int kept = dup(STDERR_FILENO), pipe_fds[2];
	char stream[64], text[200] = "";
	struct stat st;

	(void) state;
	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	log_warning("to a pipe");
	assert_int_equal(fstat(pipe_fds[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu",
		 (unsigned long long) st.st_dev,
		 (unsigned long long) st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_warning("to the journal");
	log_info("once more");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_error("that is another file");
	unsetenv("JOURNAL_STREAM");
	dup2(kept, STDERR_FILENO);
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "hugetmpfs: warning: to a pipe\n"
			    "<4>to the journal\n<6>once more\n"
			    "hugetmpfs: that is another file\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_datagrams),
		TEST(test_stream),
		TEST(test_nobody_there),
		TEST(test_stderr),
		TEST(test_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

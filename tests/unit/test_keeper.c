/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the keeper is made of: reports of the daemon, escaped text, the answers
 * it gives on its socket, and mountinfo.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mountinfo.h"
#include "keeper/deaths.h"
#include "keeper/report.h"
#include "keeper/request.h"
#include "keeper/runtime.h"
#include "keeper/saved.h"

static void expect_report(int fd, int kind, const char *expected)
{
	int passed_fd;
	char *text;

	assert_int_equal(report_receive(fd, &text, &passed_fd), kind);
	assert_string_equal(text, expected);
	assert_int_equal(passed_fd, -1);
	free(text);
}

static void test_report(void **state)
{
	char *text, large[20001];
	int pair[2], passed_fd;

	(void) state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(report_receive(pair[0], &text, &passed_fd), -EAGAIN);
	assert_int_equal(report_send(pair[1], REPORT_READY, ""), 0);
	assert_int_equal(report_send(pair[1], REPORT_OPTIONS, "size=1G"), 0);
	assert_int_equal(report_send(pair[1], REPORT_ERROR, large), 0);
	expect_report(pair[0], REPORT_READY, "");
	expect_report(pair[0], REPORT_OPTIONS, "size=1G");
	close(pair[1]);
	/* what was said before the end is still heard */
	expect_report(pair[0], REPORT_ERROR, large);
	assert_int_equal(report_receive(pair[0], &text, &passed_fd), -EPIPE);
	close(pair[0]);
}

static void test_report_with_fd(void **state)
{
	int pair[2], pipe_fds[2], passed_fd;
	char *text, byte;

	(void) state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(report_send_fd(pair[1], REPORT_UPGRADE, "",
					pipe_fds[1]), 0);
	close(pipe_fds[1]);
	assert_int_equal(report_receive(pair[0], &text, &passed_fd),
			 REPORT_UPGRADE);
	free(text);
	assert_true(fcntl(passed_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(passed_fd, "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	close(passed_fd);
	/* that was the last one */
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	close(pair[0]);
	close(pair[1]);
}

static void test_report_answered(void **state)
{
	const int errors[] = { 0, -ENOSPC, -ENOMEM };
	int fd = report_answer_open();

	(void) state;
	assert_true(fd >= 0);
	assert_int_equal(report_answer_wait(fd, 0), -ETIMEDOUT);
	assert_int_equal(report_answer_wait(fd, 10), -ETIMEDOUT);
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		report_answer(fd, errors[i]);
		assert_int_equal(report_answer_wait(fd, 60000), errors[i]);
	}
	assert_int_equal(report_answer_wait(fd, 0), -ETIMEDOUT);
	/* nobody waits */
	report_answer(-1, 0);
	close(fd);
}

static void test_report_to_nobody(void **state)
{
	int pair[2];

	(void) state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	close(pair[0]);
	assert_int_equal(report_send(pair[1], REPORT_READY, ""), -EPIPE);
	close(pair[1]);
}

static void test_escape(void **state)
{
	char *text = runtime_escape("a\nb\\c d\t");

	(void) state;
	assert_string_equal(text, "a\\nb\\\\c d\t");
	free(text);
}

static void test_saved(void **state)
{
	struct saved saved = {
		.mountpoint = (char *) "/mnt/a\nb\\c end",
		.source = (char *) "hugetmpfs",
		.options = (char *) "size=1G,anchor,recoveries=8",
		.mount_flags = 4097,
		.dev = makedev(0, 77),
		.mount_id = 12,
		.unique_id = UINT64_MAX,
	};
	int fd = memfd_create("saved", MFD_CLOEXEC);
	struct saved found;

	(void) state;
	assert_int_equal(saved_read(fd, &found), -EUCLEAN);
	assert_int_equal(saved_write(fd, &saved), 0);
	/* what a longer text has left behind is not read */
	saved.options = (char *) "size=2G";
	assert_int_equal(saved_write(fd, &saved), 0);
	assert_int_equal(saved_read(fd, &found), 0);
	assert_string_equal(found.mountpoint, saved.mountpoint);
	assert_string_equal(found.source, saved.source);
	assert_string_equal(found.options, saved.options);
	assert_int_equal(found.mount_flags, saved.mount_flags);
	assert_true(found.dev == saved.dev && found.mount_id == 12 &&
		    found.unique_id == UINT64_MAX);
	saved_free(&found);
	assert_int_equal(ftruncate(fd, 60), 0);
	assert_int_equal(saved_read(fd, &found), -EUCLEAN);
	close(fd);
}

static void expect_answer(int error, const char *message, const char *expected)
{
	char packet[256];
	ssize_t length;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	request_answer(pair[1], error, message);
	length = recv(pair[0], packet, sizeof(packet) - 1, 0);
	assert_true(length > 0);
	packet[length] = '\0';
	assert_string_equal(packet, expected);
	assert_int_equal(recv(pair[0], packet, sizeof(packet), 0), 0);
	close(pair[0]);
}

static void test_answer(void **state)
{
	(void) state;
	expect_answer(0, NULL, "ok\nend\n");
	expect_answer(-ENOTCONN, "it is\ndead", "error 107 it is\\ndead\n");
	expect_answer(-EIO, NULL, "error 5 \n");
}

static void test_mountinfo(void **state)
{
	struct mountinfo root, same;
	struct stat st;

	(void) state;
	assert_int_equal(mountinfo_at("/proc", &root), 0);
	assert_string_equal(root.mountpoint, "/proc");
	assert_string_equal(root.fstype, "proc");
	assert_int_equal(stat("/proc", &st), 0);
	assert_true(root.dev == st.st_dev);
	assert_int_equal(mountinfo_by_id(root.id, &same), 0);
	assert_string_equal(same.mountpoint, root.mountpoint);
	assert_string_equal(same.source, root.source);
	assert_int_equal(same.flags, root.flags);
	mountinfo_free(&same);
	mountinfo_free(&root);
	assert_int_equal(mountinfo_at("/proc/", &root), -ENOENT);
	assert_int_equal(mountinfo_at("/proc/self", &root), -ENOENT);
	assert_int_equal(mountinfo_by_id(-1, &root), -ENOENT);
}

static void test_deaths(void **state)
{
	struct deaths deaths = { 0 };
	uint64_t now = 1000000;

	(void) state;
	for (int i = 0; i < DEATHS_MAX; i++)
		assert_false(deaths_add(&deaths, now++, DEATH_BY_ITSELF));
	for (int i = 0; i < DEATHS_MAX_KILLS; i++)
		assert_false(deaths_add(&deaths, now++, DEATH_KILLED));
	assert_true(deaths_add(&deaths, now, DEATH_BY_ITSELF));
	now += DEATHS_WINDOW_MS;
	assert_false(deaths_add(&deaths, now, DEATH_BY_ITSELF));
	/* seldom enough it may go on for ever */
	for (int i = 0; i < 100 * DEATHS_MAX; i++) {
		now += DEATHS_WINDOW_MS / DEATHS_MAX + 1;
		assert_false(deaths_add(&deaths, now, DEATH_BY_ITSELF));
	}
	for (int i = 0; i < DEATHS_MAX_KILLS; i++)
		deaths_add(&deaths, now, DEATH_KILLED);
	assert_true(deaths_add(&deaths, now, DEATH_KILLED));
}

static void test_deaths_unready(void **state)
{
	struct deaths deaths = { 0 };
	uint64_t now = 1000000;

	(void) state;
	/* seldom enough, but none of them has ever served */
	for (int i = 0; i < DEATHS_MAX_UNREADY; i++) {
		now += 2 * DEATHS_WINDOW_MS;
		assert_false(deaths_add(&deaths, now, DEATH_UNREADY));
	}
	now += 2 * DEATHS_WINDOW_MS;
	assert_true(deaths_add(&deaths, now, DEATH_UNREADY));
	deaths_end_unready(&deaths);
	now += 2 * DEATHS_WINDOW_MS;
	assert_false(deaths_add(&deaths, now, DEATH_UNREADY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_with_fd),
		cmocka_unit_test(test_report_answered),
		cmocka_unit_test(test_report_to_nobody),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_saved),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_deaths_unready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's side of the control socket: the real server and the real client
 * library on a real socket; the recovery engine is made up.
 *
 * The server lets only root in: who is not root is it in a user namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/hugetmpfs.h>
#include <hugetmpfs/protocol.h>

#include "client/connection.h"
#include "control/server.h"
#include "fake/answers.h"
#include "mm/mm.h"
#include "namespace/table.h"
#include "recovery/latency.h"
#include "recovery/recovery.h"

#define MAX_PEERS 16 /* as the server has it */

static struct control *control;
static struct control_config config;
static struct sockaddr_un address;
static socklen_t address_bytes;
static char root_path[] = "/tmp/hugetmpfs-control.XXXXXX";

/* ---- stand-ins for the recovery engine ---- */

int recovery_map_nodes(struct recovery *recovery,
		       const struct recovery_file *file, uint64_t first,
		       uint32_t nr, struct hugetmpfs_extent *extents,
		       uint64_t *size_bytes, uint64_t *node_pages)
{
	(void) recovery, (void) file, (void) first, (void) nr;
	(void) extents, (void) size_bytes, (void) node_pages;
	return -EIO;
}

uint64_t recovery_cancel_asked(struct recovery *recovery, uint64_t ino)
{
	(void) recovery;
	assert_int_equal(ino, 0);
	return 42;
}

void recovery_settings_get(struct recovery *recovery,
			   struct recovery_settings *settings)
{
	(void) recovery;
	recovery_settings_init(settings);
}

/* ---- the server ---- */

static char *give_options(void *arg)
{
	return strdup(arg);
}

static int take_options(void *arg, const char *options, char *error,
			size_t error_size)
{
	(void) arg;
	if (!strcmp(options, "size=8G"))
		return 0;
	snprintf(error, error_size, "bad\nvalue \"%s\"", options);
	return -EINVAL;
}

static int take_settings(void *arg, const char *settings, char *error,
			 size_t error_size)
{
	(void) arg;
	if (!strcmp(settings, "recoveries=1,max_holes=2"))
		return 0;
	snprintf(error, error_size, "bad value of \"%s\"", settings);
	return -EINVAL;
}

static int take_connection(void *arg, int fd)
{
	(void) arg;
	return send(fd, "ok\nby another\nend\n", 18, 0) == 18 ? 0 : -errno;
}

static const char *const names_low[] = { "first", NULL, "third" };
static const char *const meanings_low[] = { "the 1st", NULL, "the 3rd" };
static const char *const names_high[] = { "last" };
static const struct control_counters counters[] = {
	{ names_low, meanings_low, 3, 0 },
	{ names_high, NULL, 1, TABLE_NR_COUNTERS - 1 },
};
static struct recovery_latencies latencies;
static const struct mm_interface interfaces[] = {
	{ .name = "KPAGEFLAGS", .absence = "it is slow", .present = true },
	{ .name = "io_uring", .absence = "it is slower", .present = false },
};

static int listen_somewhere(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	/* an address without a name: the kernel chooses one */
	address.sun_family = AF_UNIX;
	address_bytes = sizeof(address.sun_family);
	if (bind(fd, (struct sockaddr *) &address, address_bytes) ||
	    listen(fd, 64))
		return -1;
	address_bytes = sizeof(address);
	return getsockname(fd, (struct sockaddr *) &address, &address_bytes) ?
		       -1 : fd;
}

static int setup(void **state)
{
	int memfd = table_create();
	_Atomic uint64_t *words;

	(void) state;
	strcpy(root_path + sizeof(root_path) - 7, "XXXXXX");
	assert_non_null(mkdtemp(root_path));
	config = (struct control_config){
		.listen_fd = listen_somewhere(),
		.root_fd = open(root_path, O_RDONLY | O_DIRECTORY),
		.mountpoint = "/mnt/new\nline",
		.version = "9.9",
		.keeper_pid = 4711,
		.passthrough = true, .survival = "no",
		.seccomp = "off: a test",
		.capabilities = "chown,kill",
		.counters = counters,
		.nr_counters = 2,
		.latencies = &latencies,
		.interfaces = interfaces,
		.nr_interfaces = 2,
		.options = give_options,
		.remount = take_options,
		.set = take_settings,
		.hand_over = take_connection,
		.options_arg = "size=4G",
	};
	assert_int_equal(table_open(&config.table, memfd), 0);
	close(memfd);
	words = table_counters(config.table);
	words[0] = 1;
	words[1] = 2;
	words[2] = UINT64_MAX;
	words[TABLE_NR_COUNTERS - 1] = 4;
	return control_start(&control, &config);
}

static int teardown(void **state)
{
	(void) state;
	control_stop(control);
	table_close(config.table);
	close(config.root_fd);
	close(config.listen_fd);
	return rmdir(root_path);
}

static int raw_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	assert_int_equal(connect(fd, (struct sockaddr *) &address,
				 address_bytes), 0);
	return fd;
}

static struct hugetmpfs_connection *client_connect(void)
{
	struct hugetmpfs_connection *client;

	assert_int_equal(connection_create(&client, raw_connect(), 10000), 0);
	return client;
}

/* ---- requests ---- */

static int collect(void *arg, const char *key, const char *value)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s=%s|", key, value);
	return 0;
}

static void expect_answer(const char *command, const char *argument,
			  const char *expected)
{
	struct hugetmpfs_connection *client = client_connect();
	char text[8192] = "";

	assert_int_equal(hugetmpfs_request(client, command, argument, collect,
					   text, NULL, 0), 0);
	assert_string_equal(text, expected);
	hugetmpfs_close(client);
}

static void expect_error(const char *command, const char *argument, int error,
			 const char *expected)
{
	struct hugetmpfs_connection *client = client_connect();
	char message[256];

	assert_int_equal(hugetmpfs_request(client, command, argument, NULL,
					   NULL, message, sizeof(message)),
			 error);
	assert_string_equal(message, expected);
	/* and goes on as if nothing had happened */
	assert_int_equal(hugetmpfs_ping(client), 0);
	hugetmpfs_close(client);
}

static void test_ping(void **state)
{
	(void) state;
	expect_answer("ping", NULL, "");
	expect_error("ping", "x", -EINVAL, "ping takes no argument");
}

/* Of a file: all there are, in the order of the reasons. */
static void expect_tally(const char *ino)
{
	char expected[2048];
	int length;

	length = sprintf(expected, "counter=bytes_recovered 6291456|"
				   "counter=recov_completed 3|");
#define X(constant, name, meaning)                                           \
	length += sprintf(expected + length, "counter=ended_" name " %s|",    \
			  HUGETMPFS_REASON_##constant ==                     \
					  HUGETMPFS_REASON_PINNED ? ino : "0");
	HUGETMPFS_REASONS(X)
#undef X
	expect_answer("counters", ino, expected);
}

static void test_counters(void **state)
{
	(void) state;
	expect_answer("counters", NULL,
		      "counter=first 1|counter=third 18446744073709551615|"
		      "counter=last 4|");
	expect_tally("77");
	expect_error("counters", "x", -EINVAL,
		     "counters takes the inode number of a file, not 'x'");
	expect_error("counters", "5 6", -EINVAL,
		     "counters takes the inode number of a file, not '5 6'");
}

static void test_cancel_and_upgrade(void **state)
{
	(void) state;
	expect_answer("cancel", NULL, "cancelled=42|");
	expect_error("cancel", "x", -EINVAL, "cancel takes no argument");
	expect_answer("upgrade", NULL, "by=another|");
	expect_error("upgrade", "x", -EINVAL, "upgrade takes no argument");
}

static void test_remount(void **state)
{
	(void) state;
	expect_answer("remount", "size=8G", "");
	expect_error("remount", "size=\\x", -EINVAL,
		     "bad\nvalue \"size=\\x\"");
}

/* Answered with all that hold, also when none is changed. */
static void test_set(void **state)
{
	static const char *const arguments[] = {
		NULL, "recoveries=1,max_holes=2",
	};
	char text[4096];

	(void) state;
	for (int i = 0; i < 2; i++) {
		struct hugetmpfs_connection *client = client_connect();

		*text = '\0';
		assert_int_equal(hugetmpfs_request(client, "set", arguments[i],
						   collect, text, NULL, 0), 0);
		assert_non_null(strstr(text, "setting=max_holes 64|"));
		assert_non_null(strstr(text, "setting=recover mapped|"));
		assert_non_null(strstr(text, "setting=free_block on|"));
		hugetmpfs_close(client);
	}
	expect_error("set", "recoveries=x", -EINVAL,
		     "bad value of \"recoveries=x\"");
}

static void test_unknown(void **state)
{
	(void) state;
	expect_error("format", NULL, -EOPNOTSUPP, "unknown command \"format\"");
	expect_error("status", "fast", -EINVAL, "status knows no \"fast\"");
	expect_error("attach", NULL, -EBUSY, "the daemon of /mnt/new\nline "
		     "lives: nothing is to be attached");
}

static void test_status(void **state)
{
	struct hugetmpfs_connection *client = client_connect();
	char text[8192] = "", expected[64];

	(void) state;
	recovery_latency_add(&latencies, RECOVERY_LATENCY_remap, 1500);
	recovery_latency_add(&latencies, RECOVERY_LATENCY_remap, 1500);
	assert_int_equal(hugetmpfs_status(client, HUGETMPFS_STATUS_NO_SCAN,
					  collect, text), 0);
	hugetmpfs_close(client);
	snprintf(expected, sizeof(expected), "daemon_pid=%d|", getpid());
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, "mountpoint=/mnt/new\nline|"));
	assert_non_null(strstr(text, "version=9.9|keeper_pid=4711|"));
	assert_non_null(strstr(text, "options=size=4G|survival=no|passthrough=on|"
			       "seccomp=off: a test|capabilities=chown,kill|"));
	assert_non_null(strstr(text,
			       "interface=KPAGEFLAGS present it is slow|"
			       "interface=io_uring absent it is slower|"));
	assert_non_null(strstr(text, "recoveries=8|queued=2|running=1|"));
	assert_non_null(strstr(text, "|counter=third 18446744073709551615|"));
	assert_non_null(strstr(text, "|latency=scan 0 0 0 0 0 0 0 0 0 0 0 0 0 "
			       "0 0 0 0 0 0 0 0 0 0 0 0 0|"));
	assert_non_null(strstr(text, "|latency=remap 3000 0 2 0"));
	assert_null(strstr(text, "bytes=huge"));
}

static void test_metrics(void **state)
{
	struct hugetmpfs_connection *client = client_connect();
	char text[8192] = "";

	(void) state;
	assert_int_equal(hugetmpfs_request(client, "metrics", NULL, collect,
					   text, NULL, 0), 0);
	hugetmpfs_close(client);
	assert_non_null(strstr(text, "mountpoint=/mnt/new\nline|"));
	assert_non_null(strstr(text, "|counter=third 18446744073709551615|"));
	assert_non_null(strstr(text, "|latency=collapse 0 0 0"));
	assert_non_null(strstr(text, "|meaning=first the 1st|"
			       "meaning=third the 3rd|"));
	assert_null(strstr(text, "bytes=huge"));
	expect_error("metrics", "x", -EINVAL, "metrics knows no \"x\"");
}

/* ---- rubbish and worse ---- */

static void expect_refusal(const void *packet, size_t length, int error)
{
	int fd = raw_connect();
	char text[256], expected[32];
	ssize_t n;

	assert_int_equal(send(fd, packet, length, 0), length);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	snprintf(expected, sizeof(expected), "error %d ", error);
	assert_memory_equal(text, expected, strlen(expected));
	assert_int_equal(text[n - 1], '\n');
	close(fd);
}

static void test_rubbish(void **state)
{
	static char huge[64 * 1024];

	(void) state;
	expect_refusal("ping\0x", 6, EINVAL);
	expect_refusal("ping\nping\n", 10, EINVAL);
	expect_refusal("\n", 1, EOPNOTSUPP);
	expect_refusal("\xff\xfe\n", 3, EOPNOTSUPP);
	expect_refusal("remount a\\q", 11, EINVAL);
	expect_refusal("remount a\\", 10, EINVAL);
	memset(huge, 'x', sizeof(huge));
	expect_refusal(huge, sizeof(huge), EMSGSIZE);
	expect_refusal(huge, PROTOCOL_REQUEST_BYTES + 1, EMSGSIZE);
	expect_refusal(huge, PROTOCOL_REQUEST_BYTES, EOPNOTSUPP);
	expect_answer("ping", NULL, "");
}

/* Words of the protocol and bytes of any kind, thrown together. */
static void test_random_packets(void **state)
{
	static const char *const words[] = { "ping", "status", "no-scan", " ",
					     "counters", "remount ", "\n",
					     "size=8G", "\\", "\\n" };
	int fd = raw_connect();
	char packet[512], answer[PROTOCOL_ANSWER_BYTES];
	size_t length;

	(void) state;
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		length = 0;
		for (long pieces = random() % 6; pieces >= 0; pieces--) {
			const char *word = words[random() % 10];

			if (random() % 3 == 0)
				packet[length++] = (char) random();
			memcpy(packet + length, word, strlen(word));
			length += strlen(word);
		}
		assert_int_equal(send(fd, packet, length, 0), length);
		do {
			ssize_t n = recv(fd, answer, sizeof(answer), 0);

			assert_true(n > 3);
			assert_int_equal(answer[n - 1], '\n');
			length = (size_t) n;
		} while (memcmp(answer, "error ", 6) &&
			 memcmp(answer + length - 4, "end\n", 4));
	}
	close(fd);
	expect_answer("ping", NULL, "");
}

/* Takes no answer; once nothing more fits, its requests are read no more. */
static void test_client_that_never_reads(void **state)
{
	int fd = raw_connect();

	(void) state;
	while (send(fd, "status no-scan", 14, MSG_DONTWAIT) > 0)
		poll(NULL, 0, 1);
	assert_int_equal(errno, EAGAIN);
	expect_answer("ping", NULL, "");
	close(fd);
	expect_answer("ping", NULL, "");
}

static void test_clients_that_vanish(void **state)
{
	(void) state;
	for (int i = 0; i < 100; i++) {
		int fd = raw_connect();

		if (i % 2)
			assert_int_equal(send(fd, "status", 6, 0), 6);
		close(fd);
	}
	expect_answer("ping", NULL, "");
}

/* Those that only sit there make room for those that ask, the oldest first. */
static void test_many_idle_clients(void **state)
{
	int fds[3 * MAX_PEERS];
	char byte;

	(void) state;
	for (unsigned i = 0; i < 3 * MAX_PEERS; i++) {
		fds[i] = raw_connect();
		/* until it is answered it has not been accepted for certain */
		assert_int_equal(send(fds[i], "ping", 4, 0), 4);
		assert_true(recv(fds[i], &byte, 1, 0) > 0);
	}
	expect_answer("ping", NULL, "");
	assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
	assert_int_equal(recv(fds[3 * MAX_PEERS - 1], &byte, 1, MSG_DONTWAIT),
			 -1);
	for (unsigned i = 0; i < 3 * MAX_PEERS; i++)
		close(fds[i]);
}

static void test_stop_with_clients(void **state)
{
	int fd = raw_connect(), other = raw_connect();
	char byte;

	(void) state;
	assert_int_equal(send(fd, "ping", 4, 0), 4);
	assert_true(recv(fd, &byte, 1, 0) > 0);
	control_stop(control);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(control_start(&control, &config), 0);
	close(fd);
	close(other);
	expect_answer("ping", NULL, "");
}

static void test_not_root(void **state)
{
	int status;
	pid_t pid;

	(void) state;
	if (getuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		struct hugetmpfs_connection *client;
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		/* not to be had where nobody else is mapped */
		if (setresuid(65534, 65534, 65534))
			_exit(77);
		if (connect(fd, (struct sockaddr *) &address, address_bytes) ||
		    connection_create(&client, fd, 5000))
			_exit(2);
		_exit(hugetmpfs_ping(client) == -EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	expect_answer("ping", NULL, "");
}

static void test_bad_counters(void **state)
{
	static const struct control_counters bad[] = {
		{ names_low, NULL, 3, TABLE_NR_COUNTERS - 2 },
		{ names_low, NULL, 3, UINT32_MAX },
	};
	struct control_config wrong = config;
	struct control *none;

	(void) state;
	for (int i = 0; i < 2; i++) {
		wrong.counters = &bad[i];
		wrong.nr_counters = 1;
		assert_int_equal(control_start(&none, &wrong), -EINVAL);
	}
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t) strlen(text) ? 0 : -1;
}

/* Root in a namespace of our own, if we are not root already. */
static int become_root(void)
{
	char map[32];

	if (getuid() == 0)
		return 0;
	snprintf(map, sizeof(map), "0 %d 1", (int) getuid());
	return unshare(CLONE_NEWUSER) ? -1 :
					write_file("/proc/self/uid_map", map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_counters),
		TEST(test_client_that_never_reads),
		TEST(test_clients_that_vanish),
		TEST(test_cancel_and_upgrade),
		TEST(test_counters),
		TEST(test_many_idle_clients),
		TEST(test_metrics),
		TEST(test_not_root),
		TEST(test_ping),
		TEST(test_random_packets),
		TEST(test_remount),
		TEST(test_set),
		TEST(test_rubbish),
		TEST(test_status),
		TEST(test_stop_with_clients),
		TEST(test_unknown),
	};

	if (become_root())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the socket of a mount: real sockets in a folder of our own, with
 * leftovers and rubbish beside them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/hugetmpfs.h>

#include "client/lookup.h"

static char dir[] = "/tmp/hugetmpfs-runtime.XXXXXX";

static int setup(void **state)
{
	(void) state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void) state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* A mount's folder; with content NULL there is no mount file in it. */
static void add_folder(const char *name, const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	if (!content)
		return;
	strcat(path, "/mount");
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

/* A listening socket; closed again it is what a dead keeper leaves. */
static int add_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/control",
		 dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *) &address,
			      sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int find(unsigned dev_major, unsigned dev_minor)
{
	return lookup_connect(dir, makedev(dev_major, dev_minor), 100);
}

static void test_found_among_others(void **state)
{
	int listening, fd;

	(void) state;
	add_folder("10", NULL);
	add_folder("11", "rubbish\n");
	add_folder("12", "dev 0:50\nmountpoint /a\n");
	add_folder("13", "mountpoint /b\ndev 0:51\n");
	add_folder("other", "dev 0:51\n");
	listening = add_socket("13");
	fd = find(0, 51);
	assert_true(fd >= 0);
	close(fd);
	close(listening);
}

static void test_nothing_there(void **state)
{
	(void) state;
	assert_int_equal(find(0, 51), -ENODEV);
	assert_int_equal(lookup_connect("/nowhere", makedev(0, 51), 100),
			 -ENODEV);
	add_folder("12", "dev 0:50\n");
	assert_int_equal(find(0, 51), -ENODEV);
}

static void test_leftovers(void **state)
{
	int listening, fd;

	(void) state;
	/* a number that is used again: one folder is dead, one alive */
	add_folder("20", "dev 0:60\n");
	close(add_socket("20"));
	assert_int_equal(find(0, 60), -ECONNREFUSED);
	add_folder("21", "dev 0:60\n");
	assert_int_equal(find(0, 60), -ECONNREFUSED);
	add_folder("22", "dev 0:60\n");
	listening = add_socket("22");
	fd = find(0, 60);
	assert_true(fd >= 0);
	close(fd);
	close(listening);
}

/* A server that does not accept must not hold us for ever. */
static void test_full_backlog(void **state)
{
	int listening, fds[8], nr = 0;

	(void) state;
	add_folder("30", "dev 0:70\n");
	listening = add_socket("30");
	while (nr < 8 && (fds[nr] = find(0, 70)) >= 0)
		nr++;
	assert_in_range(nr, 1, 7);
	assert_int_equal(fds[nr], -ETIMEDOUT);
	while (nr--)
		close(fds[nr]);
	close(listening);
}

static void test_mount_of(void **state)
{
	struct hugetmpfs_mount mount;

	(void) state;
	assert_int_equal(hugetmpfs_mount_of("/", &mount), -ENOTTY);
	assert_int_equal(hugetmpfs_mount_of("/proc", &mount), -ENOTTY);
	assert_int_equal(hugetmpfs_mount_of("/nowhere", &mount), -ENOENT);
	assert_int_equal(hugetmpfs_mount_of_fd(-1, &mount), -EBADF);
}

static void test_not_our_files(void **state)
{
	struct hugetmpfs_extent extent;
	FILE *file = tmpfile();

	(void) state;
	assert_non_null(file);
	assert_int_equal(hugetmpfs_map(fileno(file), 0, 1, &extent, NULL),
			 -ENOTTY);
	assert_int_equal(hugetmpfs_recover(fileno(file), 0, 1, 0, &extent,
					   NULL), -ENOTTY);
	assert_int_equal(hugetmpfs_map(fileno(file), 0, 0, &extent, NULL),
			 -EINVAL);
	assert_int_equal(hugetmpfs_map(-1, 0, 1, &extent, NULL), -EBADF);
	fclose(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found_among_others),
		TEST(test_full_backlog),
		TEST(test_leftovers),
		TEST(test_mount_of),
		TEST(test_not_our_files),
		TEST(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

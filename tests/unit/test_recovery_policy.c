/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the pages of a file belong: its own rules over the mount's, which nodes
 * are refused and in which words, and what new pages are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake/engine.h"
#include "placement/policy.h"
#include "recovery/internal.h"

static struct engine engine;
static char error[256];

static int setup(void **state)
{
	(void) state;
	memset(&engine, 0, sizeof(engine));
	error[0] = '\0';
	fake_mm_init(&engine.fake, 4);
	engine_start(&engine, 1);
	return 0;
}

static int teardown(void **state)
{
	(void) state;
	engine_stop(&engine);
	return 0;
}

/* Without user attributes in tmpfs there is nothing to test. */
static void give(const char *text)
{
	if (fsetxattr(engine.file.fd, HUGETMPFS_XATTR_NUMA, text, strlen(text),
		      0))
		skip();
	recovery_policy_changed(engine.recovery);
}

static void assert_holds(const char *text)
{
	struct placement_policy policy;
	char out[HUGETMPFS_NUMA_BYTES];

	recovery_placement(engine.recovery, engine.file.fd, &policy);
	placement_format(&policy, out, sizeof(out));
	assert_string_equal(out, text);
}

static void test_over_the_mount(void **state)
{
	(void) state;
	assert_holds("");
	engine_set(&engine, "numa=bind:1");
	assert_holds("bind:1");
	give("prefer:0@2-3");
	assert_holds("bind:1 prefer:0@2-3");
	give("interleave:0,2");
	assert_holds("bind:1 interleave:0,2");
	engine_set(&engine, "numa=default");
	assert_holds("interleave:0,2");
	/* that may have come from anywhere: as if it were not there */
	give("everywhere");
	assert_holds("");
	assert_int_equal(fremovexattr(engine.file.fd, HUGETMPFS_XATTR_NUMA), 0);
	assert_holds("");
}

/* A file that may say otherwise, and cannot be asked. */
static void test_unreadable(void **state)
{
	struct recovery_settings settings;
	struct placement_policy policy;
	char path[64];
	int fd;

	(void) state;
	engine_set(&engine, "numa=bind:1,recover=all");
	recovery_settings_get(engine.recovery, &settings);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", engine.file.fd);
	fd = open(path, O_PATH | O_CLOEXEC); /* EBADF */
	assert_true(fd >= 0);
	recovery_placement(engine.recovery, fd, &policy);
	assert_int_equal(policy.nr, 1);
	assert_int_equal(recovery_policy_background(engine.recovery, &settings,
						    fd),
			 RECOVERY_RECOVER_ALL);
	recovery_policy_changed(engine.recovery);
	recovery_placement(engine.recovery, fd, &policy);
	assert_int_equal(policy.nr, 0);
	assert_int_equal(recovery_policy_background(engine.recovery, &settings,
						    fd),
			 RECOVERY_RECOVER_OFF);
	close(fd);
}

static void test_of_the_mount(void **state)
{
	char text[HUGETMPFS_NUMA_BYTES];

	(void) state;
	recovery_placement_of_mount(engine.recovery, text, sizeof(text));
	assert_string_equal(text, "default");
	engine_set(&engine, "numa=interleave:0,2-3");
	recovery_placement_of_mount(engine.recovery, text, sizeof(text));
	assert_string_equal(text, "interleave:0,2-3");
}

static int check(const char *text, pid_t pid)
{
	struct placement_policy policy;

	assert_int_equal(placement_parse(text, strlen(text), &policy, error,
					 sizeof(error)),
			 0);
	return recovery_placement_check(engine.recovery, &policy, pid, error,
					sizeof(error));
}

static void test_nodes_that_are_not_there(void **state)
{
	(void) state;
	assert_int_equal(check("bind:0", 2), 0);
	assert_int_equal(check("default", 2), 0);
	assert_int_equal(check("bind:1", 2), -ENODEV);
	assert_string_equal(error, "node 1: no such NUMA node with memory "
				   "here; there is 0");
	engine.fake.nr_nodes = 3;
	assert_int_equal(check("bind:1 follow@3-4", 2), 0);
	assert_int_equal(check("interleave:0-5 prefer:1023@2-", 2), -ENODEV);
	assert_string_equal(error, "node 3-5,1023: no such NUMA node with "
				   "memory here; there is 0-2");
}

static void test_nodes_that_are_not_allowed(void **state)
{
	(void) state;
	engine.fake.nr_nodes = 3;
	assert_int_equal(check("bind:0", FAKE_CONFINED), 0);
	assert_int_equal(check("bind:1 prefer:2@3-4", FAKE_CONFINED), -EACCES);
	assert_string_equal(error, "node 1-2: the caller's cpuset does not "
				   "allow it; it allows 0");
	/* who asks from another pid namespace, or is gone, is not known */
	assert_int_equal(check("bind:1", 0), 0);
	assert_int_equal(check("bind:1", -1), 0);
}

static void assert_placed(unsigned i, uint64_t first, uint64_t nr,
			  enum hugetmpfs_numa mode, unsigned long nodes)
{
	const struct fake_placed *placed = &engine.fake.placed[i];

	assert_true(i < engine.fake.nr_placed);
	assert_int_equal(placed->first, first);
	assert_int_equal(placed->nr, nr);
	assert_int_equal(placed->mode, mode);
	assert_int_equal(placed->nodes, nodes);
}

static void test_new_pages(void **state)
{
	(void) state;
	/* with one node nothing is done at all */
	engine_set(&engine, "numa=bind:0");
	recovery_place(engine.recovery, engine.file.fd);
	assert_int_equal(engine.fake.nr_placed, 0);
	engine.fake.nr_nodes = 3;
	recovery_place(engine.recovery, engine.file.fd);
	assert_int_equal(engine.fake.nr_placed, 2);
	assert_placed(0, 0, HUGETMPFS_MAX_EXTENTS, HUGETMPFS_NUMA_DEFAULT, 0);
	assert_placed(1, 0, HUGETMPFS_MAX_EXTENTS, HUGETMPFS_NUMA_BIND, 1);
	give("interleave:0-2@3-9 bind:1@20-");
	engine.fake.forbidden[1] = true;
	recovery_place(engine.recovery, engine.file.fd);
	assert_int_equal(engine.fake.nr_placed, 6);
	assert_placed(3, 0, HUGETMPFS_MAX_EXTENTS, HUGETMPFS_NUMA_BIND, 1);
	assert_placed(4, 3, 7, HUGETMPFS_NUMA_INTERLEAVE, 5);
	/* none of its nodes may be used: better anywhere than an error */
	assert_placed(5, 20, HUGETMPFS_MAX_EXTENTS - 20,
		      HUGETMPFS_NUMA_DEFAULT, 0);
}

#define unit(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_over_the_mount),
		unit(test_of_the_mount),
		unit(test_unreadable),
		unit(test_nodes_that_are_not_there),
		unit(test_nodes_that_are_not_allowed),
		unit(test_new_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

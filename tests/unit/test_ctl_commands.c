/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: what is taken, what is refused and with which exit code, where
 * no mount is needed for it.
 */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl/command.h"
#include "ctl/range.h"

/* Runs a command with words up to NULL; its output goes nowhere. */
static int run(const struct command *command, ...)
{
	char *argv[8] = { (char *) command->name };
	int argc = 0, code, null, out, err;
	va_list ap;

	va_start(ap, command);
	while (argv[argc])
		argv[++argc] = va_arg(ap, char *);
	va_end(ap);
	fflush(stdout);
	null = open("/dev/null", O_WRONLY);
	out = dup(STDOUT_FILENO);
	err = dup(STDERR_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	optind = 0; /* glibc: begin anew */
	code = command->run(argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(null);
	close(out);
	close(err);
	return code;
}

static const struct command *const all[] = {
	&command_cancel,
	&command_counters,
	&command_map,
	&command_recover,
	&command_status,
	&command_why,
};

static void test_for_all(void **state)
{
	(void) state;
	for (size_t i = 0; i < NR(all); i++) {
		assert_int_equal(run(all[i], NULL), CTL_USAGE);
		assert_int_equal(run(all[i], "--json", NULL), CTL_USAGE);
		assert_int_equal(run(all[i], "--nonsense", "/", NULL),
				 CTL_USAGE);
		assert_int_equal(run(all[i], "--json=x", "/", NULL), CTL_USAGE);
		assert_int_equal(run(all[i], "-x", "/", NULL), CTL_USAGE);
		assert_int_equal(run(all[i], "--help", NULL), CTL_DONE);
		assert_int_equal(run(all[i], "-h", "--nonsense", NULL),
				 CTL_DONE);
		/* an option may come last, and be cut short */
		assert_int_equal(run(all[i], "/", "--js", NULL), CTL_ERROR);
		assert_int_equal(run(all[i], "/none", NULL), CTL_ERROR);
		assert_int_equal(run(all[i], "--", "--json", NULL), CTL_ERROR);
		/* a usage tells of each of them in the same form */
		assert_int_equal(strncmp(all[i]->usage, all[i]->name,
					 strlen(all[i]->name)), 0);
		assert_non_null(strstr(all[i]->usage, "\n  -h, --help  "));
	}
}

static void test_one_mount(void **state)
{
	(void) state;
	assert_int_equal(run(&command_status, "/", "/", NULL), CTL_USAGE);
	assert_int_equal(run(&command_counters, "/", "/", NULL), CTL_USAGE);
}

static void test_own_options(void **state)
{
	(void) state;
	assert_int_equal(run(&command_status, "--no-scan", "/", NULL),
			 CTL_ERROR);
	assert_int_equal(run(&command_map, "--all", "/", NULL), CTL_ERROR);
	assert_int_equal(run(&command_recover, "--dry-run", "--quiet", "/",
			     NULL), CTL_ERROR);
	assert_int_equal(run(&command_recover, "--no-wait", "--range=0-", "/etc/"
			     "passwd", NULL), CTL_ERROR);
	assert_int_equal(run(&command_map, "--dry-run", "/", NULL), CTL_USAGE);
	assert_int_equal(run(&command_recover, "--all", "/", NULL), CTL_USAGE);
}

static void test_ranges(void **state)
{
	static const char *const wrong[] = {
		"",   "-",    "1",    "1-1",   "2-1", "-1-2", "1--2", "1:2",
		"1x-", " 1-", "1- 2", "1-2k3", "k-",  "1kib-", "16e-", "8e-",
		"0-9223372036854775809", "99999999999999999999-",
	};

	(void) state;
	for (size_t i = 0; i < NR(wrong); i++)
		assert_int_equal(run(&command_recover, "--range", wrong[i],
				     "/none", NULL), CTL_USAGE);
	assert_int_equal(run(&command_recover, "--range", "0-8e", "/none",
			     NULL), CTL_ERROR);
	assert_int_equal(run(&command_recover, "--range", "1-2", "/", NULL),
			 CTL_USAGE);
	assert_int_equal(run(&command_recover, "/none", "--range", NULL),
			 CTL_USAGE);
}

static void assert_range(const char *text, uint64_t first, uint64_t end,
			 uint64_t bytes_of_10m)
{
	struct range range;

	assert_true(range_parse_bytes(text, &range));
	assert_int_equal(range.first, first);
	assert_int_equal(range.end, end);
	assert_int_equal(range_bytes(&range, 10 << 20), bytes_of_10m);
}

static void test_range_bytes(void **state)
{
	(void) state;
	assert_range("0-", 0, 0, 10 << 20);
	assert_range("0-1", 0, 1, 2 << 20);
	assert_range("2m-4M", 1, 2, 2 << 20);
	assert_range("2097151-2097153", 0, 2, 4 << 20);
	assert_range("9m-1g", 4, 512, 2 << 20);
	assert_range("3g-", 1536, 0, 0);
	assert_range("0-8e", 0, UINT64_C(1) << 42, 10 << 20);
}

static void test_range_extents(void **state)
{
	static const char *const wrong[] = { "",    "x",   "-1", "3-", "3-2",
					     "1k",  "3-4x",
					     "4398046511104" };
	struct range range;

	(void) state;
	for (size_t i = 0; i < NR(wrong); i++)
		assert_false(range_parse_extents(wrong[i], &range));
	assert_true(range_parse_extents("7", &range));
	assert_int_equal(range.first, 7);
	assert_int_equal(range.end, 8);
	assert_true(range_parse_extents("0-511", &range));
	assert_int_equal(range.first, 0);
	assert_int_equal(range.end, 512);
}

/* What is no file on such a mount is refused, whatever it is. */
static void test_strange_paths(void **state)
{
	static const char *const paths[] = { "/dev/null", "/dev/zero", "/proc",
					     "/proc/self/maps", "", "/none/x" };

	(void) state;
	for (size_t i = 0; i < NR(paths); i++) {
		assert_int_equal(run(&command_map, paths[i], NULL), CTL_ERROR);
		assert_int_equal(run(&command_map, "--json", paths[i], paths[i],
				     NULL), CTL_ERROR);
		assert_int_equal(run(&command_recover, "--dry-run", paths[i],
				     NULL), CTL_ERROR);
		assert_int_equal(run(&command_recover, "--json", paths[i],
				     paths[i], NULL), CTL_ERROR);
		assert_int_equal(run(&command_status, paths[i], NULL),
				 CTL_ERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_all),
		cmocka_unit_test(test_one_mount),
		cmocka_unit_test(test_own_options),
		cmocka_unit_test(test_range_bytes),
		cmocka_unit_test(test_range_extents),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_strange_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

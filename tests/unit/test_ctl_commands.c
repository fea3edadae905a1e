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
	&command_counters,
	&command_map,
	&command_recover,
	&command_status,
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
	assert_int_equal(run(&command_map, "--dry-run", "/", NULL), CTL_USAGE);
	assert_int_equal(run(&command_recover, "--all", "/", NULL), CTL_USAGE);
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
		cmocka_unit_test(test_strange_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

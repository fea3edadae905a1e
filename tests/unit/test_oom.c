/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * oom_score_adj: it is lowered, and put back. What is above 0 may be lowered
 * again without any privilege.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/oom.h"

static void set_score(const char *text)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int score(void)
{
	int number = -1;

	assert_int_equal(oom_score_of(getpid(), &number), 0);
	return number;
}

static void test_protect(void **state)
{
	(void) state;
	set_score("800");
	/* nothing was changed yet */
	oom_unprotect();
	assert_int_equal(score(), 800);
	/* it is less likely already */
	assert_int_equal(oom_protect(900), 0);
	oom_unprotect();
	assert_int_equal(score(), 800);
	assert_int_equal(oom_protect(700), 0);
	assert_int_equal(score(), 700);
	oom_unprotect();
	assert_int_equal(score(), 800);
}

/* Whatever it was, and without any privilege. */
static void test_offer(void **state)
{
	(void) state;
	oom_offer();
	assert_int_equal(score(), OOM_SCORE_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protect),
		cmocka_unit_test(test_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set of numbers: each is new once, also while it grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/u64set.h"

static void test_each_is_new_once(void **state)
{
	struct u64set set = { 0 };

	(void) state;
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 1; i <= 10000; i++)
			assert_int_equal(u64set_add(&set, i), round == 0);
		/* numbers that fall together in a table without mixing */
		for (uint64_t i = 1; i <= 1000; i++)
			assert_int_equal(u64set_add(&set, i << 40), round == 0);
	}
	assert_int_equal(set.nr, 11000);
	assert_int_equal(u64set_add(&set, UINT64_MAX), 1);
	u64set_clear(&set);
	assert_int_equal(set.nr, 0);
	assert_int_equal(u64set_add(&set, 1), 1);
	u64set_clear(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_new_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

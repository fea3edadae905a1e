/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Option strings: what mount(8) and tmpfs make of commas, quotes and digits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/optstr.h"

/* Splits text and puts it together again as name[=value] between bars. */
static void expect_split(const char *text, const char *expected)
{
	char copy[256], joined[256] = "", *cursor = copy, *name, *value;

	strcpy(copy, text);
	while ((name = optstr_next(&cursor, &value))) {
		strcat(joined, "|");
		strcat(joined, name);
		if (value) {
			strcat(joined, "=");
			strcat(joined, value);
		}
	}
	assert_string_equal(joined, expected);
}

static void test_split(void **state)
{
	(void) state;
	expect_split("", "");
	expect_split(",,", "");
	expect_split("ro", "|ro");
	expect_split("ro,size=4G", "|ro|size=4G");
	expect_split(",ro,,size=,", "|ro|size=");
	expect_split("a=b=c", "|a=b=c");
}

static void test_split_nodes(void **state)
{
	(void) state;
	expect_split("mpol=bind:0,2,ro", "|mpol=bind:0,2|ro");
	expect_split("mpol=interleave:0-1,3-4,size=1", "|mpol=interleave:0-1,3-4|size=1");
	expect_split("xmpol=0,2", "|xmpol=0|2");
	expect_split("numa=interleave:0,2-3,4,recover=off",
		     "|numa=interleave:0,2-3,4|recover=off");
}

static void test_split_quotes(void **state)
{
	(void) state;
	expect_split("a=\"x,y\",b", "|a=x,y|b");
	expect_split("a=\"x", "|a=x");
}

static void test_has(void **state)
{
	(void) state;
	assert_true(optstr_has("a,size=4G", "size"));
	assert_true(optstr_has("a,size=4G", "a"));
	assert_false(optstr_has("a,size=4G", "siz"));
	assert_false(optstr_has("a,size=4G", "4G"));
	assert_false(optstr_has("", "a"));
	assert_false(optstr_has(NULL, "a"));
}

static void test_value(void **state)
{
	char *value;

	(void) state;
	assert_int_equal(optstr_value("size=1G,uid=0,size=2G", "size", &value),
			 0);
	assert_string_equal(value, "2G");
	free(value);
	assert_int_equal(optstr_value("size", "size", &value), 0);
	assert_null(value);
	assert_int_equal(optstr_value("size=1", "uid", &value), 0);
	assert_null(value);
	assert_int_equal(optstr_value(NULL, "uid", &value), 0);
	assert_null(value);
}

static void test_set(void **state)
{
	char *options = NULL;

	(void) state;
	assert_int_equal(optstr_set(&options, "size", "1G"), 0);
	assert_string_equal(options, "size=1G");
	assert_int_equal(optstr_set(&options, "inode64", NULL), 0);
	assert_string_equal(options, "size=1G,inode64");
	assert_int_equal(optstr_set(&options, "size", "2G"), 0);
	assert_string_equal(options, "inode64,size=2G");
	assert_int_equal(optstr_set(&options, "mpol", "bind:0,2"), 0);
	assert_int_equal(optstr_set(&options, "uid", "3"), 0);
	assert_string_equal(options, "inode64,size=2G,mpol=bind:0,2,uid=3");
	assert_int_equal(optstr_remove(&options, "mpol"), 0);
	assert_string_equal(options, "inode64,size=2G,uid=3");
	free(options);
}

static void test_remove_last(void **state)
{
	char *options = strdup("a=1");

	(void) state;
	assert_int_equal(optstr_remove(&options, "a"), 0);
	assert_string_equal(options, "");
	assert_int_equal(optstr_set(&options, "b", NULL), 0);
	assert_string_equal(options, "b");
	free(options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_nodes),
		cmocka_unit_test(test_split_quotes),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_remove_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

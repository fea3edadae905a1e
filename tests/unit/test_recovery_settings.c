/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of settings: what is understood, what is refused and in which
 * words, and that a refusal changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "recovery/settings.h"

static struct recovery_settings settings, before;
static char error[512];

static int setup(void **state)
{
	(void) state;
	memset(&settings, 0, sizeof(settings));
	recovery_settings_init(&settings);
	before = settings;
	error[0] = '\0';
	return 0;
}

static void parse(const char *text)
{
	assert_int_equal(recovery_settings_parse(&settings, text, error,
						 sizeof(error)), 0);
}

static void refuse(const char *text, const char *words)
{
	assert_int_equal(recovery_settings_parse(&settings, text, error,
						 sizeof(error)), -EINVAL);
	assert_string_equal(error, words);
	assert_memory_equal(&settings, &before, sizeof(settings));
}

static void test_all(void **state)
{
	(void) state;
	parse("recoveries=256,max_holes=511,bytes_per_second=1,"
	      "cpu_percent=25600,latency_us=1000000,pressure_percent=100,"
	      "free_block=off,compact=on,recover=all");
	assert_int_equal(settings.recoveries, 256);
	assert_int_equal(settings.max_holes, 511);
	assert_int_equal(settings.bytes_per_second, 1);
	assert_int_equal(settings.cpu_percent, 25600);
	assert_int_equal(settings.latency_us, 1000000);
	assert_int_equal(settings.pressure_percent, 100);
	assert_false(settings.free_block);
	assert_true(settings.compact);
	assert_int_equal(settings.recover, RECOVERY_RECOVER_ALL);
	parse("recoveries=0,max_holes=0,bytes_per_second=0,cpu_percent=0,"
	      "latency_us=100,pressure_percent=0,free_block=on,compact=off,"
	      "recover=off");
	assert_int_equal(settings.recoveries, 0);
	assert_int_equal(settings.latency_us, 100);
	assert_int_equal(settings.recover, RECOVERY_RECOVER_OFF);
	assert_true(settings.free_block);
	assert_false(settings.compact);
	/* what is not named stays, the last of a name holds */
	parse("max_holes=3,max_holes=4");
	assert_int_equal(settings.max_holes, 4);
	assert_int_equal(settings.latency_us, 100);
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"bytes_per_second=7k", 7 << 10},
		{"bytes_per_second=200M", UINT64_C(200) << 20},
		{"bytes_per_second=3g", UINT64_C(3) << 30},
		{"bytes_per_second=1T", UINT64_C(1) << 40},
		{"bytes_per_second=7E", UINT64_C(7) << 60},
		{"bytes_per_second=9223372036854775807", INT64_MAX},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		parse(good[i].text);
		assert_int_equal(settings.bytes_per_second, good[i].bytes);
	}
}

static void test_bad_bytes(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "1kk", "1x", "k", "0x10", "1.5g",
		"8e", "16e", "9223372036854775808", "18446744073709551616",
		"99999999999999999999999", "many",
	};
	char text[64], words[256];

	(void) state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "bytes_per_second=%s", bad[i]);
		snprintf(words, sizeof(words),
			 "bad value '%s' for option bytes_per_second: it is a "
			 "number of bytes from 0 (no limit) to "
			 "9223372036854775807, or with a suffix k, m, g, t, p "
			 "or e", bad[i]);
		refuse(text, words);
	}
}

static void test_bad_numbers(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", "1k", "x", "1x", "257", "4294967296",
		"4294967297", "18446744073709551617",
	};
	char text[64], words[256];

	(void) state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "recoveries=%s", bad[i]);
		snprintf(words, sizeof(words),
			 "bad value '%s' for option recoveries: it is a number "
			 "from 0 to 256", bad[i]);
		refuse(text, words);
	}
	refuse("max_holes=512", "bad value '512' for option max_holes: it is "
	       "a number from 0 to 511");
	refuse("cpu_percent=25601", "bad value '25601' for option cpu_percent: "
	       "it is a number from 0 to 25600");
	refuse("latency_us=99", "bad value '99' for option latency_us: it is a "
	       "number from 100 to 1000000");
	refuse("pressure_percent=101", "bad value '101' for option "
	       "pressure_percent: it is a number from 0 to 100");
}

/* All or nothing: what stands before the bad one is not set either. */
static void test_bad_words(void **state)
{
	(void) state;
	refuse("recoveries=1,max_holes=2,free_block=yes",
	       "bad value 'yes' for option free_block: it is on or off");
	refuse("compact=", "bad value '' for option compact: it is on or off");
	refuse("recoveries=1,recover=some",
	       "bad value 'some' for option recover: it is mapped, all or off");
	refuse("recoveries=1,recoverys=1", "unknown setting 'recoverys'");
	refuse("size=1G", "unknown setting 'size'");
	refuse("recoveries",
	       "option recoveries needs a value: it is a number from 0 to 256");
	refuse("", "no setting is named");
	refuse(",,", "no setting is named");
}

static void test_numa(void **state)
{
	(void) state;
	assert_int_equal(settings.numa.mode, HUGETMPFS_NUMA_DEFAULT);
	parse("recoveries=3,numa=interleave:0,2-3,max_holes=1");
	assert_int_equal(settings.recoveries, 3);
	assert_int_equal(settings.max_holes, 1);
	assert_int_equal(settings.numa.mode, HUGETMPFS_NUMA_INTERLEAVE);
	assert_int_equal(nodeset_count(&settings.numa.nodes), 3);
	before = settings;
	refuse("numa=bind:4-2", "option numa: \"4-2\": a range of nodes ends "
	       "before it begins: write the lower one first");
	refuse("max_holes=5,numa=bind:0@3-4", "option numa: a mount has one "
	       "rule, for all extents: give the others to its files");
	refuse("numa=bind:0 bind:1", "option numa: a mount has one rule, for "
	       "all extents: give the others to its files");
	refuse("numa", "option numa needs a value: it is default, bind:NODES, "
	       "prefer:NODE, interleave:NODES or follow");
	parse("numa=default");
	assert_int_equal(settings.numa.mode, HUGETMPFS_NUMA_DEFAULT);
}

struct shown {
	char text[1024];
};

static void show(void *arg, const char *key, const char *value)
{
	struct shown *shown = arg;
	size_t used = strlen(shown->text);

	snprintf(shown->text + used, sizeof(shown->text) - used, "%s%s=%s",
		 used ? "," : "", key, value);
}

/* What is shown says the same when it is read. */
static void test_show(void **state)
{
	struct recovery_settings again;
	struct shown shown = {""};

	(void) state;
	parse("bytes_per_second=1g,recover=all,compact=on,recoveries=3,"
	      "numa=bind:0,3");
	recovery_settings_show(&settings, show, &shown);
	memset(&again, 0, sizeof(again));
	assert_int_equal(recovery_settings_parse(&again, shown.text, error,
						 sizeof(error)), 0);
	assert_memory_equal(&again, &settings, sizeof(again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all, setup),
		cmocka_unit_test_setup(test_bytes, setup),
		cmocka_unit_test_setup(test_bad_bytes, setup),
		cmocka_unit_test_setup(test_bad_numbers, setup),
		cmocka_unit_test_setup(test_bad_words, setup),
		cmocka_unit_test_setup(test_numa, setup),
		cmocka_unit_test_setup(test_show, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

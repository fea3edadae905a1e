/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hugetmpfsctl metrics writes, letter by letter, of an answer made up.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/metrics.h"
#include "ctl/status.h"

static const char *const made_up[][2] = {
	{ "mountpoint", "/elsewhere" },
	{ "version", "9\"9" },
	{ "passthrough", "on" },
	{ "setting", "recoveries 8" },
	{ "setting", "recover mapped" },
	{ "setting", "compact off" },
	{ "interface", "KPAGEFLAGS present it is slow" },
	{ "interface", "io_uring absent it is slower" },
	{ "queued", "2" },
	{ "running", "1" },
	{ "size_bytes", "4096" },
	{ "counter", "huge_alloced 3" },
	{ "counter", "page_created 7" },
	{ "counter", "ended_done 5" },
	{ "counter", "fuse_lookup 9223372036854775807" },
	{ "meaning", "huge_alloced ways \\ \"so\"" },
	{ "meaning", "page_created holes" },
	{ "latency", "remap 1500000001 0 2 1 4" },
	{ "unknown", "of a later version" },
};

#define M "{mount=\"/a\\\\b\\\"c\\nd\""

static const char expected_openmetrics[] =
	"# TYPE hugetmpfs_up gauge\n"
	"# HELP hugetmpfs_up Whether the daemon of the mount answers.\n"
	"hugetmpfs_up" M "} 1\n"
	"# TYPE hugetmpfs_build info\n"
	"# HELP hugetmpfs_build The daemon's program.\n"
	"hugetmpfs_build_info" M ",version=\"9\\\"9\"} 1\n"
	"# TYPE hugetmpfs_passthrough gauge\n"
	"# HELP hugetmpfs_passthrough Whether mappings can be huge.\n"
	"hugetmpfs_passthrough" M "} 1\n"
	"# TYPE hugetmpfs_queue_extents gauge\n"
	"# UNIT hugetmpfs_queue_extents extents\n"
	"# HELP hugetmpfs_queue_extents Works that wait.\n"
	"hugetmpfs_queue_extents" M "} 2\n"
	"# TYPE hugetmpfs_running_extents gauge\n"
	"# UNIT hugetmpfs_running_extents extents\n"
	"# HELP hugetmpfs_running_extents Works under way.\n"
	"hugetmpfs_running_extents" M "} 1\n"
	"# TYPE hugetmpfs_size_bytes gauge\n"
	"# UNIT hugetmpfs_size_bytes bytes\n"
	"# HELP hugetmpfs_size_bytes Limit on the size; absent without one.\n"
	"hugetmpfs_size_bytes" M "} 4096\n"
	"# TYPE hugetmpfs_interface_present gauge\n"
	"# HELP hugetmpfs_interface_present Whether the kernel has an optional "
	"interface.\n"
	"hugetmpfs_interface_present" M ",interface=\"KPAGEFLAGS\"} 1\n"
	"hugetmpfs_interface_present" M ",interface=\"io_uring\"} 0\n"
	"# TYPE hugetmpfs_setting_recoveries gauge\n"
	"# HELP hugetmpfs_setting_recoveries A setting of recovery; 0 and 1 are "
	"off and on.\n"
	"hugetmpfs_setting_recoveries" M "} 8\n"
	"# TYPE hugetmpfs_setting_recover info\n"
	"# HELP hugetmpfs_setting_recover A setting of recovery.\n"
	"hugetmpfs_setting_recover_info" M ",recover=\"mapped\"} 1\n"
	"# TYPE hugetmpfs_setting_compact gauge\n"
	"# HELP hugetmpfs_setting_compact A setting of recovery; 0 and 1 are off "
	"and on.\n"
	"hugetmpfs_setting_compact" M "} 0\n"
	"# TYPE hugetmpfs_huge_alloced counter\n"
	"# HELP hugetmpfs_huge_alloced ways \\\\ \\\"so\\\"\n"
	"hugetmpfs_huge_alloced_total" M "} 3\n"
	"# TYPE hugetmpfs_page_created counter\n"
	"# HELP hugetmpfs_page_created holes\n"
	"hugetmpfs_page_created_total" M "} 7\n"
	"# TYPE hugetmpfs_works_ended counter\n"
	"# HELP hugetmpfs_works_ended Works that ended, by the reason.\n"
	"hugetmpfs_works_ended_total" M ",reason=\"done\"} 5\n"
	"# TYPE hugetmpfs_fuse_requests counter\n"
	"# HELP hugetmpfs_fuse_requests Requests that the kernel sent to the "
	"daemon.\n"
	"hugetmpfs_fuse_requests_total" M ",request=\"lookup\"} "
	"9223372036854775807\n"
	"# TYPE hugetmpfs_recovered_bytes counter\n"
	"# UNIT hugetmpfs_recovered_bytes bytes\n"
	"# HELP hugetmpfs_recovered_bytes Bytes in the extents that were made "
	"huge.\n"
	"hugetmpfs_recovered_bytes_total" M "} 6291456\n"
	"# TYPE hugetmpfs_filled_bytes counter\n"
	"# UNIT hugetmpfs_filled_bytes bytes\n"
	"# HELP hugetmpfs_filled_bytes Bytes of holes that were filled by that.\n"
	"hugetmpfs_filled_bytes_total" M "} 28672\n"
	"# TYPE hugetmpfs_step_duration_seconds histogram\n"
	"# UNIT hugetmpfs_step_duration_seconds seconds\n"
	"# HELP hugetmpfs_step_duration_seconds How long the steps of recovery "
	"took.\n"
#define BUCKET(le) \
	"hugetmpfs_step_duration_seconds_bucket" M ",step=\"remap\",le=\"" le "\"} "
	BUCKET("1e-06") "0\n"
	BUCKET("2e-06") "2\n"
	BUCKET("4e-06") "3\n"
	BUCKET("+Inf") "7\n"
	"hugetmpfs_step_duration_seconds_sum" M ",step=\"remap\"} 1.500000001\n"
	"hugetmpfs_step_duration_seconds_count" M ",step=\"remap\"} 7\n"
	"# EOF\n";

static char *text;
static size_t text_bytes;

static void begin(struct metrics *metrics, bool prometheus)
{
	*metrics = (struct metrics){
		.out = open_memstream(&text, &text_bytes),
		.prometheus = prometheus,
		.mountpoint = "/a\\b\"c\nd",
		.status = status_new(),
		.meanings = json_object(),
	};
	for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++)
		assert_int_equal(metrics_line(metrics, made_up[i][0],
					      made_up[i][1]), 0);
}

static void end(struct metrics *metrics)
{
	fclose(metrics->out);
	json_decref(metrics->status);
	json_decref(metrics->meanings);
}

static void test_openmetrics(void **state)
{
	struct metrics metrics;

	(void) state;
	begin(&metrics, false);
	metrics_write(&metrics);
	end(&metrics);
	assert_string_equal(text, expected_openmetrics);
	free(text);
}

/* When the files were looked at. */
static void test_files(void **state)
{
	static const char *const lines[][2] = {
		{ "extents", "huge 2" },     { "bytes", "huge 4194304" },
		{ "node_bytes", "0 4096" },  { "node_bytes", "17 8192" },
		{ "misplaced_bytes", "12" },
	};
	struct metrics metrics;

	(void) state;
	begin(&metrics, false);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(metrics_line(&metrics, lines[i][0],
					      lines[i][1]), 0);
	metrics_write(&metrics);
	end(&metrics);
	assert_non_null(strstr(text,
			       "# UNIT hugetmpfs_file_extents extents\n"
			       "# HELP hugetmpfs_file_extents Extents of all "
			       "files, by state.\n"
			       "hugetmpfs_file_extents" M
			       ",state=\"huge\"} 2\n"));
	assert_non_null(strstr(text, "hugetmpfs_file_bytes" M
				     ",state=\"huge\"} 4194304\n"));
	assert_non_null(strstr(text, "hugetmpfs_node_bytes" M
				     ",node=\"0\"} 4096\n"
				     "hugetmpfs_node_bytes" M
				     ",node=\"17\"} 8192\n"));
	assert_non_null(strstr(text, "hugetmpfs_misplaced_bytes" M "} 12\n"));
	free(text);
}

static void test_prometheus(void **state)
{
	struct metrics metrics;

	(void) state;
	begin(&metrics, true);
	metrics_write(&metrics);
	end(&metrics);
	assert_null(strstr(text, "# UNIT"));
	assert_null(strstr(text, "# EOF"));
	assert_null(strstr(text, " info\n"));
	assert_non_null(strstr(text, "# TYPE hugetmpfs_build_info gauge\n"
			       "# HELP hugetmpfs_build_info "));
	assert_non_null(strstr(text,
			       "# TYPE hugetmpfs_page_created_total counter\n"
			       "# HELP hugetmpfs_page_created_total holes\n"
			       "hugetmpfs_page_created_total" M "} 7\n"));
	free(text);
}

static void test_down(void **state)
{
	struct metrics metrics;

	(void) state;
	begin(&metrics, false);
	metrics_write_down(&metrics);
	end(&metrics);
	assert_string_equal(text,
			    "# TYPE hugetmpfs_up gauge\n"
			    "# HELP hugetmpfs_up Whether the daemon of the "
			    "mount answers.\n"
			    "hugetmpfs_up" M "} 0\n"
			    "# EOF\n");
	free(text);
}

static void test_nonsense(void **state)
{
	static const char *const nonsense[][2] = {
		{ "latency", "remap" }, { "latency", "remap 1" },
		{ "latency", "remap 1 x" }, { "latency", "remap 1 2x" },
		{ "meaning", "alone" }, { "counter", "x y" },
	};
	struct metrics metrics;

	(void) state;
	begin(&metrics, false);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_int_equal(metrics_line(&metrics, nonsense[i][0],
					      nonsense[i][1]), -EPROTO);
	end(&metrics);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_prometheus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

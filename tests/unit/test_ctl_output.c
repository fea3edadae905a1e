/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hugetmpfsctl writes, on made-up extents: the grid, the summary, the
 * plan of a dry run, the progress line, and the JSON against the documented
 * schema, letter by letter.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/hugetmpfs.h>

#include "ctl/command.h"
#include "ctl/extents.h"
#include "ctl/grid.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/nodes.h"
#include "ctl/plan.h"
#include "ctl/progress.h"

static const struct hugetmpfs_extent made_up[] = {
	{ .index = 0, .state = HUGETMPFS_HUGE, .data_pages = 512, .nid = 0,
	  .target_nid = 0, .reason = HUGETMPFS_REASON_DONE },
	{ .index = 1, .state = HUGETMPFS_SMALL, .data_pages = 512, .nid = 1,
	  .target_nid = 2, .misplaced_pages = 7, .reason = HUGETMPFS_REASON_PINNED },
	{ .index = 2, .state = HUGETMPFS_PARTIAL, .data_pages = 500,
	  .hole_pages = 12, .nid = 0, .target_nid = -1, .reason = HUGETMPFS_REASON_NOT_ASKED },
	{ .index = 3, .state = HUGETMPFS_SWAPPED, .data_pages = 512,
	  .swapped_pages = 512, .nid = -1, .target_nid = 2,
	  .reason = HUGETMPFS_REASON_SWAP_FAILED },
	{ .index = 4, .state = HUGETMPFS_HOLE, .hole_pages = 512, .nid = -1,
	  .target_nid = -1,
	  .reason = HUGETMPFS_REASON_EMPTY },
};
#define NR_MADE_UP (sizeof(made_up) / sizeof(made_up[0]))

static int saved_stdout;
static FILE *captured;

static void capture_begin(void)
{
	fflush(stdout);
	saved_stdout = dup(STDOUT_FILENO);
	captured = tmpfile();
	dup2(fileno(captured), STDOUT_FILENO);
}

/* What came to standard output since, for the caller to free. */
static char *capture_end(void)
{
	char *text = calloc(1, 65536);

	fflush(stdout);
	dup2(saved_stdout, STDOUT_FILENO);
	close(saved_stdout);
	assert_true(pread(fileno(captured), text, 65535, 0) >= 0);
	fclose(captured);
	return text;
}

static void test_summary(void **state)
{
	struct hugetmpfs_summary summary = { 0 };

	(void) state;
	assert_true(hugetmpfs_coverage_percent(&summary) < 0);
	hugetmpfs_summary_add(&summary, made_up, NR_MADE_UP);
	assert_int_equal(summary.nr_extents, 5);
	assert_int_equal(summary.nr_huge, 1);
	/* neither the hole nor the pinned one */
	assert_int_equal(summary.nr_eligible, 3);
	assert_int_equal(summary.data_pages, 512 + 512 + 500 + 512);
	assert_int_equal(summary.hole_pages, 12 + 512);
	assert_int_equal(summary.swapped_pages, 512);
	assert_int_equal(summary.misplaced_pages, 7);
	assert_int_equal(summary.reasons[HUGETMPFS_REASON_PINNED], 1);
	assert_true(hugetmpfs_coverage_percent(&summary) > 33.3 &&
		    hugetmpfs_coverage_percent(&summary) < 33.4);
	extents_add_holes(&summary, 3 * HUGETMPFS_EXTENT_BYTES + 4097, 1, 3);
	assert_int_equal(summary.nr_extents, 8);
	assert_int_equal(summary.hole_pages, 12 + 512 + 1024 + 2);
	assert_int_equal(summary.nr_eligible, 3);
}

static void test_words(void **state)
{
	(void) state;
	assert_string_equal(hugetmpfs_state_name(HUGETMPFS_SWAPPED), "swapped");
	assert_string_equal(hugetmpfs_reason_name(HUGETMPFS_REASON_DONE),
			    "done");
	assert_string_equal(hugetmpfs_state_name(HUGETMPFS_NR_STATES),
			    "unknown");
	assert_string_equal(hugetmpfs_reason_name(255), "unknown");
	assert_non_null(hugetmpfs_reason_meaning(~0u));
	assert_string_equal(hugetmpfs_numa_name(HUGETMPFS_NUMA_FOLLOW),
			    "follow");
	assert_string_equal(hugetmpfs_numa_name(HUGETMPFS_NR_NUMA_MODES),
			    "unknown");
	assert_non_null(hugetmpfs_numa_meaning(HUGETMPFS_NUMA_BIND));
}

static void expect_grid(struct grid *grid, char **text, const char *expected)
{
	grid_end(grid);
	fclose(grid->out);
	assert_string_equal(*text, expected);
	free(*text);
}

static void test_grid_cells(void **state)
{
	struct grid grid = { 0 };
	size_t bytes;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	for (size_t i = 0; i < NR_MADE_UP; i++)
		grid_add(&grid, 1, made_up[i].state);
	grid_add(&grid, 1, 200);
	expect_grid(&grid, &text, "         0  #sp~.?\n");
}

static void test_grid_colors(void **state)
{
	struct grid grid = { .color = true };
	size_t bytes;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	grid_add(&grid, 2, HUGETMPFS_HUGE);
	grid_add(&grid, 1, HUGETMPFS_SMALL);
	expect_grid(&grid, &text,
		    "         0  \033[32m##\033[33ms\033[0m\n");
}

#define ROW_HUGE                                                               \
	"################################################################"
#define ROW_HOLE                                                               \
	"................................................................"

static void test_grid_rows(void **state)
{
	struct grid grid = { 0 };
	size_t bytes;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	grid_add(&grid, 64 * 2 + 1, HUGETMPFS_HUGE);
	expect_grid(&grid, &text,
		    "         0  " ROW_HUGE "\n"
		    "        64  " ROW_HUGE "\n"
		    "       128  #\n");
}

static void test_grid_alike(void **state)
{
	struct grid grid = { 0 };
	size_t bytes;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	grid_add(&grid, 64 * 10, HUGETMPFS_HUGE);
	/* as a file of 8 EiB has */
	grid_add(&grid, UINT64_C(64) << 36, HUGETMPFS_HOLE);
	grid_add(&grid, 1, HUGETMPFS_SMALL);
	expect_grid(&grid, &text,
		    "         0  " ROW_HUGE "\n"
		    "         *  9 more rows of #\n"
		    "       640  " ROW_HOLE "\n"
		    "         *  68719476735 more rows of .\n"
		    "4398046511744  s\n");
}

static void test_grid_all(void **state)
{
	struct grid grid = { .all = true };
	size_t bytes, lines = 0;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	grid_add(&grid, 64 * 20, HUGETMPFS_HUGE);
	grid_end(&grid);
	fclose(grid.out);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 20);
	free(text);
}

static void test_grid_summary(void **state)
{
	struct hugetmpfs_summary summary = { 0 };
	size_t bytes;
	char *text;
	FILE *out = open_memstream(&text, &bytes);

	(void) state;
	hugetmpfs_summary_add(&summary, made_up, NR_MADE_UP);
	grid_summary(out, false, &summary);
	fclose(out);
	assert_non_null(strstr(text, "# huge                  1  one 2 MiB"));
	assert_non_null(strstr(text, "coverage: 33.3 % of 3 eligible extents"));
	assert_non_null(strstr(text, "pinned                  1  a page is"));
	assert_null(strstr(text, "  done "));
	free(text);
}

static void test_grid_nodes(void **state)
{
	struct hugetmpfs_extent extent = { .state = HUGETMPFS_SMALL };
	static const int16_t nids[] = { 9, 10, 35, 36, 1023, -1 };
	struct grid grid = { .nodes = true };
	size_t bytes;
	char *text;

	(void) state;
	grid.out = open_memstream(&text, &bytes);
	for (size_t i = 0; i < NR_MADE_UP; i++)
		grid_add(&grid, 1, grid_node(&made_up[i]));
	for (size_t i = 0; i < NR(nids); i++) {
		extent.nid = nids[i];
		extent.misplaced_pages = (uint16_t) (i % 2);
		grid_add(&grid, 1, grid_node(&extent));
	}
	expect_grid(&grid, &text, "         0  010~.9az++?\n");
	grid = (struct grid){ .nodes = true, .color = true };
	grid.out = open_memstream(&text, &bytes);
	grid_add(&grid, 1, grid_node(&made_up[0]));
	grid_add(&grid, 1, grid_node(&made_up[1]));
	expect_grid(&grid, &text,
		    "         0  \033[0m0\033[31m1\033[0m\n");
}

static char *print_nodes(const struct nodes_sum *sum)
{
	size_t bytes;
	char *text;
	FILE *out = open_memstream(&text, &bytes);

	nodes_print(out, sum);
	fclose(out);
	return text;
}

static void test_nodes(void **state)
{
	struct nodes_sum *sum = calloc(1, sizeof(*sum));
	struct hugetmpfs_extent extent = { .nid = 3, .target_nid = 1,
					   .data_pages = 512,
					   .misplaced_pages = 512 };
	char *text;

	(void) state;
	nodes_add(sum, made_up, NR_MADE_UP);
	text = print_nodes(sum);
	assert_string_equal(
		text, "  node 0                   2 extents       4.0 MiB\n"
		      "  node 1                   1 extents       2.0 MiB\n"
		      "misplaced: 28.0 KiB in 1 extent\n"
		      "  extent 1: most of it on node 1, belongs on node 2\n");
	free(text);
	/* runs are put together, and no more are kept than have room */
	for (int i = 0; i < 3; i++) {
		extent.index = 10 + (uint64_t) i;
		nodes_add(sum, &extent, 1);
	}
	for (int i = 0; i < NODES_RUNS; i++) {
		extent.index = 20 + 2 * (uint64_t) i;
		nodes_add(sum, &extent, 1);
	}
	text = print_nodes(sum);
	assert_non_null(strstr(text, "extents 10-12: most of it on node 3, "
				     "belongs on node 1\n"));
	assert_non_null(strstr(text, "in 20 extents\n"));
	assert_non_null(strstr(text, "\n  and others; --json has all\n"));
	free(text);
	memset(sum, 0, sizeof(*sum));
	nodes_add(sum, &made_up[0], 1);
	text = print_nodes(sum);
	assert_non_null(strstr(text, "\nmisplaced: nothing\n"));
	free(text);
	free(sum);
}

static void test_json_extent(void **state)
{
	json_t *object = json_extent(&made_up[2]);
	char *text;

	(void) state;
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	assert_string_equal(
		text, "{\"index\":2,\"state\":\"partial\",\"huge\":false,"
		      "\"data_pages\":500,\"hole_pages\":12,"
		      "\"swapped_pages\":0,\"nid\":0,\"target_nid\":null,"
		      "\"misplaced_pages\":0,"
		      "\"reason\":\"not_asked\"}");
	free(text);
	object = json_extent(&made_up[3]);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	assert_non_null(strstr(text, "\"nid\":null,\"target_nid\":2,"));
	free(text);
}

static void test_json_summary(void **state)
{
	struct hugetmpfs_summary summary = { 0 };
	json_t *object;
	char *text;

	(void) state;
	object = json_summary(&summary);
	assert_true(json_is_null(json_object_get(object, "coverage_percent")));
	json_decref(object);
	hugetmpfs_summary_add(&summary, made_up, NR_MADE_UP);
	object = json_summary(&summary);
	text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
	assert_string_equal(
		text,
		"{\"extents\":5,\"eligible\":3,\"huge\":1,"
		"\"coverage_percent\":33.3333,\"data_pages\":2036,"
		"\"hole_pages\":524,\"swapped_pages\":512,"
		"\"misplaced_pages\":7,"
		"\"states\":{\"hole\":1,\"huge\":1,\"swapped\":1,\"small\":1,"
		"\"partial\":1},"
		"\"reasons\":{\"done\":1,\"pinned\":1,\"empty\":1,"
		"\"swap_failed\":1,\"not_asked\":1}}");
	free(text);
	json_decref(object);
}

static void expect_name(const char *name, const char *expected)
{
	json_t *object = json_object();
	char *text;

	json_set_name(object, "file", name);
	text = json_dumps(object, JSON_COMPACT);
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(object);
}

static void test_json_names(void **state)
{
	(void) state;
	expect_name("", "{\"file\":\"\"}");
	expect_name("a\"b\\c\n", "{\"file\":\"a\\\"b\\\\c\\n\"}");
	expect_name("h\xc3\xbcge", "{\"file\":\"h\xc3\xbcge\"}");
	expect_name("\xf0\x9f\x90\x98", "{\"file\":\"\xf0\x9f\x90\x98\"}");
	expect_name("a\xff", "{\"file\":\"a\xef\xbf\xbd\","
			     "\"file_hex\":\"61ff\"}");
	/* overlong, a surrogate, beyond Unicode, cut off */
	expect_name("\xc0\xaf", "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\","
				"\"file_hex\":\"c0af\"}");
	expect_name("\xed\xa0\x80",
		    "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
		    "\"file_hex\":\"eda080\"}");
	expect_name("\xf4\x90", "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\","
				"\"file_hex\":\"f490\"}");
	expect_name("\xe2\x82", "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\","
				"\"file_hex\":\"e282\"}");
}

static json_t *object_of(const char *key, int value)
{
	json_t *object = json_object();

	json_set_integer(object, key, (uint64_t) value);
	return object;
}

static void test_json_stream(void **state)
{
	struct json_stream one = { 0 }, many = { .array = true };
	struct json_stream none = { .array = true };
	char *text;

	(void) state;
	capture_begin();
	json_stream_open(&one, object_of("a", 1), "list");
	json_item(object_of("i", 0), true);
	json_item(object_of("i", 1), false);
	json_close(object_of("z", 2));
	json_stream_end(&one);
	text = capture_end();
	assert_string_equal(text, "{\"a\":1,\"list\":[\n{\"i\":0},\n{\"i\":1}"
				  "\n],\"z\":2}\n");
	free(text);

	capture_begin();
	json_stream_add(&many, object_of("a", 1));
	json_stream_open(&many, object_of("b", 2), "list");
	json_close(object_of("c", 3));
	json_stream_end(&many);
	text = capture_end();
	assert_string_equal(text, "[\n{\"a\":1},\n{\"b\":2,\"list\":[\n],"
				  "\"c\":3}\n]\n");
	free(text);

	capture_begin();
	json_stream_end(&none);
	text = capture_end();
	assert_string_equal(text, "[]\n");
	free(text);
}

static void test_json_error(void **state)
{
	json_t *object = json_object();
	char *text;

	(void) state;
	json_set_error(object, -EACCES, "no \xff");
	text = json_dumps(object, JSON_COMPACT);
	assert_string_equal(text, "{\"error\":{\"errno\":\"EACCES\","
				  "\"message\":\"no \xef\xbf\xbd\","
				  "\"message_hex\":\"6e6f20ff\"}}");
	free(text);
	json_decref(object);
}

static void test_plan(void **state)
{
	struct hugetmpfs_extent extent = made_up[3];
	struct plan plan = { 0 };
	char *text;
	json_t *array;

	(void) state;
	extent.index = 0;
	extent.reason = HUGETMPFS_REASON_NOT_ASKED;
	extent.passes = HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE;
	for (; extent.index < 3; extent.index++)
		assert_int_equal(plan_add(&plan, &extent, 1), 0);
	extent = extents_hole(UINT64_C(1) << 40, 3);
	assert_int_equal(plan_add(&plan, &extent, 1000), 0);
	assert_int_equal(plan.nr, 2);

	array = plan_json(&plan);
	text = json_dumps(array, JSON_COMPACT);
	assert_string_equal(
		text, "[{\"first\":0,\"last\":2,\"state\":\"swapped\","
		      "\"passes\":[\"swapin\",\"collapse\"],"
		      "\"reason\":\"not_asked\"},"
		      "{\"first\":3,\"last\":1002,\"state\":\"hole\","
		      "\"passes\":[],\"reason\":\"empty\"}]");
	free(text);
	json_decref(array);

	capture_begin();
	plan_print(&plan);
	text = capture_end();
	assert_non_null(strstr(text, "\n  0-2 "));
	assert_non_null(strstr(text, "recover\n"));
	assert_non_null(strstr(text, "empty\n"));
	free(text);
	plan_clear(&plan);
}

static void test_sizes(void **state)
{
	char text[SHOW_SIZE_BYTES];

	(void) state;
	assert_string_equal(show_size(0, text), "0 bytes");
	assert_string_equal(show_size(1023, text), "1023 bytes");
	assert_string_equal(show_size(1024, text), "1.0 KiB");
	assert_string_equal(show_size(512.0 * (1 << 20), text), "512.0 MiB");
	assert_string_equal(show_size(9223372036854775807.0, text), "8.0 EiB");
}

static void test_names(void **state)
{
	static char longest[20000];
	char text[SHOW_NAME_BYTES];

	(void) state;
	assert_string_equal(show_name("a b", text), "a b");
	assert_string_equal(show_name("a\033[31m\n\\", text),
			    "a\\033[31m\\012\\\\");
	memset(longest, '\n', sizeof(longest) - 1);
	assert_true(strlen(show_name(longest, text)) < SHOW_NAME_BYTES);
}

static void test_progress(void **state)
{
	struct progress progress = {
		.total_bytes = UINT64_C(4) << 30,
		.done_bytes = UINT64_C(1) << 30,
		.start_ns = 0,
	};
	char line[512];

	(void) state;
	progress_format(&progress, UINT64_C(2000000000), "/a/b", 100, line,
			sizeof(line));
	assert_string_equal(line, " 25 %  1.0 GiB  0.50 GiB/s  0:06 left  /a/b");
	progress_format(&progress, UINT64_C(2000000000), "/a/b", 10, line,
			sizeof(line));
	assert_string_equal(line, " 25 %  1.0");
	progress.total_bytes = 0;
	progress.done_bytes = 0;
	progress_format(&progress, 0, "f", 100, line, sizeof(line));
	assert_string_equal(line, "0 bytes  0.00 GiB/s  f");
	progress.total_bytes = UINT64_C(4000) << 30;
	progress.done_bytes = UINT64_C(1) << 30;
	progress_format(&progress, UINT64_C(1000000000), "f", 100, line,
			sizeof(line));
	assert_string_equal(line,
			    "  0 %  1.0 GiB  1.00 GiB/s  1:06:39 left  f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid_alike),
		cmocka_unit_test(test_grid_all),
		cmocka_unit_test(test_grid_cells),
		cmocka_unit_test(test_grid_colors),
		cmocka_unit_test(test_grid_rows),
		cmocka_unit_test(test_grid_summary),
		cmocka_unit_test(test_json_error),
		cmocka_unit_test(test_grid_nodes),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_json_extent),
		cmocka_unit_test(test_json_names),
		cmocka_unit_test(test_json_stream),
		cmocka_unit_test(test_json_summary),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

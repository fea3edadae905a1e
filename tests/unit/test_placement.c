/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Placement policies: their text both ways, what is wrong with a text, rules
 * on top of each other, and which nodes they name.
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

#include "placement/policy.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void assert_mpol(const char *mpol, const char *want)
{
	struct placement_policy policy = { .nr = 1 };
	struct nodeset there;
	char text[64];
	bool known;

	assert_int_equal(nodeset_parse("0,2", 3, &there), 0);
	known = placement_from_mpol(mpol, &there, &policy.rules[0]);
	assert_int_equal(known, strcmp(want, "") != 0);
	placement_format(&policy, text, sizeof(text));
	assert_string_equal(text, known ? want : "default");
}

static void test_mpol(void **state)
{
	(void) state;
	assert_mpol("default", "default");
	assert_mpol("bind:1", "bind:1");
	assert_mpol("bind=static:0,2-3", "bind:0,2-3");
	assert_mpol("prefer:3", "prefer:3");
	assert_mpol("interleave:0-1", "interleave:0-1");
	assert_mpol("interleave", "interleave:0,2");
	/* tmpfs knows these, and more may come */
	assert_mpol("local", "");
	assert_mpol("bind=relative:0", "");
	assert_mpol("prefer=static", "");
	assert_mpol("weighted interleave:0-1", "");
	assert_mpol("prefer (many):0-1", "");
	/* and these it refuses */
	assert_mpol("follow", "");
	assert_mpol("bind", "");
	assert_mpol("prefer:0-1", "");
	assert_mpol("", "");
}

/* Four nodes on a line: 0 - 1 - 2 - 3; others are unknown. */
static int line_distance(void *arg, int from, int to)
{
	(void) arg;
	if (from > 3 || to > 3)
		return 0;
	return 10 + 10 * abs(from - to);
}

static struct placement_machine machine_of(const char *nodes)
{
	struct placement_machine machine = { .distance = line_distance };

	assert_int_equal(nodeset_parse(nodes, strlen(nodes), &machine.nodes),
			 0);
	return machine;
}

static void parse(const char *text, struct placement_policy *policy)
{
	char error[256] = "";

	if (placement_parse(text, strlen(text), policy, error, sizeof(error)))
		fail_msg("%s: %s", text, error);
}

static void assert_text(const struct placement_policy *policy, const char *text)
{
	char out[HUGETMPFS_NUMA_BYTES];

	assert_int_equal(placement_format(policy, out, sizeof(out)),
			 strlen(text));
	assert_string_equal(out, text);
}

static void test_text_both_ways(void **state)
{
	static const char *const texts[][2] = {
		{ "default", "default" },
		{ "bind:0", "bind:0" },
		{ "bind:3,0,1,2", "bind:0-3" },
		{ "prefer:1023", "prefer:1023" },
		{ "interleave:0,2-3,63-64", "interleave:0,2-3,63-64" },
		{ "follow", "follow" },
		{ " bind:1  follow@2-4 ", "bind:1 follow@2-4" },
		{ "bind:1@0-", "bind:1" },
		{ "bind:1@7-", "bind:1@7-" },
		{ "default@3-3", "default@3-3" },
	};
	struct placement_policy policy;

	(void) state;
	for (size_t i = 0; i < NR(texts); i++) {
		parse(texts[i][0], &policy);
		assert_text(&policy, texts[i][1]);
	}
}

static void test_what_is_wrong_is_said(void **state)
{
	static const char *const texts[][2] = {
		{ "", "is empty" },
		{ "   ", "is empty" },
		{ "bnd:1", "\"bnd\" is no placement" },
		{ "BIND:1", "is no placement" },
		{ ":1", "\"\" is no placement" },
		{ "bind", "bind needs a node: write bind:0" },
		{ "interleave:", "interleave needs a node" },
		{ "bind:x", "\"x\" is no list of nodes" },
		{ "bind:1,", "\"1,\" is no list of nodes" },
		{ "bind:,1", "is no list of nodes" },
		{ "bind:-1", "is no list of nodes" },
		{ "bind:1-", "is no list of nodes" },
		{ "bind:1:2", "is no list of nodes" },
		{ "bind:0x1", "is no list of nodes" },
		{ "bind:all", "is no list of nodes" },
		{ "bind:1024", "up to 1023" },
		{ "bind:99999999999999999999", "up to 1023" },
		{ "bind:3-1", "ends before it begins" },
		{ "prefer:0,1", "prefer takes one node" },
		{ "default:0", "default takes no nodes" },
		{ "follow:", "follow takes no nodes" },
		{ "bind:1@", "\"@\" is no range of extents" },
		{ "bind:1@5", "\"@5\" is no range" },
		{ "bind:1@-5", "is no range" },
		{ "bind:1@a-b", "is no range" },
		{ "bind:1@1-2-3", "is no range" },
		{ "bind:1@5-2", "\"@5-2\": the range ends before it begins" },
		{ "bind:1@9223372036854775807-", "is no range" },
		{ "bind:1@0-99999999999999999999", "is no range" },
		{ "bind:1 bind:2 x", "\"x\" is no placement" },
		{ "bind:\n\x1b[1m", "\"??[1m\" is no list" },
	};
	struct placement_policy policy;
	char error[256];

	(void) state;
	for (size_t i = 0; i < NR(texts); i++) {
		const char *text = texts[i][0];

		error[0] = '\0';
		assert_int_equal(placement_parse(text, strlen(text), &policy,
						 error, sizeof(error)),
				 -EINVAL);
		if (!strstr(error, texts[i][1]))
			fail_msg("%s: %s, not: %s", text, error, texts[i][1]);
		assert_int_equal(placement_parse(text, strlen(text), &policy,
						 NULL, 0),
				 -EINVAL);
	}
}

/* An attribute's value has no end but its size, and anything inside. */
static void test_text_is_not_trusted(void **state)
{
	static const char nul[] = "bind:1\0";
	char *text = malloc(HUGETMPFS_NUMA_BYTES + 1), error[8];
	struct placement_policy policy;

	(void) state;
	assert_int_equal(placement_parse(nul, 6, &policy, NULL, 0), 0);
	assert_int_equal(placement_parse(nul, 7, &policy, NULL, 0), -EINVAL);
	memset(text, ' ', HUGETMPFS_NUMA_BYTES + 1);
	memcpy(text, "bind:1", 6);
	assert_int_equal(placement_parse(text, HUGETMPFS_NUMA_BYTES - 1,
					 &policy, NULL, 0),
			 0);
	assert_int_equal(placement_parse(text, HUGETMPFS_NUMA_BYTES, &policy,
					 error, sizeof(error)),
			 -EINVAL);
	assert_string_equal(error, "the pol");
	free(text);
}

static void test_at_most_so_many_rules(void **state)
{
	char text[HUGETMPFS_NUMA_BYTES], error[256];
	struct placement_policy policy;
	struct placement_rule rule = { .last = 7 };
	size_t size = 0;

	(void) state;
	for (int i = 0; i < HUGETMPFS_NUMA_RULES; i++)
		size += (size_t) sprintf(text + size, "bind:1@%d-%d ", i * 10,
					 i * 10 + 5);
	parse(text, &policy);
	assert_int_equal(policy.nr, HUGETMPFS_NUMA_RULES);
	assert_int_equal(placement_add(&policy, &rule), 0);
	rule.first = 700;
	rule.last = 700;
	assert_int_equal(placement_add(&policy, &rule), -E2BIG);
	assert_int_equal(placement_remove(&policy, 12, 13), -E2BIG);
	assert_int_equal(policy.nr, HUGETMPFS_NUMA_RULES);
	assert_int_equal(placement_remove(&policy, 0, 13), 0);
	assert_int_equal(placement_add(&policy, &rule), 0);
	strcpy(text + size, "follow");
	assert_int_equal(placement_parse(text, strlen(text), &policy, error,
					 sizeof(error)),
			 -EINVAL);
	assert_non_null(strstr(error, "at most 64"));
}

static void test_text_without_room_is_cut(void **state)
{
	struct placement_policy policy;
	char out[64];

	(void) state;
	parse("interleave:0,2,4 bind:1@3-4", &policy);
	for (size_t size = 0; size < sizeof(out); size++) {
		memset(out, 'x', sizeof(out));
		assert_int_equal(placement_format(&policy, out, size), 27);
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], 'x');
		if (size)
			assert_int_equal(strlen(out),
					 size - 1 < 27 ? size - 1 : 27);
	}
}

static void test_the_last_that_fits_holds(void **state)
{
	struct placement_policy policy;

	(void) state;
	parse("bind:1 prefer:2@4-8 follow@6-6 interleave:0-1@100-", &policy);
	assert_int_equal(placement_rule_of(&policy, 0)->mode,
			 HUGETMPFS_NUMA_BIND);
	assert_int_equal(placement_rule_of(&policy, 4)->mode,
			 HUGETMPFS_NUMA_PREFER);
	assert_int_equal(placement_rule_of(&policy, 6)->mode,
			 HUGETMPFS_NUMA_FOLLOW);
	assert_int_equal(placement_rule_of(&policy, 8)->mode,
			 HUGETMPFS_NUMA_PREFER);
	assert_int_equal(placement_rule_of(&policy, 9)->mode,
			 HUGETMPFS_NUMA_BIND);
	assert_int_equal(placement_rule_of(&policy, UINT64_MAX)->mode,
			 HUGETMPFS_NUMA_INTERLEAVE);
	parse("bind:1@2-3", &policy);
	assert_null(placement_rule_of(&policy, 1));
	assert_non_null(placement_rule_of(&policy, 2));
	assert_null(placement_rule_of(&policy, 4));
}

static void test_rules_are_put_and_taken(void **state)
{
	struct placement_policy policy, one;

	(void) state;
	parse("bind:1 prefer:2@4-8", &policy);
	parse("follow@4-9", &one);
	assert_int_equal(placement_add(&policy, &one.rules[0]), 0);
	assert_text(&policy, "bind:1 follow@4-9");
	assert_int_equal(placement_add(&policy, &one.rules[0]), 0);
	assert_text(&policy, "bind:1 follow@4-9");
	assert_int_equal(placement_remove(&policy, 6, 6), 0);
	assert_text(&policy, "bind:1@0-5 bind:1@7- follow@4-5 follow@7-9");
	assert_int_equal(placement_remove(&policy, 0, 7), 0);
	assert_text(&policy, "bind:1@8- follow@8-9");
	placement_put_below(&policy, &one.rules[0]);
	assert_text(&policy, "follow@4-9 bind:1@8- follow@8-9");
	assert_false(placement_is_default(&policy));
	assert_int_equal(placement_remove(&policy, 0, PLACEMENT_TO_END), 0);
	assert_int_equal(policy.nr, 0);
	assert_true(placement_is_default(&policy));
	assert_text(&policy, "");
	parse("interleave:0-1", &one);
	assert_int_equal(placement_add(&policy, &one.rules[0]), 0);
	parse("default", &one);
	assert_int_equal(placement_add(&policy, &one.rules[0]), 0);
	assert_text(&policy, "default");
	assert_true(placement_is_default(&policy));
}

static void test_nodes_that_are_named(void **state)
{
	struct placement_policy policy;
	struct nodeset nodes;

	(void) state;
	parse("bind:1 prefer:64@4-8 follow@6-6 interleave:0-1@100-", &policy);
	nodes = placement_nodes(&policy);
	assert_int_equal(nodeset_count(&nodes), 3);
	assert_true(nodeset_has(&nodes, 0) && nodeset_has(&nodes, 1) &&
		    nodeset_has(&nodes, 64));
}

/* Asserts the candidates of an extent of inode 100, as a string of digits. */
static void assert_candidates(const char *text, const char *there,
			      uint64_t index, int16_t majority, const char *want)
{
	struct placement_machine machine = machine_of(there);
	struct placement_policy policy;
	char got[8] = "";
	int16_t nodes[4];
	int nr;

	parse(text, &policy);
	for (unsigned room = 1; room <= NR(nodes); room++) {
		nr = placement_candidates(&policy.rules[0], 100, index,
					  majority, &machine, nodes, room);
		assert_true(nr >= 0 && nr <= (int) room);
		for (int i = 0; i < nr; i++)
			got[i] = (char) ('0' + nodes[i]);
		got[nr] = '\0';
		if (strlen(want) <= room)
			assert_string_equal(got, want);
		else
			assert_memory_equal(got, want, room);
	}
}

static void test_candidates(void **state)
{
	struct placement_machine machine = machine_of("0-1");
	struct placement_policy policy;
	int16_t nid;

	(void) state;
	assert_candidates("default", "0-3", 0, 1, "");
	assert_candidates("follow", "0-3", 0, 1, "");
	assert_candidates("bind:1", "0-3", 0, 0, "1");
	assert_candidates("bind:0,2-3", "0-3", 0, 3, "320");
	assert_candidates("bind:0,2-3", "0-3", 0, 1, "023");
	assert_candidates("bind:0,2-3", "0-3", 0, -1, "023");
	assert_candidates("bind:0,2-3", "0-2", 0, 3, "20");
	assert_candidates("prefer:2", "0-3", 0, 0, "2130");
	assert_candidates("prefer:2", "0,2", 0, 0, "20");
	assert_candidates("prefer:2", "0-1", 0, 0, "");
	assert_candidates("interleave:0,2-3", "0-3", 0, 1, "2");
	assert_candidates("interleave:0,2-3", "0-3", 1, 1, "3");
	assert_candidates("interleave:0,2-3", "0-3", 2, 1, "0");
	assert_candidates("interleave:0,2-3", "0-2", 1, 1, "2");
	parse("bind:2-3", &policy);
	assert_int_equal(placement_candidates(&policy.rules[0], 100, 0, 0,
					      &machine, &nid, 1),
			 -ENODEV);
	parse("interleave:3", &policy);
	assert_int_equal(placement_candidates(&policy.rules[0], 100, 0, 0,
					      &machine, &nid, 1),
			 -ENODEV);
	assert_int_equal(placement_candidates(NULL, 100, 0, 0, &machine, &nid,
					      1),
			 0);
}

static void test_home(void **state)
{
	struct placement_policy policy;

	(void) state;
	assert_true(placement_is_home(NULL, -1, 3));
	parse("bind:0,2", &policy);
	assert_true(placement_is_home(&policy.rules[0], 0, 2));
	assert_false(placement_is_home(&policy.rules[0], 0, 1));
	assert_false(placement_is_home(&policy.rules[0], -1, 1));
	parse("prefer:1", &policy);
	assert_true(placement_is_home(&policy.rules[0], 1, 1));
	assert_false(placement_is_home(&policy.rules[0], 1, 2));
	assert_true(placement_is_home(&policy.rules[0], -1, 2));
	parse("interleave:0-1", &policy);
	assert_false(placement_is_home(&policy.rules[0], 1, 0));
	parse("follow", &policy);
	assert_true(placement_is_home(&policy.rules[0], -1, 0));
	assert_false(placement_is_home(&policy.rules[0], 1, 0));
}

static void test_every_node_has_its_bit(void **state)
{
	struct nodeset set = { 0 }, others;
	char text[NODESET_NODES * 5];

	(void) state;
	for (int node = 0; node < NODESET_NODES; node += 2)
		nodeset_add(&set, node);
	assert_int_equal(nodeset_count(&set), NODESET_NODES / 2);
	assert_true(nodeset_format(&set, text, sizeof(text)) < sizeof(text));
	assert_int_equal(nodeset_parse(text, strlen(text), &others), 0);
	assert_memory_equal(&set, &others, sizeof(set));
	assert_int_equal(nodeset_parse("0-1023", 6, &others), 0);
	assert_int_equal(nodeset_count(&others), NODESET_NODES);
	assert_int_equal(nodeset_format(&others, text, sizeof(text)), 6);
	nodeset_subtract(&others, &set);
	for (int node = 0; node < NODESET_NODES; node++)
		assert_int_equal(nodeset_has(&others, node), node % 2);
	assert_int_equal(nodeset_next(&others, 1022), 1023);
	assert_int_equal(nodeset_next(&others, 1024), -1);
	nodeset_intersect(&others, &set);
	assert_int_equal(nodeset_next(&others, 0), -1);
	assert_int_equal(nodeset_format(&others, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_false(nodeset_has(&set, -1) || nodeset_has(&set, 1024));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_both_ways),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_text_is_not_trusted),
		cmocka_unit_test(test_at_most_so_many_rules),
		cmocka_unit_test(test_text_without_room_is_cut),
		cmocka_unit_test(test_the_last_that_fits_holds),
		cmocka_unit_test(test_rules_are_put_and_taken),
		cmocka_unit_test(test_nodes_that_are_named),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_every_node_has_its_bit),
		cmocka_unit_test(test_mpol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

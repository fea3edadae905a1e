/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Teams: every combination of facts gets one state and one verdict, and the
 * machine ends after a bounded number of steps whatever happens to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "team/team.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

static const struct team_policy by_name = {PAGES, true, true};

static void expect_state(uint16_t pages, uint16_t resident, uint16_t swapped,
			 bool huge, enum hugetmpfs_state state)
{
	struct team_facts facts = {pages, resident, swapped, 0, 0, huge, false};

	assert_int_equal(team_state(&facts), state);
}

static void test_state(void **state)
{
	(void) state;
	expect_state(PAGES, 0, 0, false, HUGETMPFS_HOLE);
	expect_state(PAGES, PAGES, 0, true, HUGETMPFS_HUGE);
	expect_state(PAGES, PAGES, 0, false, HUGETMPFS_SMALL);
	expect_state(PAGES, PAGES - 1, 0, false, HUGETMPFS_PARTIAL);
	expect_state(PAGES, 1, 0, false, HUGETMPFS_PARTIAL);
	expect_state(PAGES, PAGES - 1, 1, false, HUGETMPFS_SWAPPED);
	expect_state(PAGES, 0, 1, false, HUGETMPFS_SWAPPED);
	expect_state(7, 7, 0, false, HUGETMPFS_SMALL);
	expect_state(7, 6, 0, false, HUGETMPFS_PARTIAL);
	expect_state(7, 7, 0, true, HUGETMPFS_HUGE);
	expect_state(0, 0, 0, false, HUGETMPFS_HOLE);
}

static void test_show(void **state)
{
	struct team_facts facts = {7, 3, 2, 0, 1, false, false};
	struct hugetmpfs_extent extent;

	(void) state;
	team_show(9, &facts, &extent);
	assert_int_equal(extent.index, 9);
	assert_int_equal(extent.data_pages, 5);
	assert_int_equal(extent.hole_pages, 2);
	assert_int_equal(extent.swapped_pages, 2);
	assert_int_equal(extent.nid, 1);
	assert_int_equal(extent.target_nid, -1);
	assert_int_equal(extent.state, HUGETMPFS_SWAPPED);
	assert_int_equal(extent.group, 0);

	/* a huge last extent has all its pages */
	facts = (struct team_facts){7, 7, 0, 0, 0, true, false};
	team_show(9, &facts, &extent);
	assert_int_equal(extent.data_pages, PAGES);
	assert_int_equal(extent.hole_pages, 0);
	assert_int_equal(extent.state, HUGETMPFS_HUGE);
}

/* What the verdict must be, said the other way round than team.c says it. */
static void check_verdict(const struct team_facts *facts,
			  const struct team_policy *policy)
{
	struct team_verdict verdict = team_judge(facts, policy);
	bool data = facts->resident + facts->swapped > 0;
	bool may = policy->recoverable && policy->enabled;
	bool collapse = verdict.passes & HUGETMPFS_PASS_COLLAPSE;

	assert_int_equal(verdict.reason == HUGETMPFS_REASON_DONE, facts->huge);
	assert_int_equal(collapse,
			 verdict.reason == HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(collapse,
			 !facts->huge && facts->pages && data && may &&
				 team_new_pages(facts) <= policy->max_holes);
	assert_int_equal(!!(verdict.passes & HUGETMPFS_PASS_SWAPIN),
			 collapse && facts->swapped);
	assert_int_equal(!!(verdict.passes & HUGETMPFS_PASS_REMAP),
			 facts->by_pte && (collapse || (facts->huge && may)));
	if (facts->huge)
		return;
	if (!facts->pages)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_BEYOND_EOF);
	else if (!data)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_EMPTY);
	else if (!policy->recoverable)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_UNSUPPORTED);
	else if (!policy->enabled)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_POLICY);
	else if (!collapse)
		assert_int_equal(verdict.reason,
				 HUGETMPFS_REASON_TOO_MANY_HOLES);
}

static void test_judge(void **state)
{
	static const uint16_t counts[] = {0, 1, 2, 447, 448, 449, 511, PAGES};
	const size_t nr = sizeof(counts) / sizeof(counts[0]);
	struct team_policy policy;
	struct team_facts facts;
	unsigned checked = 0;

	(void) state;
	for (size_t i = 0; i < nr * nr * nr * nr * 16; i++) {
		size_t n = i / 16;

		facts.pages = counts[n % nr];
		facts.resident = counts[n / nr % nr];
		facts.swapped = counts[n / nr / nr % nr];
		policy.max_holes = counts[n / nr / nr / nr];
		facts.above = 0;
		facts.nid = -1;
		facts.huge = i & 1;
		facts.by_pte = i & 2;
		policy.recoverable = i & 4;
		policy.enabled = i & 8;
		if (facts.resident + facts.swapped > facts.pages)
			continue;
		check_verdict(&facts, &policy);
		checked++;
	}
	assert_true(checked > 1000);
}

static void begin(struct team *team, uint16_t swapped, bool by_pte)
{
	struct team_facts facts = {PAGES, PAGES - swapped, swapped, 0,
				   0,	  false,	   by_pte};

	team_begin(team, 3, &facts, &by_name);
}

static void test_straight(void **state)
{
	struct team team;

	(void) state;
	begin(&team, 5, true);
	assert_int_equal(team.step, TEAM_SWAPIN);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_COLLAPSE);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_REMAP);
	assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_END);
	assert_int_equal(team.done, HUGETMPFS_PASS_SWAPIN |
					    HUGETMPFS_PASS_COLLAPSE |
					    HUGETMPFS_PASS_REMAP);
	assert_int_equal(team_outcome(&team), TEAM_COMPLETED);

	begin(&team, 0, false);
	assert_int_equal(team.step, TEAM_COLLAPSE);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_END);
	assert_int_equal(team_outcome(&team), TEAM_COMPLETED);
}

static void test_remap_fails(void **state)
{
	struct team team;

	(void) state;
	for (enum team_event event = TEAM_BUSY; event < TEAM_NR_EVENTS;
	     event++) {
		begin(&team, 0, true);
		team_advance(&team, TEAM_DID);
		team_advance(&team, event);
		assert_int_equal(team.step, TEAM_END);
		assert_int_equal(team.done, HUGETMPFS_PASS_COLLAPSE);
		assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
		assert_int_equal(team_outcome(&team), TEAM_COMPLETED);
	}
}

/* What somebody else made huge has to be remapped, and is nobody's success. */
static void test_raced(void **state)
{
	struct team team;

	(void) state;
	for (int swapped = 0; swapped < 6; swapped += 5) {
		begin(&team, swapped, true);
		team_advance(&team, TEAM_RACED);
		assert_int_equal(team.step, TEAM_REMAP);
		team_advance(&team, TEAM_DID);
		assert_int_equal(team.step, TEAM_END);
		assert_int_equal(team.done, HUGETMPFS_PASS_REMAP);
		assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
		assert_int_equal(team_outcome(&team), TEAM_QUIET);

		begin(&team, swapped, false);
		team_advance(&team, TEAM_RACED);
		assert_int_equal(team.step, TEAM_END);
		assert_int_equal(team.done, 0);
		assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
	}
}

static void test_busy(void **state)
{
	struct team_facts facts = {PAGES, PAGES, 0, 0, 0, false, false};
	struct team team;

	(void) state;
	begin(&team, 5, false);
	team_advance(&team, TEAM_DID);
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i < TEAM_TRIES; i++) {
			team_advance(&team, TEAM_BUSY);
			assert_int_equal(team.step, TEAM_COLLAPSE);
			assert_false(team_retry(&team, &facts, &by_name));
		}
		team_advance(&team, TEAM_BUSY);
		assert_int_equal(team.step, TEAM_END);
		assert_int_equal(team.reason, HUGETMPFS_REASON_NOT_ASKED);
		/* nothing is swapped any more: straight to the collapse */
		assert_int_equal(team_retry(&team, &facts, &by_name),
				 round == 0);
		if (round == 0)
			assert_int_equal(team.step, TEAM_COLLAPSE);
	}
	team_give_up(&team, HUGETMPFS_REASON_PINNED, -11);
	assert_int_equal(team.error, 11);
	assert_int_equal(team_outcome(&team), TEAM_PARTIAL);

	begin(&team, 0, false);
	team_give_up(&team, HUGETMPFS_REASON_PINNED, 11);
	assert_int_equal(team_outcome(&team), TEAM_FAILED);
	assert_false(team_retry(&team, &facts, &by_name));
}

/* A retry finds that the extent became huge meanwhile. */
static void test_retry_huge(void **state)
{
	struct team_facts facts = {PAGES, PAGES, 0, 0, 0, true, false};
	struct team team;

	(void) state;
	begin(&team, 0, false);
	for (int i = 0; i < TEAM_TRIES; i++)
		team_advance(&team, TEAM_BUSY);
	assert_true(team_retry(&team, &facts, &by_name));
	assert_int_equal(team.step, TEAM_END);
	assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(team_outcome(&team), TEAM_QUIET);
}

/* Whatever comes, in whatever order, it ends. */
static void test_ends(void **state)
{
	struct team_facts facts = {PAGES, PAGES - 1, 1, 0, 0, false, true};
	struct team team;
	uint32_t seed = 1;

	(void) state;
	for (int run = 0; run < 20000; run++) {
		int steps = 0;

		begin(&team, 1, true);
		do {
			while (team.step != TEAM_END) {
				seed = seed * 1664525 + 1013904223;
				team_advance(&team,
					     (seed >> 16) % TEAM_NR_EVENTS);
				assert_true(++steps <=
					    2 * (2 * TEAM_TRIES + 1));
			}
		} while (team_retry(&team, &facts, &by_name));
		team_advance(&team, TEAM_DID);
		assert_int_equal(team.step, TEAM_END);
	}
}

static void test_outcome(void **state)
{
	enum team_outcome outcome;
	struct team team;

	(void) state;
	for (int reason = 0; reason < HUGETMPFS_NR_REASONS; reason++) {
		begin(&team, 0, false);
		team_give_up(&team, reason, 0);
		outcome = team_outcome(&team);
		if (reason == HUGETMPFS_REASON_DONE ||
		    reason == HUGETMPFS_REASON_TOO_LATE ||
		    reason == HUGETMPFS_REASON_EMPTY ||
		    reason == HUGETMPFS_REASON_BEYOND_EOF ||
		    reason == HUGETMPFS_REASON_CANCELLED ||
		    reason == HUGETMPFS_REASON_NOT_ASKED)
			assert_int_equal(outcome, TEAM_QUIET);
		else
			assert_int_equal(outcome, TEAM_FAILED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_straight),
		cmocka_unit_test(test_remap_fails),
		cmocka_unit_test(test_raced),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_retry_huge),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

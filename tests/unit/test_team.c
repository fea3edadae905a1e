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
	struct team_facts facts = {.pages = pages,
				   .resident = resident,
				   .swapped = swapped,
				   .huge = huge};

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
	struct team_facts facts = {.pages = 7,
				   .resident = 3,
				   .swapped = 2,
				   .nid = 1,
				   .target_nid = -1};
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
	facts = (struct team_facts){.pages = 7,
				    .resident = 7,
				    .target_nid = 3,
				    .misplaced_pages = 7,
				    .huge = true};
	team_show(9, &facts, &extent);
	assert_int_equal(extent.target_nid, 3);
	assert_int_equal(extent.misplaced_pages, 7);
	assert_int_equal(extent.data_pages, PAGES);
	assert_int_equal(extent.hole_pages, 0);
	assert_int_equal(extent.state, HUGETMPFS_HUGE);
}

/* What the verdict on a huge one must be. */
static void check_verdict_huge(const struct team_facts *facts, bool may,
			       const struct team_verdict *verdict)
{
	bool nowhere = facts->misplaced_pages && facts->no_node;
	bool migrate = facts->misplaced_pages && !nowhere;

	assert_int_equal(!!(verdict->passes & HUGETMPFS_PASS_MIGRATE),
			 migrate && may);
	assert_int_equal(!!(verdict->passes & HUGETMPFS_PASS_REMAP),
			 facts->by_pte && may);
	assert_false(verdict->passes &
		     (HUGETMPFS_PASS_SWAPIN | HUGETMPFS_PASS_COLLAPSE));
	assert_int_equal(verdict->reason, nowhere ? HUGETMPFS_REASON_NO_NODE
					  : migrate
						  ? HUGETMPFS_REASON_MISPLACED
						  : HUGETMPFS_REASON_DONE);
}

/* What the verdict must be, said the other way round than team.c says it. */
static void check_verdict(const struct team_facts *facts,
			  const struct team_policy *policy)
{
	struct team_verdict verdict = team_judge(facts, policy);
	bool data = facts->resident + facts->swapped > 0;
	bool may = policy->recoverable && policy->enabled;
	bool collapse = verdict.passes & HUGETMPFS_PASS_COLLAPSE;

	if (facts->huge) {
		check_verdict_huge(facts, may, &verdict);
		return;
	}
	assert_int_not_equal(verdict.reason, HUGETMPFS_REASON_DONE);
	assert_int_equal(collapse,
			 verdict.reason == HUGETMPFS_REASON_NOT_ASKED);
	assert_int_equal(collapse,
			 facts->pages && data && may && !facts->no_node &&
				 team_new_pages(facts) <= policy->max_holes);
	assert_int_equal(!!(verdict.passes & HUGETMPFS_PASS_SWAPIN),
			 collapse && facts->swapped);
	assert_int_equal(!!(verdict.passes & HUGETMPFS_PASS_MIGRATE),
			 collapse && facts->misplaced_pages);
	assert_int_equal(!!(verdict.passes & HUGETMPFS_PASS_REMAP),
			 collapse && facts->by_pte);
	if (!facts->pages)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_BEYOND_EOF);
	else if (!data)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_EMPTY);
	else if (!policy->recoverable)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_UNSUPPORTED);
	else if (!policy->enabled)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_POLICY);
	else if (!collapse && team_new_pages(facts) > policy->max_holes)
		assert_int_equal(verdict.reason,
				 HUGETMPFS_REASON_TOO_MANY_HOLES);
	else if (!collapse)
		assert_int_equal(verdict.reason, HUGETMPFS_REASON_NO_NODE);
}

static void test_judge(void **state)
{
	static const uint16_t counts[] = {0, 1, 2, 447, 448, 449, 511, PAGES};
	const size_t nr = sizeof(counts) / sizeof(counts[0]);
	struct team_policy policy;
	struct team_facts facts;
	unsigned checked = 0;

	(void) state;
	for (size_t i = 0; i < nr * nr * nr * nr * 64; i++) {
		size_t n = i / 64;

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
		facts.target_nid = -1;
		facts.misplaced_pages = i & 16 ? facts.resident : 0;
		facts.no_node = i & 32;
		if (facts.resident + facts.swapped > facts.pages)
			continue;
		check_verdict(&facts, &policy);
		checked++;
	}
	assert_true(checked > 1000);
}

static void begin(struct team *team, uint16_t swapped, bool by_pte)
{
	struct team_facts facts = {.pages = PAGES,
				   .resident = PAGES - swapped,
				   .swapped = swapped,
				   .target_nid = -1,
				   .by_pte = by_pte};

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
	struct team_facts facts = {.pages = PAGES,
				   .resident = PAGES,
				   .target_nid = -1};
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
	struct team_facts facts = {.pages = PAGES,
				   .resident = PAGES,
				   .target_nid = -1,
				   .huge = true};
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

/* One that belongs on node 1, with some pages on another one. */
static void begin_on(struct team *team, uint16_t swapped, uint16_t misplaced,
		     bool huge, bool by_pte)
{
	struct team_facts facts = {.pages = PAGES,
				   .resident = PAGES - swapped,
				   .swapped = swapped,
				   .target_nid = 1,
				   .misplaced_pages = misplaced,
				   .huge = huge,
				   .by_pte = by_pte};

	team_begin(team, 3, &facts, &by_name);
}

static void test_migrate_small(void **state)
{
	struct team team;

	(void) state;
	begin_on(&team, 0, 5, false, true);
	assert_int_equal(team.step, TEAM_MIGRATE);
	team.now.misplaced_pages = 0;
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_COLLAPSE);
	assert_int_equal(team.reason, HUGETMPFS_REASON_NOT_ASKED);
	team.now.huge = true;
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_REMAP);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team_outcome(&team), TEAM_COMPLETED);
	assert_int_equal(team.done, HUGETMPFS_PASS_MIGRATE |
					    HUGETMPFS_PASS_COLLAPSE |
					    HUGETMPFS_PASS_REMAP);

	/* nothing was elsewhere before it came back from swap */
	begin_on(&team, 7, 0, false, false);
	team.now.misplaced_pages = 7;
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_MIGRATE);
	begin_on(&team, 7, 0, false, false);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_COLLAPSE);
}

/* What cannot be moved may be collapsed, and then is moved as one. */
static void test_migrate_busy(void **state)
{
	struct team team;

	(void) state;
	begin_on(&team, 0, 5, false, false);
	for (int i = 0; i < TEAM_TRIES; i++) {
		assert_int_equal(team.step, TEAM_MIGRATE);
		team_advance(&team, TEAM_BUSY);
	}
	assert_int_equal(team.step, TEAM_COLLAPSE);
	team.now.huge = true;
	team.now.misplaced_pages = PAGES;
	team_advance(&team, TEAM_DID);
	for (int i = 0; i < TEAM_TRIES; i++) {
		assert_int_equal(team.step, TEAM_PLACE);
		team_advance(&team, TEAM_BUSY);
	}
	assert_int_equal(team.step, TEAM_END);
	assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
}

/* Left alone at its place after the collapse, it is remapped all the same. */
static void test_place(void **state)
{
	struct team team;

	(void) state;
	for (enum team_event event = 0; event < TEAM_NR_EVENTS; event++) {
		begin_on(&team, 0, 5, false, true);
		team_advance(&team, TEAM_LEFT);
		team.now.huge = true;
		team_advance(&team, TEAM_DID);
		assert_int_equal(team.step, TEAM_PLACE);
		for (int i = 0; team.step == TEAM_PLACE; i++) {
			assert_in_range(i, 0, TEAM_TRIES);
			team_advance(&team, event);
		}
		assert_int_equal(team.step, TEAM_REMAP);
		assert_int_equal(!!(team.done & HUGETMPFS_PASS_MIGRATE),
				 event == TEAM_DID);
	}
	/* somebody else made it huge, elsewhere */
	begin_on(&team, 1, 5, false, false);
	team.now.huge = true;
	team_advance(&team, TEAM_RACED);
	assert_int_equal(team.step, TEAM_PLACE);
}

static void test_migrate_huge(void **state)
{
	struct team team;

	(void) state;
	begin_on(&team, 0, PAGES, true, true);
	assert_int_equal(team.step, TEAM_MIGRATE);
	assert_int_equal(team.reason, HUGETMPFS_REASON_NOT_ASKED);
	team.now.misplaced_pages = 0;
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_REMAP);
	assert_int_equal(team.reason, HUGETMPFS_REASON_DONE);
	team_advance(&team, TEAM_DID);
	assert_int_equal(team_outcome(&team), TEAM_COMPLETED);
	assert_int_equal(team.done,
			 HUGETMPFS_PASS_MIGRATE | HUGETMPFS_PASS_REMAP);

	/* it arrived in pieces */
	begin_on(&team, 0, PAGES, true, false);
	team.now.misplaced_pages = 0;
	team.now.huge = false;
	team_advance(&team, TEAM_DID);
	assert_int_equal(team.step, TEAM_COLLAPSE);
	team_give_up(&team, HUGETMPFS_REASON_NO_HUGE_PAGE, 12);
	assert_int_equal(team_outcome(&team), TEAM_PARTIAL);

	/* it could not be moved at all */
	begin_on(&team, 0, PAGES, true, true);
	for (int i = 0; i < TEAM_TRIES; i++)
		team_advance(&team, TEAM_BUSY);
	assert_int_equal(team.step, TEAM_REMAP);
	assert_int_equal(team.reason, HUGETMPFS_REASON_NOT_ASKED);
}

/* Whatever comes, in whatever order, it ends. */
static void test_ends(void **state)
{
	struct team team;
	uint32_t seed = 1;

	(void) state;
	for (int run = 0; run < 40000; run++) {
		struct team_facts facts;
		int steps = 0;

		begin_on(&team, run & 1, run & 2 ? 9 : 0, run & 4, run & 8);
		facts = team.now;
		do {
			while (team.step != TEAM_END) {
				seed = seed * 1664525 + 1013904223;
				team.now.huge = seed >> 8 & 1;
				team.now.misplaced_pages = seed >> 9 & 3;
				team_advance(&team,
					     (seed >> 16) % TEAM_NR_EVENTS);
				assert_true(++steps <=
					    2 * (4 * TEAM_TRIES + 1));
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
		cmocka_unit_test(test_migrate_small),
		cmocka_unit_test(test_migrate_busy),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_migrate_huge),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy follow: when looks at where mappers run are reason to move, and
 * that it comes to rest whatever they do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "placement/follow.h"

#define GAP   PLACEMENT_FOLLOW_GAP_TICKS
#define INO   7
#define INDEX 3

/* Looks after which one move is forgotten. */
#define SETTLED (2 * PLACEMENT_FOLLOW_LOOKS * PLACEMENT_FOLLOW_SETTLED)

static struct placement_follow *follow;
static uint64_t now;

static int setup(void **state)
{
	(void) state;
	now = 1000;
	return placement_follow_open(&follow);
}

static int teardown(void **state)
{
	(void) state;
	placement_follow_close(follow);
	return 0;
}

/* A look that is far enough from the one before. */
static int look(int16_t named)
{
	now += GAP;
	return placement_follow_look(follow, INO, INDEX, named, now);
}

static int home(void)
{
	return placement_follow_home(follow, INO, INDEX);
}

/* Has it be on the node, by as many looks as that takes. */
static void settle(int16_t node)
{
	for (int i = 0; look(node) != node; i++)
		assert_true(i < 1000);
}

static void test_named(void **state)
{
	uint32_t threads[4] = {0};

	(void) state;
	assert_int_equal(placement_follow_named(threads, 4, 0), -1);
	threads[2] = 1;
	assert_int_equal(placement_follow_named(threads, 4, 1), 2);
	assert_int_equal(placement_follow_named(threads, 2, 1), -1);
	/* others run where their pages may not be */
	assert_int_equal(placement_follow_named(threads, 4, 2), -1);
	threads[2] = 3;
	threads[0] = 1;
	assert_int_equal(placement_follow_named(threads, 4, 4), 2);
	threads[0] = 2;
	assert_int_equal(placement_follow_named(threads, 4, 5), -1);
	threads[0] = 3;
	assert_int_equal(placement_follow_named(threads, 4, 6), -1);
	threads[0] = 9;
	assert_int_equal(placement_follow_named(threads, 4, 12), 0);
	threads[0] = UINT32_MAX;
	assert_int_equal(placement_follow_named(threads, 4, UINT32_MAX), 0);
	assert_int_equal(placement_follow_named(threads, 4,
						2 * (uint64_t) UINT32_MAX),
			 -1);
}

static void test_two_looks(void **state)
{
	(void) state;
	assert_int_equal(home(), -1);
	assert_int_equal(look(1), -1);
	assert_int_equal(home(), -1);
	assert_int_equal(look(1), 1);
	assert_int_equal(home(), 1);
	/* nobody runs anywhere in particular: it stays */
	assert_int_equal(look(-1), 1);
	assert_int_equal(look(0), 1);
	assert_int_equal(look(0), 0);
	assert_int_equal(home(), 0);
}

/* Looks that follow each other at once are one. */
static void test_gap(void **state)
{
	(void) state;
	assert_int_equal(look(1), -1);
	for (int i = 1; i < GAP; i++) {
		now++;
		assert_int_equal(placement_follow_look(follow, INO, INDEX, 1,
						       now),
				 -1);
	}
	now++;
	assert_int_equal(placement_follow_look(follow, INO, INDEX, 1, now), 1);
	/* one that takes the name back counts whenever it comes */
	assert_int_equal(look(0), 1);
	now++;
	assert_int_equal(placement_follow_look(follow, INO, INDEX, 1, now), 1);
	now += GAP - 1;
	assert_int_equal(placement_follow_look(follow, INO, INDEX, 0, now), 1);
	assert_int_equal(look(0), 0);
}

/* Nor are looks that nobody took for a long time, as nobody mapped it. */
static void test_far_apart(void **state)
{
	(void) state;
	assert_int_equal(look(1), -1);
	for (int i = 0; i < 10; i++) {
		now += PLACEMENT_FOLLOW_ROW_TICKS;
		assert_int_equal(look(1), -1);
	}
	now += PLACEMENT_FOLLOW_ROW_TICKS;
	assert_int_equal(placement_follow_look(follow, INO, INDEX, 1, now), 1);
}

static void test_broken_row(void **state)
{
	(void) state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(look(1), -1);
		assert_int_equal(look(i % 2 ? 0 : -1), -1);
	}
	assert_int_equal(look(2), -1);
	assert_int_equal(look(2), 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(look((int16_t) (i % 3)), 2);
}

/* Extents of one file, and of different files, know nothing of each other. */
static void test_apart(void **state)
{
	(void) state;
	assert_int_equal(look(1), -1);
	now += GAP;
	assert_int_equal(placement_follow_look(follow, INO, INDEX + 1, 1, now),
			 -1);
	assert_int_equal(placement_follow_look(follow, INO + 1, INDEX, 1, now),
			 -1);
	assert_int_equal(look(1), 1);
	assert_int_equal(placement_follow_home(follow, INO, INDEX + 1), -1);
	assert_int_equal(placement_follow_home(follow, INO + 1, INDEX), -1);
	assert_int_equal(placement_follow_home(follow, 0, 0), -1);
}

static void test_failed(void **state)
{
	uint64_t ticks = PLACEMENT_FOLLOW_BACKOFF_TICKS;

	(void) state;
	for (int i = 0; i < 10; i++) {
		settle(1);
		placement_follow_failed(follow, INO, INDEX, 1, now);
		assert_int_equal(home(), -1);
		for (uint64_t at = 0; at < ticks; at++)
			assert_int_equal(placement_follow_look(follow, INO,
							       INDEX, 1,
							       now + at),
					 -1);
		now += ticks;
		/* and from then on two looks as before, not fewer */
		assert_int_equal(placement_follow_look(follow, INO, INDEX, 1,
						       now),
				 -1);
		if (i < PLACEMENT_FOLLOW_BACKOFF_DOUBLINGS)
			ticks *= 2;
	}
	assert_int_equal(ticks, 1024);
	/* a move that did not fail ends it */
	settle(1);
	placement_follow_moved(follow, INO, INDEX, 1);
	placement_follow_failed(follow, INO, INDEX, 1, now);
	now += PLACEMENT_FOLLOW_BACKOFF_TICKS;
	assert_int_equal(look(1), -1);
	assert_int_equal(look(1), 1);
}

/* What comes of a move to where it need not be any more says nothing. */
static void test_stale_answers(void **state)
{
	(void) state;
	placement_follow_failed(follow, INO, INDEX, 1, now);
	placement_follow_moved(follow, INO, INDEX, 1);
	settle(1);
	settle(0);
	placement_follow_failed(follow, INO, INDEX, 1, now);
	assert_int_equal(home(), 0);
	placement_follow_failed(follow, INO, INDEX, -1, now);
	assert_int_equal(home(), 0);
	placement_follow_failed(follow, INO, INDEX, 0, now);
	assert_int_equal(home(), -1);
	placement_follow_failed(follow, INO, INDEX, -1, now);
	/* the second failure is none, so it is soon over */
	now += PLACEMENT_FOLLOW_BACKOFF_TICKS;
	assert_int_equal(look(2), -1);
	assert_int_equal(look(2), -1);
	assert_int_equal(look(2), -1);
	assert_int_equal(look(2), 2);
}

/* Mappers that alternate, at any period: it comes to rest. */
static void test_alternating(void **state)
{
	int moves, last, at;

	(void) state;
	for (int period = 1; period < 400; period += period < 40 ? 1 : 17) {
		teardown(state);
		setup(state);
		moves = 0;
		last = -1;
		for (int i = 0; i < 20000; i++) {
			at = look((int16_t) (i / period % 2));
			moves += at != last;
			last = at;
		}
		if (period == 1)
			assert_int_equal(moves, 0);
		else if (period < SETTLED)
			assert_in_range(moves, 1,
					PLACEMENT_FOLLOW_DOUBLINGS + 2);
		else
			assert_in_range(moves, 1, 20000 / period + 1);
	}
}

/* After a long time in one place it is as willing to move as at first. */
static void test_settled(void **state)
{
	(void) state;
	settle(0);
	settle(1);
	/* one move makes the next one take twice as many looks */
	for (int i = 1; i < 2 * PLACEMENT_FOLLOW_LOOKS; i++)
		assert_int_equal(look(0), 1);
	assert_int_equal(look(0), 0);
	for (int i = 0; i < 3 * SETTLED; i++)
		look(0);
	for (int i = 1; i < PLACEMENT_FOLLOW_LOOKS; i++)
		assert_int_equal(look(1), 0);
	assert_int_equal(look(1), 1);
}

/* More extents than places: none is lost that has one, until it is old. */
static void test_bounded(void **state)
{
	uint64_t nr = 2 * PLACEMENT_FOLLOW_EXTENTS, held = 0, again = 0;

	(void) state;
	for (int round = 0; round < PLACEMENT_FOLLOW_LOOKS; round++) {
		now += GAP;
		for (uint64_t i = 0; i < nr; i++)
			placement_follow_look(follow, INO, i, 1, now);
	}
	for (uint64_t i = 0; i < nr; i++)
		held += placement_follow_home(follow, INO, i) == 1;
	/* nearly all of the places: as even as the hash is */
	assert_in_range(held, PLACEMENT_FOLLOW_EXTENTS * 9 / 10,
			PLACEMENT_FOLLOW_EXTENTS);
	/* nobody maps the first file any more */
	now += PLACEMENT_FOLLOW_MEMORY_TICKS;
	for (int round = 0; round < PLACEMENT_FOLLOW_LOOKS; round++) {
		now += GAP;
		for (uint64_t i = 0; i < nr; i++) {
			placement_follow_look(follow, INO, i, -1, now);
			placement_follow_look(follow, INO + 1, i, 1, now);
		}
	}
	for (uint64_t i = 0; i < nr; i++)
		again += placement_follow_home(follow, INO + 1, i) == 1;
	assert_in_range(again, PLACEMENT_FOLLOW_EXTENTS * 9 / 10,
			PLACEMENT_FOLLOW_EXTENTS);
}

/*
 * The model: all looks that counted, by the words of the header, not by the
 * way it is done.
 */
#define MODEL_LOOKS 4000

static struct {
	int16_t named[MODEL_LOOKS];
	unsigned nr;
	unsigned moved_at[MODEL_LOOKS]; /* looks before each change of home */
	unsigned nr_moves;
	uint64_t counted_at, until;
} model;

static void model_look(int16_t named, uint64_t at)
{
	bool other = !model.nr || model.named[model.nr - 1] != named;

	if (at < model.until || (!other && at - model.counted_at < GAP))
		return;
	model.named[model.nr++] = named;
	model.counted_at = at;
}

/* How many of the last looks, in a row, named the node. */
static unsigned model_row(int16_t node)
{
	unsigned nr = 0;

	while (nr < model.nr && model.named[model.nr - 1 - nr] == node)
		nr++;
	return nr;
}

/* A change of home: at least the looks in a row, all since the last change. */
static void model_check_move(int to)
{
	unsigned since = model.nr_moves ? model.moved_at[model.nr_moves - 1]
					: 0;

	assert_true(to >= 0);
	assert_true(model_row((int16_t) to) >= PLACEMENT_FOLLOW_LOOKS);
	assert_true(model.nr - since >= PLACEMENT_FOLLOW_LOOKS);
	model.moved_at[model.nr_moves++] = model.nr;
}

/*
 * In the time in which an extent cannot have been settled anew, moves are as
 * few as doubling allows.
 */
static void model_check_rest(void)
{
	unsigned from = 0;

	for (unsigned i = 0; i < model.nr_moves; i++) {
		while (model.moved_at[i] - model.moved_at[from] >= SETTLED / 2)
			from++;
		/* after one: 2 looks, 4, 8 and 16 are 30 of less than 32 */
		assert_true(i - from <= 4);
	}
}

/* A move fails; then it begins anew, if not as willing to move. */
static void model_fail(int16_t at, unsigned seed)
{
	placement_follow_moved(follow, seed, INDEX, at);
	placement_follow_failed(follow, seed, INDEX, at, now);
	assert_int_equal(placement_follow_home(follow, seed, INDEX), -1);
	model_check_rest();
	model.until = now + PLACEMENT_FOLLOW_BACKOFF_TICKS;
	model.named[model.nr++] = -1;
	model.nr_moves = 0;
}

static void model_run(unsigned seed)
{
	unsigned nodes = 2 + seed % 3, sticky = seed % 7;
	int16_t named = 0;
	int at, last = -1;

	memset(&model, 0, sizeof(model));
	srand(seed);
	while (model.nr < MODEL_LOOKS - 1) {
		now += (unsigned) rand() % (2 * GAP);
		/* the same node for long, or another each time */
		if (sticky < 2 || (unsigned) rand() % (1u << sticky) == 0)
			named = (int16_t) ((unsigned) rand() % (nodes + 1)) - 1;
		model_look(named, now);
		at = placement_follow_look(follow, seed, INDEX, named, now);
		assert_int_equal(at, placement_follow_home(follow, seed,
							   INDEX));
		if (at != last)
			model_check_move(at);
		last = at;
		if (rand() % 400 == 0 && at >= 0) {
			model_fail((int16_t) at, seed);
			last = -1;
		}
		if (rand() % 50 == 0)
			placement_follow_moved(follow, seed, INDEX,
					       (int16_t) at);
	}
	model_check_rest();
}

static void test_model(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= 300; seed++)
		model_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test_setup_teardown(test_two_looks, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_far_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_broken_row, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_answers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_alternating, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arithmetic of the budgets, up to the ends of its numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hugetmpfs/types.h>

#include "recovery/budget.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)
#define MB UINT64_C(1048576)

/* Bytes that a hungry caller gets through in a time, from now on. */
static uint64_t let_go(struct recovery_budget *budget,
		       const struct recovery_settings *settings,
		       uint64_t now_ns, uint64_t for_ns)
{
	uint64_t end_ns = now_ns + for_ns, bytes = 0, wait_ns;
	uint32_t nr;

	while (now_ns < end_ns) {
		wait_ns = recovery_budget_wait(budget, settings, now_ns);
		if (wait_ns) {
			now_ns += wait_ns;
			continue;
		}
		nr = recovery_budget_extents(settings, 32);
		recovery_budget_take_extents(budget, settings, now_ns, nr);
		bytes += nr * HUGETMPFS_EXTENT_BYTES;
	}
	return bytes;
}

static void test_rate(void **state)
{
	static const uint64_t rates[] = {
		1 * MB, 3 * MB, 10 * MB, 64 * MB, 1000 * MB, 5000 * MB,
	};
	struct recovery_settings settings = {0};

	(void) state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct recovery_budget budget = {0};
		uint64_t bytes;

		settings.bytes_per_second = rates[i];
		bytes = let_go(&budget, &settings, 1000 * S, 20 * S);
		/* the slack, and the last step */
		assert_true(bytes <= 20 * rates[i] + rates[i] / 10 + 2 * MB);
		assert_true(bytes + 2 * MB >= 20 * rates[i]);
	}
}

/* A bucket that was not used is no fuller than one that was. */
static void test_idle(void **state)
{
	struct recovery_settings settings = {.bytes_per_second = 20 * MB};
	struct recovery_budget budget = {0};
	uint64_t bytes;

	(void) state;
	let_go(&budget, &settings, S, S);
	bytes = let_go(&budget, &settings, 1000 * S, S);
	assert_true(bytes <= 22 * MB + 2 * MB);
}

static void test_cpu(void **state)
{
	struct recovery_settings settings = {.cpu_percent = 25};
	struct recovery_budget budget = {0};
	uint64_t now_ns = 1000 * S, begun_ns = now_ns, used_ns = 0;

	(void) state;
	while (now_ns - begun_ns < 10 * S) {
		now_ns += recovery_budget_wait(&budget, &settings, now_ns);
		now_ns += 7 * MS;
		used_ns += 7 * MS;
		recovery_budget_take_cpu(&budget, &settings, now_ns, 7 * MS);
	}
	assert_true(used_ns <= (now_ns - begun_ns) / 4 + 30 * MS);
	assert_true(used_ns + 30 * MS >= (now_ns - begun_ns) / 4);
	/* a whole core does not hold up one that uses a core */
	settings.cpu_percent = 100;
	budget = (struct recovery_budget){0};
	for (int i = 0; i < 100; i++) {
		now_ns += 7 * MS;
		recovery_budget_take_cpu(&budget, &settings, now_ns, 7 * MS);
		assert_int_equal(recovery_budget_wait(&budget, &settings,
						      now_ns), 0);
	}
}

static void test_no_limit(void **state)
{
	struct recovery_settings settings = {.bytes_per_second = 1,
					     .cpu_percent = 1};
	struct recovery_budget budget = {0};

	(void) state;
	recovery_budget_take_extents(&budget, &settings, S, 1);
	recovery_budget_take_cpu(&budget, &settings, S, S);
	assert_true(recovery_budget_wait(&budget, &settings, S) > 0);
	settings.cpu_percent = 0;
	settings.bytes_per_second = 0;
	assert_int_equal(recovery_budget_wait(&budget, &settings, S), 0);
	assert_int_equal(recovery_budget_extents(&settings, 32), 32);
}

static void test_extremes(void **state)
{
	struct recovery_settings settings = {.bytes_per_second = 1,
					     .cpu_percent = 1};
	struct recovery_budget budget = {0};

	(void) state;
	assert_int_equal(recovery_budget_extents(&settings, 32), 1);
	recovery_budget_take_extents(&budget, &settings, 0, 1);
	assert_int_equal(recovery_budget_wait(&budget, &settings, 0),
			 HUGETMPFS_EXTENT_BYTES * S);
	/* more than any number can say is never */
	recovery_budget_take_extents(&budget, &settings, 0, UINT32_MAX);
	recovery_budget_take_extents(&budget, &settings, 0, UINT32_MAX);
	assert_int_equal(recovery_budget_wait(&budget, &settings, 0),
			 UINT64_MAX);
	recovery_budget_take_cpu(&budget, &settings, UINT64_MAX, UINT64_MAX);
	recovery_budget_take_cpu(&budget, &settings, UINT64_MAX, UINT64_MAX);
	assert_int_equal(recovery_budget_wait(&budget, &settings, UINT64_MAX),
			 0);
	/* and the highest rate is no rate at all */
	settings.bytes_per_second = INT64_MAX;
	settings.cpu_percent = 25600;
	budget = (struct recovery_budget){0};
	assert_int_equal(recovery_budget_extents(&settings, 32), 32);
	recovery_budget_take_extents(&budget, &settings, S, 32);
	recovery_budget_take_cpu(&budget, &settings, S, MS);
	assert_int_equal(recovery_budget_wait(&budget, &settings, S), 0);
}

/* What a look 250 ms after another, with an average of 60 %, comes to. */
static bool is_high(uint64_t stalled_ms, uint64_t own_ms)
{
	struct recovery_pressure pressure = {0};

	recovery_pressure_take(&pressure, 20, 9 * S, 6000, 70 * S / 1000, 0);
	assert_true(pressure.high);
	recovery_pressure_take(&pressure, 20, 9 * S + 250 * MS, 6000,
			       70 * S / 1000 + stalled_ms * 1000, own_ms * MS);
	return pressure.high;
}

static void test_pressure(void **state)
{
	struct recovery_pressure pressure = {0};

	(void) state;
	/* the average is low, or nothing is to hold up anything */
	recovery_pressure_take(&pressure, 20, S, 2000, 0, 0);
	assert_false(pressure.high);
	recovery_pressure_take(&pressure, 0, S, 10000, 0, 0);
	assert_false(pressure.high);
	/* of 250 ms, 50 are 20 % */
	assert_false(is_high(0, 0));
	assert_false(is_high(50, 0));
	assert_true(is_high(51, 0));
	/* our own waits do not count */
	assert_false(is_high(250, 200));
	assert_true(is_high(250, 199));
	assert_false(is_high(100, 250));
	/* a look of long ago says nothing */
	recovery_pressure_take(&pressure, 20, 9 * S, 6000, 0, 0);
	recovery_pressure_take(&pressure, 20, 12 * S, 6000, 0, 0);
	assert_true(pressure.high);
	recovery_pressure_take(&pressure, 20, UINT64_MAX, 10000, UINT64_MAX,
			       UINT64_MAX);
	assert_true(pressure.high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

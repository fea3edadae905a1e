/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The histograms of durations: which bucket, and that each step of a recovery
 * is in one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/engine.h"
#include "recovery/latency.h"

static struct engine engine;
static struct caller caller;
static struct recovery_latencies latencies;

static uint64_t count_of(enum recovery_latency which)
{
	uint64_t sum = 0;

	for (int i = 0; i < RECOVERY_LATENCY_BUCKETS; i++)
		sum += latencies.histogram[which].count[i];
	return sum;
}

static void test_buckets(void **state)
{
	(void) state;
	assert_int_equal(recovery_latency_bucket(0), 0);
	assert_int_equal(recovery_latency_bucket(1000), 0);
	assert_int_equal(recovery_latency_bucket(1001), 1);
	for (unsigned i = 1; i < RECOVERY_LATENCY_BUCKETS - 1; i++) {
		uint64_t bound = UINT64_C(1000) << i;

		assert_int_equal(recovery_latency_bucket(bound), i);
		assert_int_equal(recovery_latency_bucket(bound + 1), i + 1);
	}
	assert_int_equal(recovery_latency_bucket(UINT64_MAX),
			 RECOVERY_LATENCY_BUCKETS - 1);
}

static void test_sums(void **state)
{
	(void) state;
	memset(&latencies, 0, sizeof(latencies));
	recovery_latency_add(NULL, RECOVERY_LATENCY_remap, 1);
	recovery_latency_add(&latencies, RECOVERY_LATENCY_remap, 1500);
	recovery_latency_add(&latencies, RECOVERY_LATENCY_remap, 2000);
	recovery_latency_add(&latencies, RECOVERY_LATENCY_remap, 999999999);
	assert_int_equal(latencies.histogram[RECOVERY_LATENCY_remap].sum_ns,
			 1000003499);
	assert_int_equal(latencies.histogram[RECOVERY_LATENCY_remap].count[1],
			 2);
	assert_int_equal(latencies.histogram[RECOVERY_LATENCY_remap].count[20],
			 1);
	for (int i = 0; i < RECOVERY_NR_LATENCIES; i++)
		assert_int_equal(count_of((enum recovery_latency) i),
				 i == RECOVERY_LATENCY_remap ? 3 : 0);
}

/* As many durations as there were calls that do the work. */
static void test_steps(void **state)
{
	(void) state;
	memset(&latencies, 0, sizeof(latencies));
	fake_mm_init(&engine.fake, 8);
	for (int i = 0; i < 8; i++) {
		fake_mm_set(&engine.fake, i, i < 4 ? 500 : 512, i < 4 ? 12 : 0,
			    false);
		engine.fake.mappers[0].by_pte[i] = true;
		engine.fake.mappers[1].by_pte[i] = true;
	}
	engine.fake.mappers[0].present = true;
	engine.fake.mappers[1].present = true;
	/* one is refused once */
	fake_mm_fail(&engine.fake, FAKE_MAPPER_COLLAPSE, 2, -EAGAIN, 1);
	engine.latencies = &latencies;
	engine_start(&engine, 1);
	engine_recover(&engine, &caller, 0, 8, 0);
	assert_int_equal(engine_count(&engine, recov_completed), 8);
	assert_int_equal(count_of(RECOVERY_LATENCY_swapin), 4);
	assert_int_equal(count_of(RECOVERY_LATENCY_collapse), 9);
	assert_int_equal(count_of(RECOVERY_LATENCY_remap), 8);
	assert_true(count_of(RECOVERY_LATENCY_look) >= 1);
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

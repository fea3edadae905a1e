/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine under everything at once: threads that ask for recoveries, look,
 * cancel, punch and fill, on a kernel that errs at random. Every request is
 * answered once and truly, nothing is left over, and when the noise ends all
 * that has data becomes huge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "fake/engine.h"

#define PAGES	HUGETMPFS_EXTENT_PAGES
#define EXTENTS 96
#define THREADS 4
#define ROUNDS	150

static struct engine engine;
static atomic_bool noisy;

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Errors and events beside the engine, from within its own calls. */
static void noise(void *arg, enum fake_op op, uint64_t index)
{
	static _Thread_local uint32_t seed = 12345;

	(void) arg;
	if (!atomic_load(&noisy) || index >= EXTENTS)
		return;
	if (op == FAKE_COLLAPSE || op == FAKE_POPULATE ||
	    op == FAKE_MAPPER_COLLAPSE) {
		if (next(&seed) % 50 == 0)
			fake_mm_punch(&engine.fake, index);
		else if (next(&seed) % 50 == 0)
			fake_mm_fill(&engine.fake, index);
	}
}

static void random_state(uint32_t *seed)
{
	uint16_t resident = next(seed) % (PAGES + 1);
	uint16_t swapped = next(seed) % (PAGES + 1 - resident);
	uint64_t index = next(seed) % EXTENTS;

	if (next(seed) % 4 == 0)
		swapped = PAGES - resident;
	recovery_release(engine.recovery, 5, index, 1);
	fake_mm_punch(&engine.fake, index);
	fake_mm_set(&engine.fake, index, resident, swapped, false);
	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.extents[index].pinned = next(seed) % 16 == 0;
	engine.fake.mappers[index % 3].by_pte[index] = next(seed) % 2;
	pthread_mutex_unlock(&engine.fake.lock);
}

static void check_answer(const struct caller *caller, uint64_t first,
			 uint32_t asked)
{
	const struct hugetmpfs_extent *extent = caller->extents;

	assert_true(caller->error == 0 || caller->error == -EINTR);
	if (caller->error)
		return;
	assert_int_equal(caller->nr,
			 first + asked > EXTENTS ? EXTENTS - first : asked);
	for (uint32_t i = 0; i < caller->nr; i++, extent++) {
		assert_int_equal(extent->index, first + i);
		assert_true(extent->reason != HUGETMPFS_REASON_NOT_ASKED);
		assert_true(extent->reason < HUGETMPFS_NR_REASONS);
		assert_int_equal(extent->data_pages + extent->hole_pages,
				 PAGES);
		if (extent->reason == HUGETMPFS_REASON_DONE)
			assert_int_equal(extent->state, HUGETMPFS_HUGE);
	}
}

static void *ask(void *arg)
{
	struct caller *caller = malloc(sizeof(*caller));
	uint32_t seed = (uint32_t) (uintptr_t) arg;
	struct hugetmpfs_extent extents[EXTENTS];
	struct recovery_request *request;
	uint64_t first, size_bytes;
	uint32_t nr;

	assert_non_null(caller);
	for (int i = 0; i < ROUNDS; i++) {
		caller_init(caller);
		first = next(&seed) % EXTENTS;
		nr = next(&seed) % EXTENTS + 1;
		assert_int_equal(recovery_submit(engine.recovery, &engine.file,
						 first, nr, 0, caller_done,
						 caller, &request),
				 0);
		random_state(&seed);
		if (next(&seed) % 4 == 0)
			recovery_cancel(engine.recovery, request, caller);
		assert_int_equal(recovery_map(engine.recovery, &engine.file, 0,
					      EXTENTS, extents, &size_bytes),
				 EXTENTS);
		caller_wait(caller);
		check_answer(caller, first, nr);
	}
	free(caller);
	return NULL;
}

static void make_script(void)
{
	static const int errors[] = {-EAGAIN, -EBUSY, -ENOMEM, -EINVAL,
				     -EPERM,  -ESRCH, -EIO};
	static const enum fake_op ops[] = {FAKE_COLLAPSE, FAKE_MAPPER_COLLAPSE,
					   FAKE_POPULATE, FAKE_MAPPER_VIEW};
	uint32_t seed = 99;

	for (int i = 0; i < FAKE_SCRIPT; i++)
		fake_mm_fail(&engine.fake, ops[next(&seed) % 4],
			     next(&seed) % EXTENTS, errors[next(&seed) % 7],
			     next(&seed) % 12);
}

/* When all is quiet: no work is left, and the sums are right. */
static void check_quiet(void)
{
	struct recovery_load load;
	uint64_t ended = 0;

	do {
		recovery_load(engine.recovery, &load);
	} while (load.queued || load.running);
	for (int i = 0; i < HUGETMPFS_NR_REASONS; i++)
		ended += engine.counters.count[RECOVERY_COUNT_reasons + i];
	assert_int_equal(ended, engine_count(&engine, work_queued));
	assert_true(engine_count(&engine, recov_completed) +
			    engine_count(&engine, recov_partial) +
			    engine_count(&engine, recov_failed) <=
		    ended);
	assert_int_equal(engine_count(&engine, huge_alloced),
			 engine_count(&engine, page_teamed) / PAGES);
}

static void test_model(void **state)
{
	static struct caller last;
	pthread_t threads[THREADS];

	(void) state;
	fake_mm_init(&engine.fake, EXTENTS);
	engine.fake.together = true;
	for (int i = 0; i < 4; i++)
		engine.fake.mappers[i].present = true;
	engine.fake.mappers[3].misaligned = true;
	engine.fake.hook = noise;
	make_script();
	engine_start(&engine, 4);
	atomic_store(&noisy, true);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask,
						(void *) (i * 77 + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&noisy, false);
	check_quiet();

	pthread_mutex_lock(&engine.fake.lock);
	engine.fake.nr_script = 0;
	for (int i = 0; i < EXTENTS; i++)
		engine.fake.extents[i].pinned = false;
	pthread_mutex_unlock(&engine.fake.lock);
	engine_recover(&engine, &last, 0, EXTENTS, 0);
	check_answer(&last, 0, EXTENTS);
	for (int i = 0; i < EXTENTS; i++)
		assert_true(last.extents[i].state == HUGETMPFS_HUGE ||
			    last.extents[i].state == HUGETMPFS_HOLE);
	check_quiet();
	engine_stop(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

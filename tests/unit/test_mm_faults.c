/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the threads in the background ask the kernel for, with each of their
 * system calls failing once in turn: each asks for an answer that is known, and
 * gets that one or an error, never another answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "fake/calls.h"
#include "fake/other.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define EXTENTS 4

/* Of calls that are made for each process there is: ever fewer beyond so many. */
#define SOME 8

/* Not what a process answers that has gone, or is a stranger's. */
static const int errors[] = {EINTR, EIO, EMFILE, ENOMEM};

/* 0 when the answer is right, else the error; asserts that it is no other. */
typedef int scene_fn(void);

static void with_failing(scene_fn *scene, int error)
{
	struct calls *calls = calls_of_test();
	uint64_t nth, failed;
	int ret;

	calls->error = error;
	other.failing = -error;
	assert_int_equal(scene(), 0);
	for (nth = 1;; nth += 1 + nth / SOME) {
		failed = atomic_load(&calls->nr_failed);
		atomic_store(&calls->left, nth);
		ret = scene();
		atomic_store(&calls->left, 0);
		if (atomic_load(&calls->nr_failed) == failed)
			break;
		if (ret > 0)
			fail_msg("%s (call %u), errno %d: a wrong answer",
				 calls->name, (unsigned) nth, error);
		assert_int_equal(scene(), 0);
	}
	assert_int_equal(ret, 0);
	assert_true(nth > 1);
}

static void with_each_failing(scene_fn *scene)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		with_failing(scene, errors[i]);
}

/* ---- extents of the file, of which the other has written one page ---- */

static int look_in(struct mm_window *window)
{
	struct mm_extent extents[EXTENTS];
	uint64_t size_bytes;
	int ret;

	other.mm->window_attach(other.mm->context, window, other.fd, 0,
				EXTENTS);
	ret = other.mm->look(other.mm->context, window, 0, EXTENTS, NULL,
			     extents, &size_bytes);
	other.mm->window_detach(other.mm->context, window);
	if (ret < 0)
		return ret;
	/* small or huge, as the machine makes them */
	return ret != EXTENTS || size_bytes != FILE_BYTES ||
	       !extents[0].resident || extents[0].swapped ||
	       extents[1].resident || extents[EXTENTS - 1].resident;
}

static int look_at_extents(void)
{
	struct mm_window *window;
	int ret = other.mm->window_open(other.mm->context, EXTENTS, &window);

	if (ret)
		return ret;
	ret = look_in(window);
	other.mm->window_close(other.mm->context, window);
	return ret;
}

static struct mm_mapper mapper = {.pidfd = -1};

/* Nothing fails when it is called for the first time. */
static void open_mapper(void)
{
	if (mapper.pid == other.pid)
		return;
	if (mapper.pidfd >= 0)
		close(mapper.pidfd);
	mapper.pid = other.pid;
	mapper.pidfd = (int) syscall(SYS_pidfd_open, mapper.pid, 0);
	assert_true(mapper.pidfd >= 0);
}

static int view(void)
{
	struct mm_view views[EXTENTS];
	int ret;

	open_mapper();
	ret = other.mm->mapper_view(other.mm->context, &mapper,
				    other.st.st_dev, other.st.st_ino, 0,
				    EXTENTS, views);
	if (ret)
		return ret;
	/* where it is not aligned, it is known to be so */
	return !views[0].addr != views[0].misaligned ||
	       views[1].small || views[1].by_pmd;
}

/* ---- the machine ---- */

static int machine(void)
{
	static struct mm_machine before;
	struct mm_machine now;
	int ret = other.mm->machine(other.mm->context, &now);

	if (ret)
		return ret;
	ret = now.moved < before.moved || now.stalled_us < before.stalled_us;
	before = now;
	return ret;
}

static int nodes(void)
{
	struct nodeset allowed;
	int ret = other.mm->nodes_allowed(other.mm->context, 0, &allowed);

	return ret ? ret : !nodeset_count(&allowed);
}

static int nodes_of_other(void)
{
	struct nodeset allowed;
	int ret = other.mm->nodes_allowed(other.mm->context, other.pid,
					  &allowed);

	return ret ? ret : !nodeset_count(&allowed);
}

static int watch_list(void)
{
	int ret;

	if (!other.watch)
		skip();
	ret = other.mm->watch_list(other.mm->context, other.watch);
	/* this process is none of them, and there is the other */
	return ret < 0 ? ret : !ret;
}

#define TEST(name)                                                             \
	static void test_##name(void **state)                                  \
	{                                                                      \
		(void) state;                                                  \
		with_each_failing(name);                                       \
	}

TEST(ask_threads)
TEST(find_mappers)
TEST(look)
TEST(look_at_extents)
TEST(machine)
TEST(nodes)
TEST(nodes_of_other)
TEST(view)
TEST(watch_list)

static int start_old(void **state)
{
	(void) state;
	return start_watch(1u << MM_PROCMAP_QUERY | 1u << MM_CACHESTAT |
			   1u << MM_PAGEMAP_SCAN | 1u << MM_POPULATE_READ);
}

#define watched(test, start)                                                   \
	cmocka_unit_test_setup_teardown(test, start, stop_watch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		watched(test_ask_threads, start_query),
		watched(test_find_mappers, start_query),
		watched(test_find_mappers, start_text),
		watched(test_look, start_query),
		watched(test_look, start_text),
		watched(test_look_at_extents, start_query),
		watched(test_look_at_extents, start_old),
		watched(test_machine, start_query),
		watched(test_nodes, start_query),
		watched(test_nodes_of_other, start_query),
		watched(test_view, start_query),
		watched(test_view, start_text),
		watched(test_watch_list, start_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

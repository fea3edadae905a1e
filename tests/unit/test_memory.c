/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the daemon and its keeper that are short of memory: each call that
 * wants some, or a thread, fails in turn (fake/memory.h). They say -ENOMEM, or do
 * without it; and afterwards it is as if nothing had been. What is not given back
 * is AddressSanitizer's to find.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <hugetmpfs/ioctl.h>

#include "base/log.h"
#include "base/optstr.h"
#include "base/u64set.h"
#include "control/answer.h"
#include "daemon/options.h"
#include "fake/engine.h"
#include "fake/memory.h"
#include "fake/other.h"
#include "keeper/saved.h"
#include "mm/charge.h"
#include "namespace/inode.h"
#include "placement/follow.h"
#include "recovery/trace.h"

#define EXTENTS 8

static void log_nothing(enum log_level level, const char *format, va_list ap)
{
	(void) level;
	(void) format;
	(void) ap;
}

/* 0, or the negative errno that it ended with; nothing is left of it then. */
typedef int scene_fn(void);

/* A bit for each of the first file descriptors that is open. */
static uint64_t open_fds(void)
{
	uint64_t open = 0;

	for (int fd = 0; fd < 64; fd++)
		open |= (uint64_t) (fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
}

/* Each, but with a part: of those beyond the first ones ever fewer. */
static void with_failing(scene_fn *scene, unsigned part)
{
	struct memory *memory = memory_of_test();
	uint64_t nth, failed, closed, open = open_fds();
	int ret;

	assert_int_equal(scene(), 0);
	for (nth = 1;; nth += 1 + (part ? nth / part : 0)) {
		failed = atomic_load(&memory->nr_failed);
		atomic_store(&memory->left, nth);
		ret = scene();
		atomic_store(&memory->left, 0);
		if (atomic_load(&memory->nr_failed) == failed)
			break;
		if (ret && ret != -ENOMEM && ret != -EAGAIN)
			fail_msg("%s (call %u): %d", memory->name,
				 (unsigned) nth, ret);
		closed = open & ~open_fds();
		if (closed)
			fail_msg("%s (call %u) closed fd %d of others",
				 memory->name, (unsigned) nth,
				 __builtin_ctzll(closed));
		assert_int_equal(scene(), 0);
	}
	assert_int_equal(ret, 0);
	assert_true(nth > 1);
}

static void with_each_failing(scene_fn *scene)
{
	with_failing(scene, 0);
}

/* ---- the scenes ---- */

static int parse_options(void)
{
	char *argv[] = { "hugetmpfs", "-f", "-d", "mm", "-o",
			 "size=64M,mode=\"0700\",numa=follow,recoveries=3",
			 "-o", "ro,debug=fuse", "/mnt", NULL };
	struct options options, again;
	char *text = NULL;
	int ret = options_parse(&options, 9, argv);

	options_init(&again);
	if (!ret) {
		assert_true(options.foreground);
		assert_string_equal(options.mountpoint, "/mnt");
		assert_int_equal(options.settings.recoveries, 3);
		text = options_text(&options);
		ret = text ? options_parse_list(&again, text) : -ENOMEM;
	}
	if (!ret)
		assert_int_equal(again.settings.recoveries, 3);
	free(text);
	options_free(&again);
	options_free(&options);
	return ret;
}

static int change_list(void)
{
	char *list = NULL, *value = NULL;
	int ret = optstr_set(&list, "size", "1G");

	if (!ret)
		ret = optstr_set(&list, "ro", NULL);
	if (!ret)
		ret = optstr_set(&list, "size", "2G");
	if (!ret)
		ret = optstr_value(list, "size", &value);
	if (!ret)
		assert_string_equal(value, "2G");
	if (!ret)
		ret = optstr_remove(&list, "size");
	if (!ret)
		assert_string_equal(list, "ro");
	free(value);
	free(list);
	return ret;
}

static int save(void)
{
	const struct saved saved = { .mountpoint = "/mnt", .source = "a source",
				     .options = "size=1G", .mount_id = 7 };
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct saved read = { 0 };
	int ret = saved_write(fd, &saved);

	if (!ret)
		ret = saved_read(fd, &read);
	close(fd);
	if (ret)
		return ret;
	assert_string_equal(read.source, "a source");
	assert_string_equal(read.options, "size=1G");
	assert_int_equal(read.mount_id, 7);
	saved_free(&read);
	return 0;
}

static int open_charge(void)
{
	struct charge *charge;
	int ret = charge_open(&charge);

	if (!ret)
		charge_close(charge);
	/* there may be no memory cgroups */
	return ret == -ENOENT ? 0 : ret;
}

static int fill_set(void)
{
	struct u64set set = { 0 };
	int ret = 0;

	for (uint64_t i = 1; i <= 500 && ret >= 0; i++)
		ret = u64set_add(&set, i * 1000);
	if (ret >= 0) {
		assert_int_equal(ret, 1);
		assert_int_equal(set.nr, 500);
		assert_int_equal(u64set_add(&set, 3000), 0);
		ret = 0;
	}
	u64set_clear(&set);
	return ret;
}

static int fill_answer(void)
{
	struct answer answer = { 0 };
	bool failed;

	for (int i = 0; i < 2000; i++)
		answer_line(&answer, "key", "%d", i);
	answer_end(&answer);
	failed = answer.failed;
	if (!failed)
		assert_memory_equal(answer.text + answer.length - 9,
				    "1999\nend\n", 9);
	answer_clear(&answer);
	return failed ? -ENOMEM : 0;
}

static int know_files(struct inodes *inodes)
{
	uint64_t nodeid = 0;
	struct stat st;
	int ret = 0;

	for (int i = 0; i < 3 && !ret; i++) {
		int fd = memfd_create("file", MFD_CLOEXEC);

		assert_int_equal(fstat(fd, &st), 0);
		ret = inode_intern(inodes, fd, &st, &nodeid);
		close(fd);
	}
	if (!ret)
		assert_int_equal(inodes_count(inodes), 4);
	return ret;
}

static int open_inodes(void)
{
	int memfd = table_create(), root_fd = memfd_create("root", MFD_CLOEXEC);
	struct inodes *inodes;
	struct table *table;
	int ret = memfd < 0 ? memfd : table_open(&table, memfd);

	if (!ret) {
		ret = inodes_open(&inodes, table, root_fd);
		if (!ret) {
			ret = know_files(inodes);
			inodes_close(inodes);
		}
		table_close(table);
	}
	close(root_fd);
	close(memfd);
	return ret;
}

static int follow(void)
{
	struct placement_follow *extents;
	int ret = placement_follow_open(&extents);

	if (ret)
		return ret;
	/* what cannot be remembered stays where it is */
	for (uint64_t i = 0; i < 2000; i++)
		placement_follow_look(extents, 1, i, 1, 1);
	placement_follow_close(extents);
	return 0;
}

/* ---- the engine ---- */

static struct fake_mm fake;
static struct recovery_counters counters;

static int recover_one_file(struct recovery *recovery)
{
	struct recovery_file file = {
		.fd = memfd_create("test", MFD_CLOEXEC),
		.ino = FAKE_INO,
	};
	struct hugetmpfs_extent extents[EXTENTS];
	struct caller caller;
	uint64_t size_bytes;
	int ret;

	caller_init(&caller);
	ret = recovery_submit(recovery, &file, 0, EXTENTS, 0, caller_done,
			      &caller, NULL);
	if (!ret) {
		caller_wait(&caller);
		assert_int_equal(caller.done, 1);
		ret = caller.error;
	}
	if (!ret)
		ret = recovery_offer(recovery, &file, 0, EXTENTS);
	if (!ret)
		ret = recovery_map(recovery, &file, 0, EXTENTS, extents,
				   &size_bytes);
	close(file.fd);
	return ret < 0 ? ret : 0;
}

static int recover(void)
{
	struct recovery_config config = { .pause_us = 1,
					  .patience_ms = UINT32_MAX };
	struct recovery *recovery;
	uint64_t cursor;
	int ret;

	fake_mm_init(&fake, EXTENTS);
	recovery_settings_init(&config.settings);
	config.settings.recoveries = 2;
	ret = recovery_create(&recovery, &config, &fake.ops, &counters);
	if (!ret) {
		ret = recovery_start(recovery);
		if (!ret)
			ret = recovery_trace_begin(recovery, &cursor);
		if (!ret) {
			ret = recover_one_file(recovery);
			recovery_trace_end(recovery);
		}
		assert_int_equal(recovery_destroy(recovery), 0);
	}
	fake_mm_destroy(&fake);
	return ret;
}

/* All of the settings change, or none do. */
static int turn_on(void)
{
	struct recovery_config config = { .pause_us = 1 };
	struct recovery_settings settings;
	struct recovery *recovery;
	int ret;

	fake_mm_init(&fake, EXTENTS);
	recovery_settings_init(&config.settings);
	config.settings.recoveries = 0;
	ret = recovery_create(&recovery, &config, &fake.ops, &counters);
	if (!ret) {
		assert_int_equal(recovery_start(recovery), 0);
		settings = config.settings;
		settings.recoveries = 2;
		settings.max_holes = 1;
		ret = recovery_settings_set(recovery, &settings);
		recovery_settings_get(recovery, &settings);
		assert_int_equal(settings.recoveries, ret ? 0 : 2);
		assert_int_equal(settings.max_holes, ret ? 64 : 1);
		if (!ret)
			ret = recover_one_file(recovery);
		assert_int_equal(recovery_destroy(recovery), 0);
	}
	fake_mm_destroy(&fake);
	return ret;
}

/* What was prepared cannot fail any more, and is not needed for ever. */
static void test_change_prepared(void **state)
{
	struct recovery_config config = { .pause_us = 1 };
	struct memory *memory = memory_of_test();
	struct recovery_settings settings;
	struct recovery *recovery;

	(void) state;
	fake_mm_init(&fake, EXTENTS);
	recovery_settings_init(&config.settings);
	settings = config.settings;
	config.settings.recoveries = 0;
	assert_int_equal(recovery_create(&recovery, &config, &fake.ops,
					 &counters), 0);
	assert_int_equal(recovery_start(recovery), 0);
	assert_int_equal(recovery_settings_prepare(recovery, &settings), 0);
	atomic_store(&memory->left, 1);
	assert_int_equal(recovery_settings_set(recovery, &settings), 0);
	atomic_store(&memory->left, 0);
	recovery_settings_ready(recovery, &settings);
	assert_int_equal(recover_one_file(recovery), 0);
	assert_int_equal(recovery_destroy(recovery), 0);
	fake_mm_destroy(&fake);
}

/* ---- looks at other processes ---- */

#define SOME 8 /* of calls that are made for each process there is */

static void test_list(void **state)
{
	(void) state;
	with_failing(list, SOME);
}

static void test_find_mappers(void **state)
{
	(void) state;
	with_failing(find_mappers, SOME);
}

#define TEST(name)                                                             \
	static void test_##name(void **state)                                  \
	{                                                                      \
		(void) state;                                                  \
		with_each_failing(name);                                       \
	}

TEST(change_list)
TEST(fill_answer)
TEST(fill_set)
TEST(follow)
TEST(open_charge)
TEST(open_inodes)
TEST(parse_options)
TEST(recover)
TEST(save)
TEST(look)
TEST(turn_on)
TEST(ask_threads)

#define watched(test, start)                                                   \
	cmocka_unit_test_setup_teardown(test, start, stop_watch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change_list),
		cmocka_unit_test(test_change_prepared),
		cmocka_unit_test(test_fill_answer),
		cmocka_unit_test(test_fill_set),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_open_charge),
		cmocka_unit_test(test_open_inodes),
		cmocka_unit_test(test_parse_options),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_turn_on),
		watched(test_list, start_query),
		watched(test_look, start_query),
		watched(test_look, start_text),
		watched(test_find_mappers, start_query),
		watched(test_find_mappers, start_text),
		watched(test_ask_threads, start_query),
	};

	log_set_sink(log_nothing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

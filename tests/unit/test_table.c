/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables in the memfd: what is made can be opened again, what is damaged
 * is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace/journal.h"
#include "namespace/table.h"

static void test_create_then_open(void **state)
{
	int fd = table_create();
	struct table *table;

	(void) state;
	assert_true(fd >= 0);
	assert_int_equal(table_open(&table, fd), 0);
	assert_true(table_nr_slots(table) > TABLE_ROOT_SLOT);
	assert_int_equal(table_record(table, TABLE_ROOT_SLOT)->state, 0);
	table_close(table);
	close(fd);
}

static void test_content_outlives_the_mapping(void **state)
{
	int fd = table_create();
	struct table *table;
	uint32_t slot;

	(void) state;
	assert_int_equal(table_open(&table, fd), 0);
	slot = table_nr_slots(table);
	assert_int_equal(table_grow(table), 0);
	assert_true(table_nr_slots(table) > slot);
	table_record(table, slot)->ino = 42;
	table_counters(table)[TABLE_NR_COUNTERS - 1] = 7;
	table_close(table);

	assert_int_equal(table_open(&table, fd), 0);
	assert_int_equal(table_record(table, slot)->ino, 42);
	assert_int_equal(table_counters(table)[TABLE_NR_COUNTERS - 1], 7);
	table_close(table);
	close(fd);
}

/* The kernel's first request is there for the next daemon, if it has room. */
static void test_first_request_is_kept(void **state)
{
	unsigned char request[TABLE_INIT_BYTES + 1] = "first";
	unsigned char kept[TABLE_INIT_BYTES];
	int fd = table_create();
	struct table *table;

	(void) state;
	assert_int_equal(table_open(&table, fd), 0);
	assert_false(table_has_init(table));
	assert_int_equal(table_load_init(table, kept), 0);
	assert_int_equal(table_save_init(table, request, sizeof(request)), 0);
	assert_false(table_has_init(table));
	assert_int_equal(table_save_init(table, request, sizeof("first")),
			 sizeof("first"));
	table_close(table);

	assert_int_equal(table_open(&table, fd), 0);
	assert_true(table_has_init(table));
	assert_int_equal(table_load_init(table, kept), sizeof("first"));
	assert_string_equal((const char *) kept, "first");
	table_close(table);
	close(fd);
}

/* What a next daemon need not look at has never had memory. */
static void test_touched_slots(void **state)
{
	int fd = table_create();
	struct table *table;
	uint32_t last;

	(void) state;
	assert_int_equal(table_open(&table, fd), 0);
	assert_int_equal(table_nr_touched(table), 0);
	table_record(table, 3)->ino = 42;
	assert_true(table_nr_touched(table) > 3);
	assert_int_equal(table_grow(table), 0);
	last = table_nr_slots(table) - 1;
	table_record(table, last)->ino = 42;
	assert_int_equal(table_nr_touched(table), last + 1);
	table_close(table);
	close(fd);
}

/* The same of the slots of the journal, as they were when it was opened. */
static void test_journal_in_use(void **state)
{
	const size_t in_use[] = { 0, 6, JOURNAL_NR_SLOTS - 1 };
	int fd = table_create();
	struct table *table;
	size_t before = 0;

	(void) state;
	for (size_t i = 0; i < sizeof(in_use) / sizeof(in_use[0]); i++) {
		assert_int_equal(table_open(&table, fd), 0);
		assert_int_equal(table_nr_journal(table), before);
		table_record(table, 3)->ino = 42;
		table_journal(table)[in_use[i]].reply[JOURNAL_BYTES - 1] = 1;
		assert_int_equal(table_nr_journal(table), before);
		table_close(table);
		before = in_use[i] + 1;
	}
	assert_int_equal(table_open(&table, fd), 0);
	assert_int_equal(table_nr_journal(table), JOURNAL_NR_SLOTS);
	table_close(table);
	close(fd);
}

/* Each byte of the header decides: with any of them wrong it is refused. */
static void test_damaged_header_is_refused(void **state)
{
	const size_t header_bytes = 8 + 4 * sizeof(uint32_t);

	(void) state;
	for (size_t at = 0; at < header_bytes; at++) {
		int fd = table_create();
		struct table *table;
		unsigned char byte;

		assert_int_equal(pread(fd, &byte, 1, (off_t) at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t) at), 1);
		/* the bytes of the version lie behind those of the magic */
		assert_int_equal(table_open(&table, fd),
				 at >= 8 && at < 12 ? -EPROTONOSUPPORT
						    : -EUCLEAN);
		close(fd);
	}
}

static void test_other_version_is_told(void **state)
{
	const uint32_t other = TABLE_VERSION + 1;
	uint32_t version = 0;
	int fd = table_create();

	(void) state;
	assert_int_equal(table_check(fd, &version), 0);
	assert_int_equal(version, TABLE_VERSION);
	assert_int_equal(pwrite(fd, &other, sizeof(other), 8), sizeof(other));
	assert_int_equal(table_check(fd, &version), -EPROTONOSUPPORT);
	assert_int_equal(version, other);
	close(fd);
}

static void test_short_file_is_refused(void **state)
{
	const off_t sizes[] = { 0, 1, 23, 24, 4096, 8192, 8192 + 64 };

	(void) state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = table_create();
		struct table *table;

		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_int_equal(table_open(&table, fd), -EUCLEAN);
		close(fd);
	}
}

static void test_foreign_file_is_refused(void **state)
{
	int fd = memfd_create("foreign", MFD_CLOEXEC);
	struct table *table;

	(void) state;
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(table_open(&table, fd), -EUCLEAN);
	close(fd);
	assert_int_equal(table_open(&table, -1), -EBADF);
}

/* A word of the journal's first slot that no daemon has left so. */
static int open_with(size_t at, uint64_t value)
{
	int fd = table_create(), ret;
	struct table *table;

	assert_int_equal(pwrite(fd, &value, sizeof(value),
				(off_t) (2 * 4096 + at)), sizeof(value));
	ret = table_open(&table, fd);
	if (!ret)
		table_close(table);
	close(fd);
	return ret;
}

static void test_damaged_journal_is_refused(void **state)
{
	const size_t change = offsetof(struct journal_slot, changes);
	const size_t request = offsetof(struct journal_slot, request);

	(void) state;
	assert_int_equal(open_with(0, JOURNAL_REPLIED), 0);
	assert_int_equal(open_with(0, JOURNAL_REPLIED + 1), -EUCLEAN);
	assert_int_equal(open_with(offsetof(struct journal_slot, nr_changes),
				   JOURNAL_NR_CHANGES + 1), -EUCLEAN);
	assert_int_equal(open_with(offsetof(struct journal_slot, nr_counts),
				   JOURNAL_NR_COUNTS + 1), -EUCLEAN);
	assert_int_equal(open_with(offsetof(struct journal_slot, reply_bytes),
				   JOURNAL_BYTES + 1), -EUCLEAN);
	assert_int_equal(open_with(request, JOURNAL_BYTES), 0);
	assert_int_equal(open_with(request, JOURNAL_BYTES + 1), -EUCLEAN);
	/* where a change is matters only when it counts */
	assert_int_equal(open_with(change, UINT64_MAX), 0);
}

/* A change that counts, of a word in this distance from the slot. */
static int open_with_change(int64_t at)
{
	const size_t nr_at = offsetof(struct journal_slot, nr_changes);
	int fd = table_create(), ret;
	struct table *table;
	uint64_t nr = 1;

	assert_int_equal(pwrite(fd, &nr, sizeof(nr),
				(off_t) (2 * 4096 + nr_at)), sizeof(nr));
	assert_int_equal(pwrite(fd, &at, sizeof(at),
				(off_t) (2 * 4096 + nr_at + 8)), sizeof(at));
	ret = table_open(&table, fd);
	if (!ret)
		table_close(table);
	close(fd);
	return ret;
}

static void test_change_outside_is_refused(void **state)
{
	struct stat st;
	int fd = table_create();

	(void) state;
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_int_equal(open_with_change(0), 0);
	assert_int_equal(open_with_change(st.st_size - 2 * 4096 - 8), 0);
	assert_int_equal(open_with_change(st.st_size - 2 * 4096), -EUCLEAN);
	assert_int_equal(open_with_change(-8), -EUCLEAN);
	assert_int_equal(open_with_change(4), -EUCLEAN);
	assert_int_equal(open_with_change(INT64_MAX - 7), -EUCLEAN);
	assert_int_equal(open_with_change(INT64_MIN), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_then_open),
		cmocka_unit_test(test_content_outlives_the_mapping),
		cmocka_unit_test(test_first_request_is_kept),
		cmocka_unit_test(test_touched_slots),
		cmocka_unit_test(test_journal_in_use),
		cmocka_unit_test(test_damaged_header_is_refused),
		cmocka_unit_test(test_other_version_is_told),
		cmocka_unit_test(test_damaged_journal_is_refused),
		cmocka_unit_test(test_change_outside_is_refused),
		cmocka_unit_test(test_short_file_is_refused),
		cmocka_unit_test(test_foreign_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal: a process that changes the tables is stopped after each of its
 * instructions, and whenever one has changed a word of the tables, what would
 * be found if it had died there is brought to its end in a copy. Either all of
 * the change has happened then, or nothing, and the journal says which.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace/inode.h"
#include "namespace/journal.h"

#define NR_RECORDS 8 /* as many as a test may use */
#define WORDS_BYTES offsetof(struct journal_slot, counts[16])
#define BACKING_ID 77

struct fixture {
	int memfd;
	int root_fd;
	int fd;		 /* of the inode that it is about */
	uint64_t nodeid; /* 0 while it is not known */
	struct table *table;
	struct inodes *inodes;
};

static uint64_t intern(struct fixture *f)
{
	uint64_t nodeid = 0;
	struct stat st;

	if (fstat(f->fd, &st) || inode_intern(f->inodes, f->fd, &st, &nodeid))
		abort();
	return nodeid;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->memfd = table_create();
	f->root_fd = memfd_create("root", MFD_CLOEXEC);
	f->fd = memfd_create("inode", MFD_CLOEXEC);
	assert_int_equal(table_open(&f->table, f->memfd), 0);
	assert_int_equal(inodes_open(&f->inodes, f->table, f->root_fd), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	inodes_close(f->inodes);
	table_close(f->table);
	close(f->root_fd);
	close(f->fd);
	close(f->memfd);
	free(f);
	return 0;
}

/* What the tables are just now, opened as a next daemon would open them. */
static void open_copy(const struct fixture *f, struct fixture *copy)
{
	*copy = *f;
	copy->memfd = table_create();
	assert_int_equal(table_open(&copy->table, copy->memfd), 0);
	memcpy(table_journal(copy->table), table_journal(f->table), WORDS_BYTES);
	memcpy(table_record(copy->table, 0), table_record(f->table, 0),
	       NR_RECORDS * sizeof(struct table_record));
	table_close(copy->table);
	assert_int_equal(table_open(&copy->table, copy->memfd), 0);
	assert_int_equal(inodes_open(&copy->inodes, copy->table, f->root_fd),
			 0);
}

static void close_copy(struct fixture *copy)
{
	inodes_close(copy->inodes);
	table_close(copy->table);
	close(copy->memfd);
}

static uint64_t lookups(const struct fixture *f)
{
	struct table_record *record = inode_record(f->inodes, f->nodeid);

	return record ? atomic_load(&record->nlookup) : 0;
}

/* Takes back what the journal says was counted. */
static void take_back(struct fixture *f)
{
	struct journal_slot *slot = table_journal(f->table);
	uint64_t nr;

	journal_use(slot, true);
	while ((nr = atomic_load(&slot->nr_counts))) {
		uint64_t nodeid = atomic_load(&slot->counts[nr - 1]);

		journal_set(&slot->nr_counts, nr - 1);
		inode_forget(f->inodes, nodeid, 1);
	}
	journal_use(NULL, false);
}

typedef void act_fn(struct fixture *f);
typedef void check_fn(const struct fixture *before, struct fixture *f);

static void run_child(struct fixture *f, act_fn *act)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	journal_use(table_journal(f->table), false);
	act(f);
	_exit(0);
}

/* Returns how many states were looked at. */
static unsigned at_each_store(struct fixture *f, act_fn *act, check_fn *check)
{
	const size_t records = NR_RECORDS * sizeof(struct table_record);
	char was[WORDS_BYTES], were[NR_RECORDS * sizeof(struct table_record)];
	struct fixture copy;
	unsigned nr = 0;
	int status;
	pid_t pid = fork();

	if (!pid)
		run_child(f, act);
	memcpy(was, table_journal(f->table), WORDS_BYTES);
	memcpy(were, table_record(f->table, 0), records);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (memcmp(was, table_journal(f->table), WORDS_BYTES) ||
		    memcmp(were, table_record(f->table, 0), records)) {
			memcpy(was, table_journal(f->table), WORDS_BYTES);
			memcpy(were, table_record(f->table, 0), records);
			open_copy(f, &copy);
			check(f, &copy);
			close_copy(&copy);
			nr++;
		}
		ptrace(PTRACE_SINGLESTEP, pid, NULL, 0);
	}
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	return nr;
}

static void act_intern(struct fixture *f)
{
	intern(f);
}

static void check_new(const struct fixture *before, struct fixture *f)
{
	uint64_t counted = atomic_load(&table_journal(f->table)->nr_counts);

	(void) before;
	assert_int_equal(inodes_count(f->inodes), 1 + counted);
	take_back(f);
	assert_int_equal(inodes_count(f->inodes), 1);
	/* and its slot can be used */
	assert_int_not_equal(intern(f), 0);
	assert_int_equal(inodes_count(f->inodes), 2);
}

static void test_new_inode(void **state)
{
	struct fixture *f = *state;

	assert_true(at_each_store(f, act_intern, check_new) > 5);
}

static void check_known(const struct fixture *before, struct fixture *f)
{
	uint64_t counted = atomic_load(&table_journal(f->table)->nr_counts);

	(void) before;
	assert_int_equal(lookups(f), 2 + counted);
	take_back(f);
	assert_int_equal(lookups(f), 2);
}

static void test_known_inode(void **state)
{
	struct fixture *f = *state;

	intern(f);
	f->nodeid = intern(f);
	assert_true(at_each_store(f, act_intern, check_known) > 5);
}

static void act_forget(struct fixture *f)
{
	journal_set_done(1);
	inode_forget(f->inodes, f->nodeid, 1);
}

static void check_forget(const struct fixture *before, struct fixture *f)
{
	uint64_t done = atomic_load(&table_journal(f->table)->done);

	(void) before;
	assert_int_equal(lookups(f), 2 - done);
}

static void test_forget(void **state)
{
	struct fixture *f = *state;

	intern(f);
	f->nodeid = intern(f);
	assert_true(at_each_store(f, act_forget, check_forget) > 4);
}

/* The backing id is in the record or is said to be closed, never in neither. */
static void check_last_forget(const struct fixture *before, struct fixture *f)
{
	struct journal_slot *slot = table_journal(f->table);
	struct table_record *record = inode_record(f->inodes, f->nodeid);
	uint64_t closing = atomic_load(&slot->closing);

	(void) before;
	if (atomic_load(&slot->done)) {
		assert_null(record);
		assert_int_equal(closing, BACKING_ID);
		assert_int_equal(inodes_count(f->inodes), 1);
	} else {
		assert_int_equal(atomic_load(&record->backing_id), BACKING_ID);
		assert_int_equal(closing, 0);
		assert_int_equal(lookups(f), 1);
	}
}

static void test_last_forget(void **state)
{
	struct fixture *f = *state;

	f->nodeid = intern(f);
	atomic_store(&inode_record(f->inodes, f->nodeid)->backing_id,
		     BACKING_ID);
	assert_true(at_each_store(f, act_forget, check_last_forget) > 6);
}

static void act_clear(struct fixture *f)
{
	journal_clear(table_journal(f->table));
}

/* What was replied is never taken for something to carry out. */
static void check_clear(const struct fixture *before, struct fixture *f)
{
	struct journal_slot *slot = table_journal(before->table);
	uint64_t length;

	memcpy(&length, slot->request, sizeof(length));
	if (atomic_load(&table_journal(f->table)->state) == JOURNAL_RECEIVED)
		assert_int_equal(length, 0);
	else
		assert_int_equal(atomic_load(&slot->state), JOURNAL_REPLIED);
}

static void test_clear(void **state)
{
	struct fixture *f = *state;
	struct journal_slot *slot = table_journal(f->table);

	memset(slot->request, 1, 64);
	atomic_store(&slot->state, JOURNAL_REPLIED);
	atomic_store(&slot->done, 3);
	atomic_store(&slot->opened, 4);
	atomic_store(&slot->before, 5);
	assert_true(at_each_store(f, act_clear, check_clear) > 3);
	assert_int_equal(atomic_load(&slot->state), JOURNAL_RECEIVED);
}

static void test_uncount(void **state)
{
	struct fixture *f = *state;
	struct journal_slot *slot = table_journal(f->table);

	journal_use(slot, false);
	for (uint64_t nodeid = 1; nodeid <= 3; nodeid++) {
		journal_count(nodeid);
		journal_commit();
	}
	journal_uncount(1);
	journal_commit();
	journal_uncount(9);
	journal_commit();
	assert_int_equal(atomic_load(&slot->nr_counts), 2);
	assert_int_equal(journal_last_count(), 2);
	for (uint64_t nr = 2; nr < JOURNAL_NR_COUNTS; nr++) {
		assert_true(journal_has_room());
		journal_count(nr);
		journal_commit();
	}
	assert_false(journal_has_room());
	journal_use(NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_inode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_inode, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_forget, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uncount, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

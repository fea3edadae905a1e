/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of inodes: one nodeid an inode, counted lookups, nodeids that
 * never repeat, and an index that is the same when it is rebuilt. The inodes
 * are memfds: they live on a tmpfs and need no mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace/inode.h"

struct fixture {
	int memfd;
	int root_fd;
	struct table *table;
	struct inodes *inodes;
};

static int new_inode(void)
{
	int fd = memfd_create("inode", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t intern(struct inodes *inodes, int fd)
{
	uint64_t nodeid = 0;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(inode_intern(inodes, fd, &st, &nodeid), 0);
	return nodeid;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->memfd = table_create();
	f->root_fd = new_inode();
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
	close(f->memfd);
	free(f);
	return 0;
}

static void test_root_is_nodeid_1(void **state)
{
	struct fixture *f = *state;

	assert_non_null(inode_find(f->inodes, 1));
	assert_int_equal(intern(f->inodes, f->root_fd), 1);
	inode_forget(f->inodes, 1, 1000);
	assert_non_null(inode_find(f->inodes, 1));
}

static void test_one_inode_has_one_nodeid(void **state)
{
	struct fixture *f = *state;
	int fd = new_inode(), other = new_inode(), again = dup(fd);
	uint64_t nodeid = intern(f->inodes, fd);

	assert_int_equal(intern(f->inodes, again), nodeid);
	assert_int_not_equal(intern(f->inodes, other), nodeid);
	assert_int_equal(inode_record(f->inodes, nodeid)->nlookup, 2);
	assert_int_equal(inodes_count(f->inodes), 3);
	close(fd);
	close(other);
	close(again);
}

static void test_last_forget_forgets(void **state)
{
	struct fixture *f = *state;
	int fd = new_inode();
	uint64_t nodeid = intern(f->inodes, fd);

	intern(f->inodes, fd);
	inode_forget(f->inodes, nodeid, 1);
	assert_non_null(inode_find(f->inodes, nodeid));
	inode_forget(f->inodes, nodeid, 1);
	assert_null(inode_find(f->inodes, nodeid));
	assert_int_equal(inode_open(f->inodes, nodeid, O_RDONLY), -ESTALE);
	inode_forget(f->inodes, nodeid, 1); /* a second time is no harm */
	assert_int_equal(inodes_count(f->inodes), 1);
	close(fd);
}

static void test_nodeids_never_repeat(void **state)
{
	struct fixture *f = *state;
	int fd = new_inode();
	uint64_t before = 0;

	for (int i = 0; i < 1000; i++) {
		uint64_t nodeid = intern(f->inodes, fd);

		/* one slot all the time, so the sequence must rise */
		assert_true(nodeid > before);
		assert_int_equal((uint32_t) nodeid, 2);
		inode_forget(f->inodes, nodeid, 1);
		assert_null(inode_find(f->inodes, nodeid));
		before = nodeid;
	}
	close(fd);
}

/* A slot whose numbers are used up is used no more, not by another daemon. */
static void test_numbers_end(void **state)
{
	struct fixture *f = *state;
	int fd = new_inode();
	uint64_t nodeid = intern(f->inodes, fd);
	struct table_record *record = inode_record(f->inodes, nodeid);

	assert_int_equal((uint32_t) nodeid, 2);
	inode_forget(f->inodes, nodeid, 1);
	atomic_store(&record->state,
		     (uint64_t) (UINT32_MAX - 1) << 32 | TABLE_FREE);
	nodeid = intern(f->inodes, fd);
	assert_int_equal(nodeid, (uint64_t) (UINT32_MAX - 1) << 32 | 2);
	inode_forget(f->inodes, nodeid, 1);
	assert_int_equal(intern(f->inodes, fd), 3);
	inode_forget(f->inodes, 3, 1);
	inodes_close(f->inodes);
	assert_int_equal(inodes_open(&f->inodes, f->table, f->root_fd), 0);
	assert_int_equal(intern(f->inodes, fd), UINT64_C(1) << 32 | 3);
	assert_int_equal(intern(f->inodes, f->memfd), 4);
	close(fd);
}

static void test_nonsense_nodeids_are_nothing(void **state)
{
	struct fixture *f = *state;
	const uint64_t nonsense[] = {
		0, 2, 3, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 32,
		(UINT64_C(1) << 32) + 1, TABLE_NR_SLOTS, TABLE_NR_SLOTS - 1,
	};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		assert_null(inode_find(f->inodes, nonsense[i]));
		inode_forget(f->inodes, nonsense[i], 1);
	}
	assert_int_equal(inodes_count(f->inodes), 1);
}

/* More than one chunk of the table, then the daemon's next life. */
static void test_index_is_rebuilt(void **state)
{
	enum { NR = 70000, KEPT = 100 };
	struct fixture *f = *state;
	uint64_t *nodeids = calloc(NR, sizeof(*nodeids));
	int fds[KEPT];

	for (int i = 0; i < NR; i++) {
		int fd = new_inode();

		nodeids[i] = intern(f->inodes, fd);
		if (i < KEPT)
			fds[i] = fd;
		else
			close(fd);
	}
	for (int i = KEPT; i < NR; i += 2)
		inode_forget(f->inodes, nodeids[i], 1);
	inodes_close(f->inodes);
	assert_int_equal(inodes_open(&f->inodes, f->table, f->root_fd), 0);

	assert_int_equal(inodes_count(f->inodes), 1 + KEPT + (NR - KEPT) / 2);
	for (int i = 0; i < KEPT; i++) {
		assert_int_equal(intern(f->inodes, fds[i]), nodeids[i]);
		assert_int_equal(inode_record(f->inodes, nodeids[i])->nlookup,
				 2);
		close(fds[i]);
	}
	for (int i = KEPT; i < NR; i++)
		assert_int_equal(!inode_find(f->inodes, nodeids[i]),
				 !((i - KEPT) % 2));
	free(nodeids);
}

static void test_unlinked_inode_is_pinned(void **state)
{
	struct fixture *f = *state;
	int fd = new_inode(); /* memfds have no link */
	uint64_t nodeid = intern(f->inodes, fd);
	int pin = dup(fd), second = dup(fd), unknown = new_inode();

	inode_unlinked(f->inodes, pin);
	assert_int_equal(inode_find(f->inodes, nodeid)->fd, pin);
	inode_unlinked(f->inodes, second);
	assert_int_equal(inode_find(f->inodes, nodeid)->fd, pin);
	assert_int_equal(fcntl(second, F_GETFD), -1);
	inode_unlinked(f->inodes, unknown);
	assert_int_equal(fcntl(unknown, F_GETFD), -1);
	inode_forget(f->inodes, nodeid, 1);
	assert_int_equal(fcntl(pin, F_GETFD), -1);
	close(fd);
}

static void *intern_and_forget(void *arg)
{
	struct fixture *f = arg;
	int fds[8];

	for (int i = 0; i < 8; i++)
		fds[i] = new_inode();
	for (int round = 0; round < 2000; round++) {
		int fd = round % 2 ? f->root_fd : fds[round % 8];
		uint64_t nodeid = intern(f->inodes, fd);

		inode_lock(f->inodes, nodeid);
		assert_non_null(inode_find(f->inodes, nodeid));
		inode_unlock(f->inodes, nodeid);
		inode_forget(f->inodes, nodeid, 1);
	}
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						intern_and_forget, f), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(inodes_count(f->inodes), 1);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_root_is_nodeid_1),
		TEST(test_one_inode_has_one_nodeid),
		TEST(test_last_forget_forgets),
		TEST(test_nodeids_never_repeat),
		TEST(test_numbers_end),
		TEST(test_nonsense_nodeids_are_nothing),
		TEST(test_index_is_rebuilt),
		TEST(test_unlinked_inode_is_pinned),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

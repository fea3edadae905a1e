/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moving pages with move_pages(2).
 *
 * What it answers is not what has happened (FACTS M1 to M4). It takes a run of
 * pages for one node, finds and isolates each, and moves them together; errors
 * of the first two are in the status array, those of the move only in the
 * return value: a number of pages, without saying which, and among them are
 * those that it did not come to, wherever they are; or an error that leaves the
 * rest of the array unwritten. A page that did move may be busy by the array.
 *
 * So only one answer is taken as it is: all well, and the page on the node.
 * Whatever else it says is a reason at best, and where the page is, is asked
 * for: what is on the node has been moved. What is not, and has no reason that
 * a second try would meet again, gets one; the kernel drains its lists of pages
 * before each, and that is what most of them were waiting for.
 */
#include "mm/migrate.h"

#include <errno.h>
#include <limits.h>
#include <numaif.h>
#include <stdbool.h>

#include "mm/sys.h"

#define MM_MIGRATE_TRIES 2

/* No answer of the kernel's; what is so still was not written. */
#define MM_MIGRATE_UNWRITTEN INT_MIN

/* The pages of one try, and where each stands in the caller's array. */
struct mm_migrate_try {
	uint32_t nr;
	uint32_t at[MM_MIGRATE_PAGES];
	void *pages[MM_MIGRATE_PAGES];
	int nodes[MM_MIGRATE_PAGES];
	int status[MM_MIGRATE_PAGES];
};

static void mm_migrate_fill(struct mm_migrate_try *try, int nid)
{
	for (uint32_t i = 0; i < try->nr; i++) {
		try->nodes[i] = nid;
		try->status[i] = MM_MIGRATE_UNWRITTEN;
	}
}

/* For all mappers if that is allowed, else for the process alone. */
static long mm_migrate_call(const struct mm_mover *mover, pid_t pid,
			    struct mm_migrate_try *try, int nid)
{
	long ret;

	mm_migrate_fill(try, nid);
	ret = mover->move_pages(mover->arg, pid, try->nr, try->pages,
				try->nodes, try->status, MPOL_MF_MOVE_ALL);
	if (ret != -EPERM)
		return ret;
	mm_migrate_fill(try, nid);
	return mover->move_pages(mover->arg, pid, try->nr, try->pages,
				 try->nodes, try->status, MPOL_MF_MOVE);
}

/* Why a page that is elsewhere is not on the node. */
static enum mm_moved mm_migrate_reason(long ret, int status)
{
	if (status == -EACCES)
		return MM_MOVED_SHARED;
	if (status == -ENOMEM ||
	    (status == MM_MIGRATE_UNWRITTEN && ret == -ENOMEM))
		return MM_MOVED_NO_MEMORY;
	/* so the kernel says of what it could not isolate */
	return status == -EBUSY ? MM_MOVED_OFF_LRU : MM_MOVED_BUSY;
}

/* Leaves in the try those that are in doubt; the others are on the node. */
static void mm_migrate_settle(struct mm_migrate_try *try, long ret, int nid,
			      enum mm_moved *moved)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < try->nr; i++) {
		if (ret == 0 && try->status[i] == nid) {
			moved[try->at[i]] = MM_MOVED_THERE;
			continue;
		}
		moved[try->at[i]] = mm_migrate_reason(ret, try->status[i]);
		try->at[nr] = try->at[i];
		try->pages[nr++] = try->pages[i];
	}
	try->nr = nr;
}

/*
 * Asks where those in doubt are, and leaves in the try those that are elsewhere
 * for no reason that lasts.
 */
static void mm_migrate_ask(const struct mm_mover *mover, pid_t pid,
			   struct mm_migrate_try *try, int nid,
			   enum mm_moved *moved)
{
	enum mm_moved *one;
	uint32_t nr = 0;
	bool asked;
	int where;

	mm_migrate_fill(try, nid);
	asked = try->nr && mover->move_pages(mover->arg, pid, try->nr,
					     try->pages, NULL, try->status,
					     0) == 0;
	for (uint32_t i = 0; i < try->nr; i++) {
		where = asked ? try->status[i] : MM_MIGRATE_UNWRITTEN;
		one = &moved[try->at[i]];
		if (where == nid)
			*one = MM_MOVED_THERE;
		else if (where == -ENOENT || where == -EFAULT)
			*one = MM_MOVED_HOLE;
		else if (where < 0)
			*one = MM_MOVED_UNKNOWN;
		if (*one != MM_MOVED_BUSY && *one != MM_MOVED_OFF_LRU)
			continue;
		try->at[nr] = try->at[i];
		try->pages[nr++] = try->pages[i];
	}
	try->nr = nr;
}

/* Whether an answer is about the call, not about a page. */
static bool mm_migrate_is_whole(long ret)
{
	return ret == -ESRCH || ret == -EPERM || ret == -ENODEV ||
	       ret == -EACCES || ret == -EINVAL || ret == -ENOSYS;
}

int mm_migrate_by(const struct mm_mover *mover, pid_t pid, void *const *pages,
		  uint32_t nr, int nid, enum mm_moved *moved)
{
	struct mm_migrate_try try = {.nr = nr};
	long ret;

	if (nr > MM_MIGRATE_PAGES)
		return -E2BIG;
	for (uint32_t i = 0; i < nr; i++) {
		try.at[i] = i;
		try.pages[i] = pages[i];
	}
	for (int tries = 0; try.nr && tries < MM_MIGRATE_TRIES; tries++) {
		ret = mm_migrate_call(mover, pid, &try, nid);
		mm_migrate_settle(&try, ret, nid, moved);
		mm_migrate_ask(mover, pid, &try, nid, moved);
		if (mm_migrate_is_whole(ret))
			return (int) ret;
	}
	return 0;
}

static long mm_migrate_kernel(void *arg, pid_t pid, unsigned long nr,
			      void **pages, const int *nodes, int *status,
			      int flags)
{
	(void) arg;
	return mm_sys_move_pages(pid, nr, pages, nodes, status, flags);
}

int mm_migrate(pid_t pid, void *const *pages, uint32_t nr, int nid,
	       enum mm_moved *moved)
{
	const struct mm_mover kernel = {.move_pages = mm_migrate_kernel};

	return mm_migrate_by(&kernel, pid, pages, nr, nid, moved);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moving the pages of an extent to a node, in the daemon's own window.
 *
 * Who wants a page that is on its way waits until all have arrived that were
 * sent with it. So where a limit is set, no more are sent by one call than the
 * limit has time for, as calls before have shown: the first are few. But not
 * fewer than some, as a call costs something by itself, and that keeps nobody
 * waiting. A huge page cannot be divided.
 */
#include "mm/internal.h"

#include "base/clock.h"
#include "mm/migrate.h"

#define MM_MOVE_LEAST 32 /* pages by one call */

/* Taken for one page until calls have shown it; and how slowly that changes. */
#define MM_MOVE_NS    UINT64_C(50000)
#define MM_MOVE_SHARE 4

/* Pages by one call. */
static uint32_t mm_move_most(struct mm *mm, uint32_t latency_us)
{
	uint64_t each_ns = atomic_load(&mm->move_ns), most;

	if (!latency_us)
		return MM_MIGRATE_PAGES;
	most = latency_us * UINT64_C(1000) / (each_ns ? each_ns : MM_MOVE_NS);
	if (most < MM_MOVE_LEAST)
		return MM_MOVE_LEAST;
	return most < MM_MIGRATE_PAGES ? (uint32_t) most : MM_MIGRATE_PAGES;
}

static void mm_move_learn(struct mm *mm, uint64_t ns, uint32_t nr)
{
	uint64_t each_ns = atomic_load(&mm->move_ns);

	/* the end of a run says more about the call than about its pages */
	if (nr < MM_MOVE_LEAST)
		return;
	if (each_ns)
		ns = ns / nr + each_ns * (MM_MOVE_SHARE - 1);
	else
		ns = ns / nr * MM_MOVE_SHARE;
	atomic_store(&mm->move_ns, ns / MM_MOVE_SHARE + 1);
}

/* Leaves those that are elsewhere. */
static void mm_move_choose(struct mm_pages *pages, int nid,
			   const struct nodeset *home)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < pages->nr; i++) {
		if (pages->node[i] < 0 || pages->node[i] == nid ||
		    nodeset_has(home, pages->node[i]))
			continue;
		pages->at[nr++] = pages->at[i];
	}
	pages->nr = nr;
}

static void mm_move_count(const enum mm_moved *moved, uint32_t nr,
			  uint16_t each, struct mm_migrated *migrated)
{
	for (uint32_t i = 0; i < nr; i++)
		migrated->pages[moved[i]] += each;
}

int mm_move(void *context, struct mm_window *window, uint64_t index,
	    const struct mm_extent *extent, int nid,
	    const struct nodeset *home, uint32_t latency_us,
	    struct mm_migrated *migrated)
{
	uint16_t each = extent->huge ? HUGETMPFS_EXTENT_PAGES : 1;
	enum mm_moved moved[MM_MIGRATE_PAGES];
	struct mm *mm = context;
	struct mm_pages pages;
	uint64_t begun_ns;
	uint32_t nr;
	int ret;

	*migrated = (struct mm_migrated){0};
	ret = mm_pages_find(window, index, extent, &pages);
	if (ret)
		return ret;
	mm_move_choose(&pages, nid, home);
	for (uint32_t at = 0; at < pages.nr; at += nr) {
		nr = mm_move_most(mm, latency_us);
		nr = pages.nr - at < nr ? pages.nr - at : nr;
		begun_ns = clock_now_ns();
		ret = mm_migrate(0, pages.at + at, nr, nid, moved);
		mm_move_learn(mm, clock_now_ns() - begun_ns, nr);
		mm_move_count(moved, nr, each, migrated);
		/* the next find no more memory than these did */
		if (ret || migrated->pages[MM_MOVED_NO_MEMORY])
			break;
	}
	return ret;
}

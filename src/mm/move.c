/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moving the pages of an extent to a node.
 *
 * move_pages(2) wants them mapped in a process, and each place where a page is
 * mapped costs about as much as taking hold of it: its entry is changed when
 * the page leaves and when it has arrived. So what a mapper has mapped by small
 * entries is moved in its eyes, and the entries of the daemon's own window,
 * which come of a look, go before that: at once, which is cheap. For what
 * nobody has mapped there is the window.
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

/* Whether by the look all pages are to go: then each need not be asked for. */
static bool mm_move_wants_all(const struct mm_extent *extent, int nid,
			      const struct nodeset *home)
{
	uint32_t known = 0;

	for (unsigned i = 0; i < extent->nr_nodes; i++) {
		if (extent->nodes[i].nid == nid ||
		    nodeset_has(home, extent->nodes[i].nid))
			return false;
		known += extent->nodes[i].pages;
	}
	return known && known == extent->resident;
}

/* Counts what came of nr pages, and keeps those that were not there. */
static void mm_move_count(const enum mm_moved *moved, void *const *at,
			  uint32_t nr, uint16_t each,
			  struct mm_migrated *migrated, struct mm_pages *holes)
{
	for (uint32_t i = 0; i < nr; i++) {
		migrated->pages[moved[i]] += each;
		if (moved[i] == MM_MOVED_HOLE)
			holes->at[holes->nr++] = at[i];
	}
}

/* Moves all of them; what was no page, in the process's eyes, is left. */
static int mm_move_pages(struct mm *mm, pid_t pid, struct mm_pages *pages,
			 int nid, uint16_t each, uint32_t latency_us,
			 struct mm_migrated *migrated)
{
	enum mm_moved moved[MM_MIGRATE_PAGES];
	uint32_t all = pages->nr, nr;
	uint64_t begun_ns;
	int ret = 0;

	/* those that are left are never more than those that were seen to */
	pages->nr = 0;
	for (uint32_t at = 0; at < all; at += nr) {
		nr = mm_move_most(mm, latency_us);
		nr = all - at < nr ? all - at : nr;
		begun_ns = clock_now_ns();
		ret = mm_migrate(pid, pages->at + at, nr, nid, moved);
		mm_move_learn(mm, clock_now_ns() - begun_ns, nr);
		mm_move_count(moved, pages->at + at, nr, each, migrated, pages);
		/* the next find no more memory than these did */
		if (ret || migrated->pages[MM_MOVED_NO_MEMORY])
			break;
	}
	return ret;
}

int mm_move(void *context, struct mm_window *window, uint64_t index,
	    const struct mm_extent *extent, int nid,
	    const struct nodeset *home, uint32_t latency_us,
	    struct mm_migrated *migrated)
{
	uint16_t each = extent->huge ? HUGETMPFS_EXTENT_PAGES : 1;
	struct mm_pages pages;
	int ret;

	*migrated = (struct mm_migrated){0};
	if (mm_move_wants_all(extent, nid, home)) {
		ret = mm_pages_map(window, index, extent, &pages);
		if (!ret)
			ret = mm_move_pages(context, 0, &pages, nid, each,
					    latency_us, migrated);
		if (ret || !pages.nr || migrated->pages[MM_MOVED_NO_MEMORY])
			return ret;
		migrated->pages[MM_MOVED_HOLE] = 0;
		mm_pages_ask_again(window, &pages);
	} else {
		ret = mm_pages_find(window, index, extent, &pages);
		if (ret)
			return ret;
	}
	mm_move_choose(&pages, nid, home);
	return mm_move_pages(context, 0, &pages, nid, each, latency_us,
			     migrated);
}

void mm_move_ahead(void *context, struct mm_window *window,
		   const uint64_t *indexes, uint32_t nr, int nid, bool *there)
{
	enum mm_moved moved[MM_AHEAD_EXTENTS];
	void *pages[MM_AHEAD_EXTENTS];
	uint32_t at[MM_AHEAD_EXTENTS], found = 0;
	char *addr;

	(void) context;
	for (uint32_t i = 0; i < nr; i++) {
		there[i] = false;
		/* one that is a hole by now is not to be filled */
		if (mm_window_address(window, indexes[i], &addr))
			continue;
		pages[found] = addr;
		at[found++] = i;
	}
	if (found)
		mm_migrate(0, pages, found, nid, moved);
	for (uint32_t i = 0; i < found; i++)
		there[at[i]] = moved[i] == MM_MOVED_THERE;
}

int mm_mapper_move(void *context, struct mm_window *window, uint64_t index,
		   const struct mm_mapper *mapper, uint64_t addr, uint16_t nr,
		   int nid, uint32_t latency_us, uint16_t *there)
{
	struct mm_migrated migrated = {0};
	struct mm *mm = context;
	struct mm_pages pages = {.nr = nr};
	struct mm_inside inside;
	int ret;

	*there = 0;
	for (uint16_t i = 0; i < nr; i++)
		pages.at[i] = (void *) (uintptr_t) (addr + i * MM_PAGE_BYTES);
	ret = mm_window_drop(window, index);
	if (!ret)
		ret = mm_guard_enter(&mm->guard, &inside, mapper->pid, false);
	if (ret)
		return ret;
	/* its number may be another's by now */
	ret = mm_sys_pidfd_alive(mapper->pidfd);
	if (!ret)
		ret = mm_move_pages(mm, mapper->pid, &pages, nid, 1, latency_us,
				    &migrated);
	mm_guard_leave(&mm->guard, &inside);
	*there = migrated.pages[MM_MOVED_THERE];
	return ret;
}

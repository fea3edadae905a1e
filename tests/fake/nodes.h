/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine on a fake machine with four nodes, and what came of extents that are
 * to be on one of them: the fixture of the unit tests of pass migrate. A header,
 * because each test is one program.
 */
#ifndef FAKE_NODES_H
#define FAKE_NODES_H

#include <stdio.h>

#include "fake/engine.h"

#define PAGES HUGETMPFS_EXTENT_PAGES

#define MIGRATE	 HUGETMPFS_PASS_MIGRATE
#define COLLAPSE HUGETMPFS_PASS_COLLAPSE

static struct engine engine;
static struct caller caller;

/* Eight extents in small pages, all on the first node of four. */
static inline void start(const char *numa)
{
	char text[64];

	engine.fake.nr_nodes = FAKE_NODES;
	engine_start(&engine, 1);
	snprintf(text, sizeof(text), "numa=%s", numa);
	engine_set(&engine, text);
}

static inline int setup(void **state)
{
	(void) state;
	fake_mm_init(&engine.fake, 8);
	return 0;
}

static inline int teardown(void **state)
{
	(void) state;
	engine_stop(&engine);
	return 0;
}

static inline void recover(uint32_t nr)
{
	engine_recover(&engine, &caller, 0, nr, 0);
	assert_int_equal(caller.error, 0);
	assert_int_equal(caller.nr, nr);
}

static inline void expect(uint32_t i, enum hugetmpfs_state state,
		   enum hugetmpfs_reason reason, uint8_t passes)
{
	assert_int_equal(caller.extents[i].state, state);
	assert_int_equal(caller.extents[i].reason, reason);
	assert_int_equal(caller.extents[i].passes, passes);
}

static inline void expect_home(uint32_t i, int nid, uint8_t passes)
{
	expect(i, HUGETMPFS_HUGE, HUGETMPFS_REASON_DONE, passes);
	assert_int_equal(caller.extents[i].nid, nid);
	assert_int_equal(caller.extents[i].target_nid, nid);
	assert_int_equal(caller.extents[i].misplaced_pages, 0);
	assert_int_equal(fake_mm_on(&engine.fake, i, nid), PAGES);
}

static inline unsigned called(enum fake_op op)
{
	return fake_mm_called(&engine.fake, op);
}

#endif

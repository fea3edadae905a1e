/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the model share.
 */
#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

#include "fake/fake_mm.h"

/*
 * Around each call: counts it, takes the lock, and returns the error that is
 * scripted for it, or 0; fake_leave() gives the lock up and returns ret.
 */
int fake_enter(struct fake_mm *fake, enum fake_op op, uint64_t index);
int fake_leave(struct fake_mm *fake, int ret);

struct mm_window {
	uint64_t first;
	uint32_t capacity;
	uint32_t nr;
};

void fake_window_check(const struct mm_window *window, uint64_t index);

/* fake_nodes.c */
void fake_nodes_init(struct fake_mm *fake);
void fake_nodes_show(const struct fake_extent *from, struct mm_extent *extent);
/* Puts it on the node on which it is made huge, or an error. */
int fake_nodes_collapse_locked(struct fake_mm *fake,
			       struct fake_extent *extent);

int fake_watch_open(void *context, dev_t dev, struct mm_watch **out);
void fake_watch_close(void *context, struct mm_watch *watch);
int fake_watch_list(void *context, struct mm_watch *watch);
int fake_watch_look(void *context, struct mm_watch *watch, unsigned i,
		    const struct mm_seen *seen);

#endif

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

int fake_watch_open(void *context, dev_t dev, struct mm_watch **out);
void fake_watch_close(void *context, struct mm_watch *watch);
int fake_watch_list(void *context, struct mm_watch *watch);
int fake_watch_look(void *context, struct mm_watch *watch, unsigned i,
		    mm_use_fn *fn, void *arg);

#endif

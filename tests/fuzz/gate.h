/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine works when it is let, so that what a request meets does not depend
 * on the time: while it is held it has begun with the first of what was asked
 * for, and then it finishes all.
 */
#ifndef FUZZ_GATE_H
#define FUZZ_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fake/fake_mm.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool holds;
	unsigned held;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .change = PTHREAD_COND_INITIALIZER };

static inline void gate_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	(void) index;
	if (op != FAKE_MAPPERS_FIND)
		return;
	pthread_mutex_lock(&gate.lock);
	gate.held++;
	while (gate.holds)
		pthread_cond_wait(&gate.change, &gate.lock);
	gate.held--;
	pthread_mutex_unlock(&gate.lock);
}

/* Whether the engine is at the gate. */
static inline bool gate_set(bool holds)
{
	bool held;

	pthread_mutex_lock(&gate.lock);
	gate.holds = holds;
	pthread_cond_broadcast(&gate.change);
	held = gate.held > 0;
	pthread_mutex_unlock(&gate.lock);
	return held;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A gate in the fake kernel at which whoever comes to one call has to wait,
 * until the test opens it. A header, because each test is one program.
 */
#ifndef FAKE_GATE_H
#define FAKE_GATE_H

#include <pthread.h>

#include "fake/fake_mm.h"

/* A gate at one kind of call, at which a worker waits. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	enum fake_op op;
	uint64_t index;
	bool armed;
	unsigned pass;	/* that many go through */
	unsigned catch; /* then so many are held, 0: all */
	unsigned came;
	unsigned waiting;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

/* Whether who comes now is held. */
static inline bool gate_holds(enum fake_op op, uint64_t index)
{
	if (!gate.armed || op != gate.op || index != gate.index)
		return false;
	gate.came++;
	return gate.came > gate.pass &&
	       (!gate.catch || gate.came <= gate.pass + gate.catch);
}

static inline void gate_hook(void *arg, enum fake_op op, uint64_t index)
{
	(void) arg;
	pthread_mutex_lock(&gate.lock);
	if (gate_holds(op, index)) {
		gate.waiting++;
		pthread_cond_broadcast(&gate.cond);
		while (gate.armed)
			pthread_cond_wait(&gate.cond, &gate.lock);
		gate.waiting--;
	}
	pthread_mutex_unlock(&gate.lock);
}

static inline void gate_close(struct fake_mm *fake, enum fake_op op,
			      uint64_t index)
{
	gate.op = op;
	gate.index = index;
	gate.pass = gate.catch = gate.came = 0;
	gate.armed = true;
	fake->hook = gate_hook;
}

/* The same for one alone, after some others. */
static inline void gate_close_for_one(struct fake_mm *fake, enum fake_op op,
				      uint64_t index, unsigned pass)
{
	gate_close(fake, op, index);
	gate.pass = pass;
	gate.catch = 1;
}

static inline void gate_wait(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.waiting)
		pthread_cond_wait(&gate.cond, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static inline unsigned gate_waiting(void)
{
	unsigned waiting;

	pthread_mutex_lock(&gate.lock);
	waiting = gate.waiting;
	pthread_mutex_unlock(&gate.lock);
	return waiting;
}

static inline void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.armed = false;
	pthread_cond_broadcast(&gate.cond);
	pthread_mutex_unlock(&gate.lock);
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a process asks of a daemon, up to one of the steps that the daemon takes
 * for it (traced.h), where somebody is killed.
 */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct steps {
	pid_t daemon; /* the one that is traced */
	pid_t actor;  /* who asks, a child; 0 when it has ended */
	int result;   /* its wait status then */
	uint64_t stalled_ms; /* an actor that still waits, while the daemon does
			      * nothing for so long, waits for somebody else;
			      * 0: it waits for the daemon */
};

/*
 * Lets the daemon go on, up to the step with this number. False when there were
 * not so many.
 */
bool steps_go_to(struct steps *steps, unsigned step);

/* Kills a process with which the daemon dies, or the daemon itself. */
void steps_kill(struct steps *steps, pid_t victim);

/* Waits for the end of the actor. */
bool steps_actor_succeeds(struct steps *steps);

#endif

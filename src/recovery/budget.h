/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arithmetic of the budgets of background work: how much may go on, and
 * when the next may begin. Pure state: no threads, no clock, no system calls;
 * the caller says what time it is.
 */
#ifndef RECOVERY_BUDGET_H
#define RECOVERY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "recovery/settings.h"

/* What was let go lately, as the times at which it will be paid for. */
struct recovery_budget {
	uint64_t bytes_at_ns;
	uint64_t cpu_at_ns;
};

/* What was last seen of the pressure on memory. */
struct recovery_pressure {
	uint64_t seen_ns; /* 0: never */
	uint64_t total_us;
	uint64_t own_ns;
	bool high;
};

/*
 * Takes in a look: the average of ten seconds in 1/100 percent, the time that
 * tasks were stalled since boot, and the time in which workers waited for swap
 * since their start. It is high when the average is and tasks other than the
 * workers were stalled so much since the last look.
 */
void recovery_pressure_take(struct recovery_pressure *pressure,
			    uint32_t most_percent, uint64_t now_ns,
			    uint32_t avg10, uint64_t total_us, uint64_t own_ns);

/* How long the next has to wait, in ns; 0: it may begin. */
uint64_t recovery_budget_wait(const struct recovery_budget *budget,
			      const struct recovery_settings *settings,
			      uint64_t now_ns);

/* How many extents may go at once, 1 or more, so that the rate is even. */
uint32_t recovery_budget_extents(const struct recovery_settings *settings,
				 uint32_t most);

/* Takes down what was begun, and what the processor was used for. */
void recovery_budget_take_extents(struct recovery_budget *budget,
				  const struct recovery_settings *settings,
				  uint64_t now_ns, uint32_t nr);
void recovery_budget_take_cpu(struct recovery_budget *budget,
			      const struct recovery_settings *settings,
			      uint64_t now_ns, uint64_t cpu_ns);

#endif

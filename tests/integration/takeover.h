/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The test of takeovers: workers that know what each of their operations must
 * answer and what each of their files must be, and what they share.
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAKEOVER_WORKERS 8

struct takeover_shared {
	atomic_bool stop;
	atomic_ulong operations;
	atomic_ulong locked;	/* additions to the counter that locks guard */
	atomic_ulong records[TAKEOVER_WORKERS];	/* appended to the log */
	atomic_ulong slowest_us; /* operation on a name */
};

/*
 * Works in directory/ID until it is told to stop, then looks at everything and
 * removes it. Exits with 0 when all was as it had to be; else it says what was
 * not.
 */
_Noreturn void takeover_work(struct takeover_shared *shared,
			     const char *directory, unsigned id);

uint64_t takeover_now_us(void);

/*
 * Whether nothing is left in the tables of a mount on which nothing is left.
 * keeper holds them.
 */
bool takeover_tables_are_empty(int keeper);

#endif

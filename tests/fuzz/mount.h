/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzzers of whatever a mount is asked begin with: a folder of tmpfs
 * and an engine on a fake kernel. None of it ends before the process.
 */
#ifndef FUZZ_MOUNT_H
#define FUZZ_MOUNT_H

#include <stdarg.h>

#include "base/log.h"
#include "fake/fake_mm.h"
#include "recovery/counters.h"

struct recovery;

struct fuzz_mount {
	char path[32]; /* of the folder; removed at exit */
	struct fake_mm fake;
	struct recovery_counters counters;
	struct recovery *recovery;
};

/* What a test says that cannot run here. */
_Noreturn void fuzz_skip(const char *why);

/* Sink of a log that is formatted, and goes nowhere. */
void fuzz_log_nothing(enum log_level level, const char *format, va_list ap);

/*
 * Needs root; ends the process where it cannot be. hook is that of the fake
 * kernel, or NULL.
 */
void fuzz_mount_begin(struct fuzz_mount *mount,
		      void (*hook)(void *arg, enum fake_op op, uint64_t index));

/* Waits until no other thread has anything to do; not for ever. */
void fuzz_mount_settle(void);

#endif

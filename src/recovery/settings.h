/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an admin can set of recovery, at mount and at run time, and its text.
 *
 * Budgets are for works that nobody asked for by name, the background. What
 * was asked for is held up by nothing but recoveries.
 */
#ifndef RECOVERY_SETTINGS_H
#define RECOVERY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "placement/policy.h"

#define RECOVERY_MAX_RECOVERIES 256

/* Which extents are recovered without being asked for. */
enum recovery_recover {
	RECOVERY_RECOVER_OFF,
	RECOVERY_RECOVER_MAPPED, /* those that a process uses by small pages */
	RECOVERY_RECOVER_ALL,
};

struct recovery_settings {
	/* works under way at a time, 0 to 256; 0 turns recovery off */
	uint32_t recoveries;
	/* that may be filled in an extent, 0 to 511, in pages */
	uint32_t max_holes;
	/* bytes of extents a second, 2 MiB each; 0: no limit */
	uint64_t bytes_per_second;
	/* of one core, all workers together, 0 to 25600; 0: no limit */
	uint32_t cpu_percent;
	/* that steps follow each other without a gap, 100 to 1000000 us */
	uint32_t latency_us;
	/* of time stalled for memory (PSI some), 0 to 100; 0: never pause */
	uint32_t pressure_percent;
	/* ask only where the kernel has a free block of 2 MiB */
	bool free_block;
	/* have the kernel make one where it has none */
	bool compact;
	enum recovery_recover recover;
	/* where the pages of files belong that do not say it themselves */
	struct placement_rule numa;
};

void recovery_settings_init(struct recovery_settings *settings);

/* Whether there is a setting of that name. */
bool recovery_settings_has(const char *key);

/*
 * Sets one, or all in a list "KEY=VALUE,...", of which a later one holds.
 * Returns 0, or -EINVAL or -ENOMEM with words that name the key, the value and
 * what is allowed; then nothing was changed.
 */
int recovery_settings_set_one(struct recovery_settings *settings,
			      const char *key, const char *value, char *error,
			      size_t error_size);
int recovery_settings_parse(struct recovery_settings *settings,
			    const char *text, char *error, size_t error_size);

/* Called for each setting with its value as text. */
typedef void recovery_settings_fn(void *arg, const char *key,
				  const char *value);
void recovery_settings_show(const struct recovery_settings *settings,
			    recovery_settings_fn *fn, void *arg);

#endif

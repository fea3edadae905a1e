/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names and meanings of the engine's counters.
 */
#include "recovery/counters.h"

const char *const recovery_counter_names[RECOVERY_NR_COUNTERS] = {
#define X(name, meaning) [RECOVERY_COUNT_##name] = #name,
	RECOVERY_COUNTERS(X)
#undef X
#define X(constant, name, meaning)                                       \
	[RECOVERY_COUNT_reasons + HUGETMPFS_REASON_##constant] = "ended" \
								 "_" name,
		HUGETMPFS_REASONS(X)
#undef X
};

const char *const recovery_counter_meanings[RECOVERY_NR_COUNTERS] = {
#define X(name, meaning) [RECOVERY_COUNT_##name] = meaning,
	RECOVERY_COUNTERS(X)
#undef X
#define X(constant, name, meaning)                               \
	[RECOVERY_COUNT_reasons + HUGETMPFS_REASON_##constant] = \
		"works that ended with: " meaning,
		HUGETMPFS_REASONS(X)
#undef X
};

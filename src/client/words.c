/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words for states, reasons and modes of placement, straight from <hugetmpfs/types.h>, and the
 * version.
 */
#include <hugetmpfs/hugetmpfs.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct word {
	const char *name;
	const char *meaning;
};

static const struct word states[] = {
#define X(constant, name, meaning) { name, meaning },
	HUGETMPFS_STATES(X)
#undef X
};

static const struct word reasons[] = {
#define X(constant, name, meaning) { name, meaning },
	HUGETMPFS_REASONS(X)
#undef X
};

static const struct word modes[] = {
#define X(constant, name, meaning) { name, meaning },
	HUGETMPFS_NUMA_MODES(X)
#undef X
};

static const struct word unknown = {
	"unknown", "a value that this version does not know"
};

static const struct word *state_word(unsigned state)
{
	return state < NR(states) ? &states[state] : &unknown;
}

static const struct word *reason_word(unsigned reason)
{
	return reason < NR(reasons) ? &reasons[reason] : &unknown;
}

static const struct word *mode_word(unsigned mode)
{
	return mode < NR(modes) ? &modes[mode] : &unknown;
}

const char *hugetmpfs_state_name(unsigned state)
{
	return state_word(state)->name;
}

const char *hugetmpfs_state_meaning(unsigned state)
{
	return state_word(state)->meaning;
}

const char *hugetmpfs_reason_name(unsigned reason)
{
	return reason_word(reason)->name;
}

const char *hugetmpfs_reason_meaning(unsigned reason)
{
	return reason_word(reason)->meaning;
}

const char *hugetmpfs_numa_name(unsigned mode)
{
	return mode_word(mode)->name;
}

const char *hugetmpfs_numa_meaning(unsigned mode)
{
	return mode_word(mode)->meaning;
}

const char *hugetmpfs_version(void)
{
	return PACKAGE_VERSION;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that fail on purpose: what is linked with this and calls_flags
 * (Makefile.am) makes its calls by the functions here, and one of them can be
 * made to fail. What libc makes inside is not theirs.
 */
#ifndef FAKE_CALLS_H
#define FAKE_CALLS_H

#include <stdatomic.h>
#include <stdint.h>

struct calls {
	_Atomic uint64_t left; /* the call after so many fails; 0: none does */
	int error;	       /* with this errno */
	_Atomic uint64_t nr_failed;
	const char *name; /* of the one that failed last */
};

struct calls *calls_of_test(void);

#endif

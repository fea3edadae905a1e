/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is short on purpose. What is linked with this and memory_flags
 * (Makefile.am) calls what allocates memory, or starts a thread, by the functions
 * here, and one of those calls can be made to fail. What libc calls inside is
 * not theirs; so of libc's functions that allocate, each is one of them.
 */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include <stdatomic.h>
#include <stdint.h>

/* The processes whose calls count. */
enum {
	MEMORY_ALL,
	MEMORY_DAEMON, /* those that were started as daemons */
};

struct memory {
	_Atomic uint64_t left; /* the call after so many fails; 0: none does */
	_Atomic uint64_t who;
	_Atomic uint64_t nr_failed;
	/* of the one that failed last */
	char name[24];
	_Atomic uint64_t caller; /* where, as addr2line wants it */
};

/*
 * The program's own, or the one in the file that HT_MEMORY names in the
 * environment, which several processes share.
 */
struct memory *memory_of_test(void);

#endif

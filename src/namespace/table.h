/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables in the memfd: what outlives the daemon. The file has a header
 * page (magic, version), a page of counters, and fixed-size inode records that
 * never move. No pointer, no lock, no hash chain lies in it.
 */
#ifndef NAMESPACE_TABLE_H
#define NAMESPACE_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct table;

/* 64-bit counters in the memfd; who owns which index stands in daemon/serve.c. */
#define TABLE_NR_COUNTERS 512

/* Makes an empty table. Returns the memfd or a negative errno. For the keeper. */
int table_create(void);

/*
 * Maps the table of a memfd, checking magic, version and sizes; a damaged or
 * foreign one is refused with -EUCLEAN. Duplicates the fd. Returns 0 or a
 * negative errno.
 */
int table_open(struct table **out, int memfd);
void table_close(struct table *table);

_Atomic uint64_t *table_counters(struct table *table);

#endif

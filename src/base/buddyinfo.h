/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the kernel has free memory in blocks that hold a huge page.
 */
#ifndef BASE_BUDDYINFO_H
#define BASE_BUDDYINFO_H

#include <stdint.h>

/*
 * Free blocks of 2 MiB, larger ones taken as several, for each node below
 * nr_nodes. Returns one more than the number of the last node there is, or a
 * negative errno.
 */
int buddyinfo_read(uint32_t *blocks, unsigned nr_nodes);

#endif

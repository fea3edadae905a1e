/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctl PAGEMAP_SCAN of /proc/PID/pagemap, kernel 6.7. Newer than the
 * headers that a distribution installs, so it is written down here, from the
 * kernel's documentation of its ABI.
 */
#ifndef BASE_PAGEMAP_H
#define BASE_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

/* Categories of pages. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 3)
#define PAGEMAP_HUGE	(UINT64_C(1) << 6)

struct pagemap_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pagemap_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end; /* out: where the walk stopped */
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN_IOC _IOWR('f', 16, struct pagemap_scan_arg)

/* Entries as they are read from it. */
#define PAGEMAP_ENTRY_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_ENTRY_PFN     ((UINT64_C(1) << 55) - 1)

/* Bits of /proc/kpageflags. */
#define KPF(bit)	(UINT64_C(1) << (bit))
#define KPF_LOCKED	KPF(0)
#define KPF_LRU		KPF(5)
#define KPF_WRITEBACK	KPF(8)
#define KPF_SWAPCACHE	KPF(13)
#define KPF_HEAD	KPF(15)
#define KPF_TAIL	KPF(16)
#define KPF_UNEVICTABLE	KPF(18)

#endif

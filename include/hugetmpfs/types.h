/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words that the daemon, the ioctls, the library and the tools share: the
 * state of an extent and the reason for whatever was not done. Values are ABI:
 * new ones are only ever added at the end.
 */
#ifndef HUGETMPFS_TYPES_H
#define HUGETMPFS_TYPES_H

#include <stdint.h>

/* Size of an extent and of a huge page: 2 MiB; and the pages in it. */
#define HUGETMPFS_EXTENT_SHIFT 21
#define HUGETMPFS_EXTENT_BYTES (UINT64_C(1) << HUGETMPFS_EXTENT_SHIFT)
#define HUGETMPFS_EXTENT_PAGES 512

/*
 * Extents of the longest file that there can be, but for the last one: it ends
 * where no offset reaches, so nobody can map it.
 */
#define HUGETMPFS_MAX_EXTENTS ((uint64_t) INT64_MAX >> HUGETMPFS_EXTENT_SHIFT)

/*
 * State of an extent, X(CONSTANT, name, meaning). The first that fits is the
 * state: an extent with pages on swap is "swapped" also when it has holes.
 */
#define HUGETMPFS_STATES(X)                                                    \
	X(HOLE, "hole", "no page of it has data")                              \
	X(HUGE, "huge", "one 2 MiB page")                                      \
	X(SWAPPED, "swapped", "at least one of its pages is on swap")          \
	X(SMALL, "small", "every page up to the end of the file is in memory, in smaller pages") \
	X(PARTIAL, "partial", "in memory, in smaller pages, with holes")

enum hugetmpfs_state {
#define X(constant, name, meaning) HUGETMPFS_##constant,
	HUGETMPFS_STATES(X)
#undef X
	HUGETMPFS_NR_STATES
};

/*
 * Why an extent is not huge, or what a recovery came to,
 * X(CONSTANT, name, meaning). DONE is the only success.
 */
#define HUGETMPFS_REASONS(X)                                                   \
	X(DONE, "done", "it is huge")                                          \
	X(AGAIN, "again", "its pages were busy each time it was tried; try later") \
	X(TOO_LATE, "too_late", "the file was truncated, punched or removed meanwhile") \
	X(NO_HUGE_PAGE, "no_huge_page", "the kernel had no free huge page")    \
	X(PINNED, "pinned", "a page is pinned, by I/O in flight or by a device") \
	X(OVER_LIMIT, "over_limit", "the memory cgroup or the mount is at its limit") \
	X(TOO_MANY_HOLES, "too_many_holes", "it has more holes than max_holes")  \
	X(MISALIGNED, "misaligned", "no mapping of it is aligned to 2 MiB")    \
	X(EMPTY, "empty", "it has no data")                                    \
	X(BEYOND_EOF, "beyond_eof", "it lies beyond the end of the file")      \
	X(SWAP_FAILED, "swap_failed", "a page could not be read back from swap") \
	X(CANCELLED, "cancelled", "its recovery was cancelled or interrupted") \
	X(POLICY, "policy", "recovery is turned off for it")                   \
	X(UNSUPPORTED, "unsupported", "this kernel cannot collapse pages of a file") \
	X(DENIED, "denied", "the kernel denied it to this daemon")             \
	X(FAILED, "failed", "the kernel gave an error that has no name here")  \
	X(NOT_ASKED, "not_asked", "nobody has asked for it yet")                   \
	X(PREALLOCATED, "preallocated", "fallocate has put pages beyond the end of the file into it") \
	X(QUEUED, "queued", "it was asked for, and waits or is under way")         \
	X(NODE_FULL, "node_full", "no memory is free on the NUMA nodes that its policy allows") \
	X(NO_NODE, "no_node", "none of the NUMA nodes of its policy is online and allowed") \
	X(MISPLACED, "misplaced", "pages of it are on another NUMA node than its policy says")

enum hugetmpfs_reason {
#define X(constant, name, meaning) HUGETMPFS_REASON_##constant,
	HUGETMPFS_REASONS(X)
#undef X
	HUGETMPFS_NR_REASONS
};

/*
 * The extended attribute with a file's own policy, "off", "mapped" or "all";
 * anything else is refused with EINVAL. Of a directory: what is made in it
 * takes that over.
 */
#define HUGETMPFS_XATTR_RECOVER "user.hugetmpfs.recover"

/*
 * Where the pages of an extent belong, X(CONSTANT, name, meaning).
 *
 * As text: "MODE[:NODES]", NODES as "0,2-3"; bind and interleave want one or
 * more, prefer exactly one, the others none. Rules for parts of a file follow
 * each other with a space between, each with "@FIRST-LAST" behind it, indexes
 * of extents, of which LAST may be left out: up to the end. One without is for
 * the whole file. Of several that fit an extent the last holds.
 */
#define HUGETMPFS_NUMA_MODES(X)                                                \
	X(DEFAULT, "default", "where most of its pages are already")           \
	X(BIND, "bind", "on these nodes and no other")                         \
	X(PREFER, "prefer", "on this node, else on the nearest with room")     \
	X(INTERLEAVE, "interleave", "extent by extent on these nodes in turn") \
	X(FOLLOW, "follow", "where the threads of its mappers run")

enum hugetmpfs_numa {
#define X(constant, name, meaning) HUGETMPFS_NUMA_##constant,
	HUGETMPFS_NUMA_MODES(X)
#undef X
	HUGETMPFS_NR_NUMA_MODES
};

/* Longest text of a policy, the NUL at its end counted in; and its rules. */
#define HUGETMPFS_NUMA_BYTES 4096
#define HUGETMPFS_NUMA_RULES 64

/*
 * The extended attribute with such a text. Of a directory: what is made in it
 * takes that over. Only the owner of the file and root may change it.
 */
#define HUGETMPFS_XATTR_NUMA "user.hugetmpfs.numa"

/* Which extents are recovered in the background. */
enum hugetmpfs_background {
	HUGETMPFS_BACKGROUND_OFF,
	HUGETMPFS_BACKGROUND_MAPPED, /* those used by small pages */
	HUGETMPFS_BACKGROUND_ALL,
	HUGETMPFS_BACKGROUND_UNSET = 255, /* of a file: as the mount has it */
};

/* What holds for the recovery of a file. */
struct hugetmpfs_policy {
	uint8_t background;	  /* enum hugetmpfs_background: that holds */
	uint8_t background_file;  /* the file's own */
	uint8_t background_mount; /* the mount's */
	uint8_t denied;	     /* 1: the machine's admin has forbidden huge pages */
	uint16_t recoveries; /* at a time; 0: nothing is recovered */
	uint16_t max_holes;  /* that are filled in the background */
	uint64_t reserved;   /* 0 */
};

/* The passes of a recovery, as bits of hugetmpfs_extent.passes. */
#define HUGETMPFS_PASS_SWAPIN  (1u << 0)
#define HUGETMPFS_PASS_MIGRATE (1u << 1)
#define HUGETMPFS_PASS_COLLAPSE (1u << 2)
#define HUGETMPFS_PASS_REMAP   (1u << 3)

/*
 * One extent as the kernel showed it at one moment. data_pages + hole_pages is
 * the number of pages of the extent below the end of the file, 512 for all but
 * the last; a huge last extent has 512 data pages.
 */
struct hugetmpfs_extent {
	uint64_t index;		/* offset in the file / 2 MiB */
	uint16_t data_pages;	/* pages with data, in memory or on swap */
	uint16_t hole_pages;	/* pages without */
	uint16_t swapped_pages; /* of the data pages, those on swap */
	uint8_t state;		/* enum hugetmpfs_state */
	uint8_t reason;		/* enum hugetmpfs_reason */
	uint8_t passes;		/* HUGETMPFS_PASS_*: done, or with DRY_RUN to do */
	uint8_t error;		/* the errno behind the reason, 0 when none */
	int16_t nid;		/* NUMA node of most pages in memory, -1 unknown */
	/*
	 * Of over_limit: the memory cgroup without room, the low half of its
	 * inode number. 0: the mount has none, or it is not known.
	 */
	uint32_t group;
	/* Node that its policy says, -1 when it names none or is not known. */
	int16_t target_nid;
	uint16_t misplaced_pages; /* in memory, on nodes it does not say */
	uint32_t reserved;	  /* 0 */
};

#endif

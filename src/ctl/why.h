/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why extents are not huge: the verdict on one, from what the daemon and the
 * page tables of processes say, and runs of those that are alike. Pure: no
 * system calls.
 */
#ifndef CTL_WHY_H
#define CTL_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hugetmpfs/types.h>

/*
 * X(CONSTANT, name, words, whether a recovery by name helps, what else helps).
 */
#define WHY_CAUSES(X)                                                          \
	X(HUGE, "huge", "huge, but not in every process", false, NULL)         \
	X(EMPTY, "empty", "it has no data", false, NULL)                       \
	X(BEYOND_EOF, "beyond_eof", "it lies beyond the end of the file",      \
	  false, NULL)                                                         \
	X(PREALLOCATED, "preallocated",                                        \
	  "fallocate has put pages beyond the end of the file into it",        \
	  false, "let the file grow over them, or truncate it to its size")    \
	X(UNSUPPORTED, "unsupported",                                          \
	  "this kernel cannot collapse pages of a file", false,                \
	  "a kernel with MADV_COLLAPSE for tmpfs")                             \
	X(DENIED, "denied", "huge pages of files are denied on this machine",  \
	  false,                                                               \
	  "another word than deny in "                                         \
	  "/sys/kernel/mm/transparent_hugepage/shmem_enabled")                 \
	X(RECOVERY_OFF, "recovery_off",                                        \
	  "recovery is turned off on the mount (recoveries=0)", false,         \
	  "hugetmpfsctl set MOUNT recoveries=8")                               \
	X(QUEUED, "queued", "it was asked for, and waits or is under way",     \
	  false, "wait, or see hugetmpfsctl status")                           \
	X(PINNED, "pinned",                                                    \
	  "a page is pinned, by I/O in flight or by a device", true,           \
	  "end that I/O before; which page it is the kernel does not tell")    \
	X(BUSY, "busy", "its pages were busy each time it was tried", true,    \
	  "try later")                                                         \
	X(NO_HUGE_PAGE, "no_huge_page", "the kernel had no free huge page",    \
	  true, "free memory, or hugetmpfsctl set MOUNT compact=on")           \
	X(GROUP_FULL, "cgroup_full",                                           \
	  "the memory cgroup that pays for it has no room", false,             \
	  "raise the limit of the cgroup, or free memory in it")               \
	X(MOUNT_FULL, "mount_full", "the mount has no room for its holes",     \
	  false, "remove files, or a remount with a larger size")              \
	X(NODE_FULL, "node_full",                                              \
	  "no memory is free on the NUMA nodes that its policy allows", true,  \
	  "free memory there before, or hugetmpfsctl policy set --numa with "  \
	  "other nodes, or prefer")                                            \
	X(NO_NODE, "no_node",                                                  \
	  "none of the NUMA nodes of its policy is online and allowed", false, \
	  "hugetmpfsctl policy set --numa with nodes that there are, or a "    \
	  "wider cpuset for the daemon")                                       \
	X(MISPLACED, "misplaced",                                              \
	  "pages of it are on another NUMA node than its policy says", true,   \
	  "hugetmpfsctl policy set --numa with where it is, or default")       \
	X(SWAP_FAILED, "swap_failed",                                          \
	  "a page could not be read back from swap", true,                     \
	  "see the kernel's log for errors of the swap device")                \
	X(FAILED, "failed", "the kernel gave an error that has no name here",  \
	  true, NULL)                                                          \
	X(FILE_OFF, "file_off",                                                \
	  "the file's own policy is off (xattr user.hugetmpfs.recover)", true, \
	  "take the attribute away")                                           \
	X(MOUNT_OFF, "mount_off",                                              \
	  "nothing is recovered in the background (recover=off)", true,        \
	  "hugetmpfsctl set MOUNT recover=mapped")                             \
	X(HOLES, "too_many_holes",                                             \
	  "it has more holes than are filled in the background", true,         \
	  "hugetmpfsctl set MOUNT max_holes=N")                                \
	X(MISALIGNED, "misaligned",                                            \
	  "who uses it has it mapped so that it cannot be huge", true,         \
	  "map it shared and whole, at an address that differs from the "      \
	  "offset by a multiple of 2 MiB")                                     \
	X(COLD, "cold", "it is on swap, and nobody uses it", true,             \
	  "it is left there until it is used")                                 \
	X(UNUSED, "unused",                                                    \
	  "nobody uses it by small pages, and recover=mapped takes only those", \
	  true, "hugetmpfsctl set MOUNT recover=all")                          \
	X(WAITING, "waiting",                                                  \
	  "nothing stands against it: it is next in the background", true,     \
	  "wait a few seconds")

enum why_cause {
#define X(constant, name, words, by_name, advice) WHY_##constant,
	WHY_CAUSES(X)
#undef X
	WHY_NR_CAUSES
};

const char *why_name(enum why_cause cause);
const char *why_words(enum why_cause cause);
const char *why_advice(enum why_cause cause); /* may be NULL */
bool why_recover_helps(enum why_cause cause);

/* Extents alike, one after the other. */
struct why_group {
	uint64_t first;
	uint64_t nr;
	uint8_t state;	/* enum hugetmpfs_state */
	enum why_cause cause;
	uint8_t error;	/* errno of the kernel, 0 none */
	uint32_t group; /* of hugetmpfs_extent */
	uint16_t holes_least, holes_most;     /* pages without data */
	uint16_t swapped_least, swapped_most; /* pages on swap */
	int16_t nid;	    /* node of most of its pages, -1 not known */
	int16_t target_nid; /* node that its policy says, -1 none */
	uint16_t misplaced_least, misplaced_most; /* pages elsewhere */
	int page; /* that is busy, -1 not known */
	const char *page_state;
	uint8_t *uses; /* enum mapping_use of each mapping: only what matters */
};

struct why {
	/* set before the first extent */
	struct hugetmpfs_policy policy;
	size_t nr_mappings;
	/* found */
	uint64_t nr_extents;
	uint64_t nr_huge;
	struct why_group *groups;
	size_t nr;
	size_t capacity;
};

/*
 * The verdict on an extent that mappings use as in uses (those that do not
 * matter are set to MAPPING_NONE).
 */
enum why_cause why_judge(const struct why *why,
			 const struct hugetmpfs_extent *extent, uint8_t *uses);

/*
 * Adds nr extents alike, one in all but of holes. page and its state are those
 * of mapping_busy_page(). Returns 0 or -ENOMEM.
 */
int why_add(struct why *why, const struct hugetmpfs_extent *extent, uint64_t nr,
	    enum why_cause cause, const uint8_t *uses, int page,
	    const char *page_state);

void why_clear(struct why *why);

#endif

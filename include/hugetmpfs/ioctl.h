/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls of an open file on a hugetmpfs mount. They need what the
 * descriptor allows: MAP a descriptor open for reading, RECOVER and CANCEL one
 * open for writing; other descriptors get EBADF. On anything else than a
 * regular file of a hugetmpfs mount they answer ENOTTY.
 */
#ifndef HUGETMPFS_IOCTL_H
#define HUGETMPFS_IOCTL_H

#include <linux/ioctl.h>

#include <hugetmpfs/types.h>

#define HUGETMPFS_IOC_MAGIC 0xF7

/* Extents in one call; the kernel limits an ioctl's argument to 16 KiB. */
#define HUGETMPFS_IOC_EXTENTS 500

/* Flags of RECOVER; unknown ones get EINVAL. */
#define HUGETMPFS_RECOVER_DRY_RUN (1u << 0) /* look and decide, change nothing */
/*
 * Leave an extent alone (too_many_holes) whose huge page would take more than
 * max_holes pages that have no data, those above the end of the file counted
 * in. Without it an extent that was asked for costs 2 MiB whatever it holds.
 */
#define HUGETMPFS_RECOVER_BOUNDED (1u << 1)
/*
 * Queue the extents and return: what is not huge yet and can be recovered has
 * the reason queued, with an error of EALREADY if it had been queued before.
 * It is recovered as if somebody waited, whoever closes the file or ends; what
 * comes of it a later MAP shows. EAGAIN when half of the queue is taken: the
 * rest is for those that wait. Together with DRY_RUN it changes nothing.
 */
#define HUGETMPFS_RECOVER_NO_WAIT (1u << 2)
#define HUGETMPFS_RECOVER_FLAGS \
	(HUGETMPFS_RECOVER_DRY_RUN | HUGETMPFS_RECOVER_BOUNDED | \
	 HUGETMPFS_RECOVER_NO_WAIT)

/*
 * In: first, nr (1 to HUGETMPFS_IOC_EXTENTS), flags; ticket, 0 for MAP.
 * Out: size_bytes, nr: the entries that are filled, less than asked when the
 * file ends before. An nr of 0 means that first is beyond the end.
 *
 * MAP does not touch the pages and does not wait for recovery. RECOVER waits
 * until each extent of the range is huge or is given up, and then says which;
 * those that a CANCEL came before have the reason cancelled.
 * Errors: EINVAL (range, flags or ticket), EBADF, ENOTTY, EINTR (a signal;
 * what is done stays done), ENOMEM, EAGAIN (too many requests are waiting).
 *
 * A recovery of many calls is one undertaking by its ticket: 0 in the first
 * call, which fills it in, and that in all others, to any file of the mount.
 * A CANCEL between two calls then ends the later one at once. Without, each
 * call stands alone.
 */
struct hugetmpfs_ioc_extents {
	uint64_t first;	/* index of the first extent */
	uint32_t nr;
	uint32_t flags;
	uint64_t size_bytes; /* of the file */
	uint64_t ticket;
	struct hugetmpfs_extent extents[HUGETMPFS_IOC_EXTENTS];
};

#define HUGETMPFS_IOC_MAP \
	_IOWR(HUGETMPFS_IOC_MAGIC, 1, struct hugetmpfs_ioc_extents)
#define HUGETMPFS_IOC_RECOVER \
	_IOWR(HUGETMPFS_IOC_MAGIC, 2, struct hugetmpfs_ioc_extents)

/*
 * CANCEL ends the recoveries of the file that were asked for, by whomever:
 * what waits, and what is under way at its next step. What is done stays done.
 * In: all 0. Out: the extents that were waiting or under way, each as often as
 * it was asked for. Errors: EINVAL, EBADF, ENOTTY.
 */
struct hugetmpfs_ioc_cancel {
	uint64_t extents;
	uint64_t reserved;
};

#define HUGETMPFS_IOC_CANCEL \
	_IOWR(HUGETMPFS_IOC_MAGIC, 3, struct hugetmpfs_ioc_cancel)

/*
 * POLICY tells what holds for the recovery of the file in the background, by
 * any descriptor, also one on a directory. Errors: ENOTTY.
 */
#define HUGETMPFS_IOC_POLICY \
	_IOR(HUGETMPFS_IOC_MAGIC, 4, struct hugetmpfs_policy)

/* Flag of NUMA_GET: what the mount says, not the file. */
#define HUGETMPFS_NUMA_OF_MOUNT (1u << 0)

/* Up to the end of the file, however long it gets. */
#define HUGETMPFS_NUMA_TO_END UINT64_MAX

/*
 * NUMA_GET tells where the pages of a file belong (see HUGETMPFS_NUMA_MODES),
 * by any descriptor on a file or directory. In: flags, all else 0. Out: text,
 * empty when the file says nothing. Errors: EINVAL, ENOTTY.
 *
 * NUMA_SET changes that, by a descriptor of the file's owner or root; of a
 * regular file it must be open for writing. In: text, all of the file's rules
 * when first to last is all there can be; else one rule without a range, for
 * that range. An empty text takes away what the file says for it. Also on an
 * error the whole argument comes back, with words for the user in message. What
 * is there already is moved by recovery. Errors: EINVAL (text, range, flags),
 * ENODEV (a node that does not exist), EACCES (the cpuset of the caller does
 * not allow a node), E2BIG (too many rules), EPERM (not the owner), EBADF,
 * EOPNOTSUPP (files have no attributes on this kernel), ENOSPC, ENOTTY.
 */
struct hugetmpfs_ioc_numa {
	uint64_t first; /* indexes of extents */
	uint64_t last;	/* HUGETMPFS_NUMA_TO_END */
	uint32_t flags; /* 0 for NUMA_SET */
	uint32_t reserved;
	char text[HUGETMPFS_NUMA_BYTES]; /* ended by a NUL */
	char message[256];
};

#define HUGETMPFS_IOC_NUMA_GET \
	_IOWR(HUGETMPFS_IOC_MAGIC, 5, struct hugetmpfs_ioc_numa)
#define HUGETMPFS_IOC_NUMA_SET \
	_IOWR(HUGETMPFS_IOC_MAGIC, 6, struct hugetmpfs_ioc_numa)

#endif

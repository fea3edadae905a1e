/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many descriptors this process may keep open for as long as users like, of
 * one kind of those that users make it keep: what is needed for a moment must
 * never fail for what somebody has kept.
 */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <sys/resource.h>

#define DESCRIPTORS_SHARE_MAX 1024

static inline unsigned descriptors_share(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	return limit.rlim_cur / 4 < DESCRIPTORS_SHARE_MAX ?
		       (unsigned) limit.rlim_cur / 4 :
		       DESCRIPTORS_SHARE_MAX;
}

#endif

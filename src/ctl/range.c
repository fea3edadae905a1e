/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of files as they are written on command lines.
 */
#include "ctl/range.h"

#include <hugetmpfs/types.h>

#include "base/number.h"

bool range_parse_bytes(const char *text, struct range *range)
{
	uint64_t start, end = 0;

	if (!number_parse(text, true, &text, &start) || *text++ != '-')
		return false;
	if (*text && (!number_parse(text, true, &text, &end) || *text ||
		      end <= start))
		return false;
	/* no file has a byte there */
	if (start >> HUGETMPFS_EXTENT_SHIFT >= HUGETMPFS_MAX_EXTENTS ||
	    end > (uint64_t) INT64_MAX + 1)
		return false;
	range->first = start >> HUGETMPFS_EXTENT_SHIFT;
	range->end = (end + HUGETMPFS_EXTENT_BYTES - 1) >>
		     HUGETMPFS_EXTENT_SHIFT;
	return true;
}

bool range_parse_extents(const char *text, struct range *range)
{
	uint64_t last;

	if (!number_parse(text, false, &text, &range->first))
		return false;
	last = range->first;
	if (*text && (*text != '-' ||
		      !number_parse(text + 1, false, &text, &last) || *text))
		return false;
	range->end = last + 1;
	return last >= range->first && last < HUGETMPFS_MAX_EXTENTS;
}

uint64_t range_bytes(const struct range *range, uint64_t size_bytes)
{
	uint64_t start = range->first << HUGETMPFS_EXTENT_SHIFT;
	uint64_t end = size_bytes;

	if (range->end && range->end < size_bytes >> HUGETMPFS_EXTENT_SHIFT)
		end = range->end << HUGETMPFS_EXTENT_SHIFT;
	return end > start ? end - start : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look: what the extents of a file are now, without bringing anything in.
 */
#include "mm/internal.h"

#include <stdlib.h>
#include <sys/stat.h>

/* Extents looked at in one go; bounds what lies on the stack. */
#define MM_LOOK_PART 128

static int mm_look_part(struct mm_window *window, uint64_t first, uint32_t nr,
			uint64_t size_pages, const enum mm_known *known,
			struct mm_extent *extents)
{
	struct mm_count counts[MM_LOOK_PART];
	bool huge[MM_LOOK_PART];
	uint64_t left;
	uint16_t all;
	uint32_t last = nr - 1;
	int ret;

	ret = mm_count(window, first, nr, known, counts);
	if (ret)
		return ret;
	ret = mm_find_huge(window, first, nr, known, counts, huge);
	if (ret)
		return ret;
	/* fallocate may have put pages above the end of the file */
	all = counts[last].resident + counts[last].swapped;
	left = size_pages - (first + last) * HUGETMPFS_EXTENT_PAGES;
	if (left < HUGETMPFS_EXTENT_PAGES) {
		ret = mm_count_head(window, first + last, (uint16_t) left,
				    &counts[last]);
		if (ret)
			return ret;
	}
	for (uint32_t i = 0; i < nr; i++) {
		extents[i].pages = HUGETMPFS_EXTENT_PAGES;
		if (i == last && left < HUGETMPFS_EXTENT_PAGES)
			extents[i].pages = (uint16_t) left;
		extents[i].resident = counts[i].resident;
		extents[i].swapped = counts[i].swapped;
		extents[i].huge = huge[i];
		extents[i].above = 0;
	}
	if (!huge[last] && all > counts[last].resident + counts[last].swapped)
		extents[last].above =
			all - counts[last].resident - counts[last].swapped;
	mm_find_nodes(window, first, nr, extents);
	return 0;
}

int mm_look(void *context, struct mm_window *window, uint64_t first,
	    uint32_t nr, const enum mm_known *known, struct mm_extent *extents,
	    uint64_t *size_bytes)
{
	uint64_t size_pages, ends, done = 0;
	struct stat st;
	uint32_t part;
	int ret;

	(void) context;
	if (fstat(window->fd, &st))
		return -errno;
	*size_bytes = (uint64_t) st.st_size;
	size_pages =
		((uint64_t) st.st_size + MM_PAGE_BYTES - 1) >> MM_PAGE_SHIFT;
	ends = (size_pages + HUGETMPFS_EXTENT_PAGES - 1) /
	       HUGETMPFS_EXTENT_PAGES;
	if (first >= ends)
		return 0;
	if (nr > ends - first)
		nr = (uint32_t) (ends - first);
	while (done < nr) {
		part = nr - done < MM_LOOK_PART ? nr - done : MM_LOOK_PART;
		ret = mm_look_part(window, first + done, part, size_pages,
				   known ? known + done : NULL, extents + done);
		if (ret)
			return ret;
		done += part;
	}
	return (int) nr;
}

bool mm_has_data(void *context, struct mm_window *window, uint64_t first,
		 uint32_t nr)
{
	off_t start = (off_t) (first << HUGETMPFS_EXTENT_SHIFT), data;

	(void) context;
	data = lseek(window->fd, start, SEEK_DATA);
	return data >= start &&
	       (uint64_t) data >> HUGETMPFS_EXTENT_SHIFT < first + nr;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is taken for granted of a machine everywhere else: pages of 4 KiB, and
 * huge ones of 2 MiB. Others are seen where pages are larger (16 or 64 KiB on
 * arm64 and ppc64, with huge ones of 32 or 512 MiB), and on s390x (1 MiB).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <hugetmpfs/types.h>

#include "base/log.h"
#include "daemon/commands.h"

#define HUGE_PATH "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#define PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

/* A kernel without huge pages has no such file: status says what it lacks. */
static uint64_t huge_bytes(void)
{
	FILE *file = fopen(HUGE_PATH, "re");
	uint64_t bytes;

	if (!file)
		return HUGETMPFS_EXTENT_BYTES;
	if (fscanf(file, "%" SCNu64, &bytes) != 1)
		bytes = HUGETMPFS_EXTENT_BYTES;
	fclose(file);
	return bytes;
}

static int refuse(const char *what, uint64_t here, uint64_t needed)
{
	log_error("%s of this kernel have %" PRIu64 " bytes, and hugetmpfs is "
		  "made for %" PRIu64 ": boot a kernel with pages of 4 KiB and "
		  "huge pages of 2 MiB, where the processor can have both",
		  what, here, needed);
	return -EOPNOTSUPP;
}

int machine_check(void)
{
	uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE), huge = huge_bytes();

	if (page != PAGE_BYTES)
		return refuse("pages", page, PAGE_BYTES);
	if (huge != HUGETMPFS_EXTENT_BYTES)
		return refuse("huge pages", huge, HUGETMPFS_EXTENT_BYTES);
	return 0;
}

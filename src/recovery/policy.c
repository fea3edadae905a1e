/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What holds for the recovery of one file in the background.
 */
#include "recovery/internal.h"

_Static_assert((int) RECOVERY_RECOVER_OFF == HUGETMPFS_BACKGROUND_OFF &&
	       (int) RECOVERY_RECOVER_MAPPED == HUGETMPFS_BACKGROUND_MAPPED &&
	       (int) RECOVERY_RECOVER_ALL == HUGETMPFS_BACKGROUND_ALL,
	       "the setting has the values of the ABI");

void recovery_file_policy(struct recovery *recovery,
			  const struct recovery_file *file,
			  struct hugetmpfs_policy *policy)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_settings settings;

	(void) file;
	recovery_settings_get(recovery, &settings);
	*policy = (struct hugetmpfs_policy){
		.background = (uint8_t) settings.recover,
		.background_file = HUGETMPFS_BACKGROUND_UNSET,
		.background_mount = (uint8_t) settings.recover,
		.denied = mm->denied(mm->context),
		.recoveries = (uint16_t) settings.recoveries,
		.max_holes = (uint16_t) settings.max_holes,
	};
}

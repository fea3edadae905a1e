/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files are recovered in the background: what the mount says, and what a
 * file says of itself, which comes first. That is an extended attribute of the
 * backing file, so it goes where the file goes and is copied by whatever copies
 * attributes; nothing is kept here but that there may be such files.
 */
#include "recovery/internal.h"

#include <string.h>
#include <sys/xattr.h>

_Static_assert((int) RECOVERY_RECOVER_OFF == HUGETMPFS_BACKGROUND_OFF &&
	       (int) RECOVERY_RECOVER_MAPPED == HUGETMPFS_BACKGROUND_MAPPED &&
	       (int) RECOVERY_RECOVER_ALL == HUGETMPFS_BACKGROUND_ALL,
	       "the setting has the values of the ABI");

enum hugetmpfs_background recovery_policy_parse(const void *value, size_t size)
{
	static const char *const names[] = {
		[HUGETMPFS_BACKGROUND_OFF] = "off",
		[HUGETMPFS_BACKGROUND_MAPPED] = "mapped",
		[HUGETMPFS_BACKGROUND_ALL] = "all",
	};

	for (int i = 0; i <= HUGETMPFS_BACKGROUND_ALL; i++) {
		if (size == strlen(names[i]) && !memcmp(value, names[i], size))
			return (enum hugetmpfs_background) i;
	}
	return HUGETMPFS_BACKGROUND_UNSET;
}

enum hugetmpfs_background recovery_policy_own(int fd)
{
	char value[16];
	ssize_t size = fgetxattr(fd, HUGETMPFS_XATTR_RECOVER, value,
				 sizeof(value));

	/* what a kernel without such attributes answers is an error, too */
	if (size <= 0)
		return HUGETMPFS_BACKGROUND_UNSET;
	return recovery_policy_parse(value, (size_t) size);
}

void recovery_policy_changed(struct recovery *recovery)
{
	atomic_store(&recovery->own_policies, true);
}

bool recovery_has_own_policies(struct recovery *recovery)
{
	return atomic_load(&recovery->own_policies);
}

enum recovery_recover
recovery_policy_background(struct recovery *recovery,
			   const struct recovery_settings *settings, int fd)
{
	enum hugetmpfs_background own = HUGETMPFS_BACKGROUND_UNSET;

	if (recovery_has_own_policies(recovery))
		own = recovery_policy_own(fd);
	return own == HUGETMPFS_BACKGROUND_UNSET ? settings->recover
						 : (enum recovery_recover) own;
}

void recovery_file_policy(struct recovery *recovery,
			  const struct recovery_file *file,
			  struct hugetmpfs_policy *policy)
{
	enum hugetmpfs_background own = recovery_policy_own(file->fd);
	const struct mm_ops *mm = recovery->mm;
	struct recovery_settings settings;

	recovery_settings_get(recovery, &settings);
	*policy = (struct hugetmpfs_policy){
		.background = (uint8_t) (own == HUGETMPFS_BACKGROUND_UNSET
						 ? (unsigned) settings.recover
						 : (unsigned) own),
		.background_file = (uint8_t) own,
		.background_mount = (uint8_t) settings.recover,
		.denied = mm->denied(mm->context),
		.recoveries = (uint16_t) settings.recoveries,
		.max_holes = (uint16_t) settings.max_holes,
	};
}

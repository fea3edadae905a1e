/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files are recovered in the background, and where their pages belong:
 * what the mount says, and what a file says of itself, which comes first. That is an extended attribute of the
 * backing file, so it goes where the file goes and is copied by whatever copies
 * attributes; nothing is kept here but that there may be such files.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "placement/policy.h"

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

/*
 * An attribute of a file: its size, 0 when there is none that says anything, or
 * a negative errno when that cannot be told. What a kernel without such
 * attributes answers is an error as well.
 */
static ssize_t recovery_policy_read(int fd, const char *name, void *value,
				    size_t room)
{
	ssize_t size = fgetxattr(fd, name, value, room);

	if (size >= 0)
		return size;
	return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE
		       ? 0
		       : -errno;
}

static int recovery_policy_ask(int fd, enum hugetmpfs_background *own)
{
	char value[16];
	ssize_t size = recovery_policy_read(fd, HUGETMPFS_XATTR_RECOVER, value,
					    sizeof(value));

	*own = HUGETMPFS_BACKGROUND_UNSET;
	if (size > 0)
		*own = recovery_policy_parse(value, (size_t) size);
	return size < 0 ? (int) size : 0;
}

enum hugetmpfs_background recovery_policy_own(int fd)
{
	enum hugetmpfs_background own;

	recovery_policy_ask(fd, &own);
	return own;
}

void recovery_policy_changed(struct recovery *recovery)
{
	atomic_store(&recovery->own_policies, true);
	atomic_fetch_add(&recovery->policy_changes, 1);
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

	/* a file that may say off, and cannot be asked, is left alone */
	if (recovery_has_own_policies(recovery) &&
	    recovery_policy_ask(fd, &own))
		return RECOVERY_RECOVER_OFF;
	return own == HUGETMPFS_BACKGROUND_UNSET ? settings->recover
						 : (enum recovery_recover) own;
}

/*
 * The file's own rules; none when what is there is not understood. An error
 * when there may be some that cannot be read.
 */
static int recovery_placement_own(int fd, struct placement_policy *policy)
{
	char text[HUGETMPFS_NUMA_BYTES];
	ssize_t size = recovery_policy_read(fd, HUGETMPFS_XATTR_NUMA, text,
					    sizeof(text));

	policy->nr = 0;
	if (size > 0 && placement_parse(text, (size_t) size, policy, NULL, 0))
		policy->nr = 0;
	return size < 0 ? (int) size : 0;
}

void recovery_placement(struct recovery *recovery, int fd,
			struct placement_policy *policy)
{
	struct recovery_settings settings;

	policy->nr = 0;
	/* the mount's may be the opposite: nothing is asked for then */
	if (recovery_has_own_policies(recovery) &&
	    recovery_placement_own(fd, policy))
		return;
	recovery_settings_get(recovery, &settings);
	if (settings.numa.mode != HUGETMPFS_NUMA_DEFAULT)
		placement_put_below(policy, &settings.numa);
}

void recovery_placement_of_mount(struct recovery *recovery, char *text,
				 size_t size)
{
	struct placement_policy policy = { .nr = 1 };
	struct recovery_settings settings;

	recovery_settings_get(recovery, &settings);
	policy.rules[0] = settings.numa;
	placement_format(&policy, text, size);
}

int recovery_placement_check(struct recovery *recovery,
			     const struct placement_policy *policy, pid_t pid,
			     char *error, size_t error_size)
{
	const struct mm_ops *mm = recovery->mm;
	struct nodeset present, allowed;
	bool known;

	mm->nodes_present(mm->context, &present);
	/* a caller in another pid namespace has pid 0 */
	known = pid && !mm->nodes_allowed(mm->context, pid, &allowed);
	return placement_check(policy, &present, known ? &allowed : NULL, error,
			       error_size);
}

static void recovery_place_rule(const struct mm_ops *mm, int fd,
				const struct placement_rule *rule,
				const struct nodeset *allowed)
{
	enum hugetmpfs_numa mode = rule->mode;
	struct nodeset nodes = rule->nodes;
	uint64_t end = HUGETMPFS_MAX_EXTENTS;

	if (rule->last < end)
		end = rule->last + 1;
	nodeset_intersect(&nodes, allowed);
	if (!nodeset_count(&nodes))
		mode = HUGETMPFS_NUMA_DEFAULT;
	mm->place(mm->context, fd, rule->first, end - rule->first, mode,
		  &nodes);
}

void recovery_place(struct recovery *recovery, int fd)
{
	static const struct placement_rule all = { .last = PLACEMENT_TO_END };
	const struct mm_ops *mm = recovery->mm;
	struct placement_policy policy;
	struct nodeset allowed;

	if (!mm->nodes_several(mm->context) ||
	    mm->nodes_allowed(mm->context, 0, &allowed))
		return;
	recovery_placement(recovery, fd, &policy);
	recovery_place_rule(mm, fd, &all, &allowed);
	for (unsigned i = 0; i < policy.nr; i++)
		recovery_place_rule(mm, fd, &policy.rules[i], &allowed);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ioctls on policies. What a file says of its placement is an attribute of
 * it, which setxattr(2) changes as well; these can change a part of it, and say
 * in words what is wrong. All of it can be done twice, when the next daemon gets
 * the request again.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "fuse/ops.h"
#include "placement/policy.h"
#include "recovery/recovery.h"

/* A change under way. */
struct change {
	fuse_req_t req;
	int fd; /* O_PATH */
	bool directory;
	struct hugetmpfs_ioc_numa *arg;
	struct placement_policy policy; /* of the file, as it will be */
};

void op_ioctl_policy(fuse_req_t req, fuse_ino_t ino)
{
	struct hugetmpfs_policy policy;
	struct recovery_file file = {
		.fd = inode_open(server_of(req)->inodes, ino, O_RDONLY),
	};

	if (file.fd < 0) {
		reply_err(req, -file.fd);
		return;
	}
	recovery_file_policy(server_of(req)->config.recovery, &file, &policy);
	close(file.fd);
	REPLY(req, fuse_reply_ioctl(req, 0, &policy, sizeof(policy)));
}

__attribute__((format(printf, 3, 4))) static int
refuse(struct change *change, int ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(change->arg->message, sizeof(change->arg->message), format,
		  args);
	va_end(args);
	return ret;
}

/* Whether who asks may change it, and the range makes sense. */
static int change_check(struct change *change)
{
	const struct hugetmpfs_ioc_numa *arg = change->arg;
	int ret = policy_check_owner(change->req, change->fd);

	if (ret == -EPERM)
		return refuse(change, ret,
			      "only its owner and root may say where its pages "
			      "belong");
	if (ret)
		return ret;
	if (!memchr(arg->text, '\0', sizeof(arg->text)))
		return refuse(change, -EINVAL, "the policy is too long");
	if (arg->last < arg->first)
		return refuse(change, -EINVAL,
			      "the range of extents %llu-%llu ends before it "
			      "begins: write the lower one first",
			      (unsigned long long) arg->first,
			      (unsigned long long) arg->last);
	if (arg->first >= HUGETMPFS_MAX_EXTENTS)
		return refuse(change, -EINVAL,
			      "extent %llu: no file is that long",
			      (unsigned long long) arg->first);
	if (change->directory && (arg->first ||
				  arg->last != HUGETMPFS_NUMA_TO_END))
		return refuse(change, -EINVAL,
			      "a directory has no range: set it for all, or "
			      "for the files in it");
	return 0;
}

static bool is_all(const struct hugetmpfs_ioc_numa *arg)
{
	return arg->first == 0 && arg->last == HUGETMPFS_NUMA_TO_END;
}

/* The rules that the argument has, checked, into what will be. */
static int change_parse(struct change *change)
{
	struct hugetmpfs_ioc_numa *arg = change->arg;
	int ret;

	change->policy.nr = 0;
	if (!*arg->text)
		return 0;
	ret = placement_parse(arg->text, strlen(arg->text), &change->policy,
			      arg->message, sizeof(arg->message));
	if (ret)
		return ret;
	if (!is_all(arg) && (change->policy.nr > 1 ||
			     change->policy.rules[0].first ||
			     change->policy.rules[0].last != PLACEMENT_TO_END))
		return refuse(change, -EINVAL,
			      "for a range one rule is to be given, without "
			      "another range in it");
	return recovery_placement_check(server_of(change->req)->config.recovery,
					&change->policy,
					fuse_req_ctx(change->req)->pid,
					arg->message, sizeof(arg->message));
}

/* Brings it together with what the file says already. */
static int change_merge(struct change *change)
{
	const struct hugetmpfs_ioc_numa *arg = change->arg;
	struct placement_rule rule = change->policy.rules[0];
	bool any = change->policy.nr;
	char text[HUGETMPFS_NUMA_BYTES];
	ssize_t size;
	int ret;

	if (is_all(arg))
		return 0;
	rule.first = arg->first;
	rule.last = arg->last;
	size = getxattr(fd_path(change->fd).path, HUGETMPFS_XATTR_NUMA, text,
			sizeof(text));
	if (size <= 0 || placement_parse(text, (size_t) size, &change->policy,
					 NULL, 0))
		change->policy.nr = 0;
	ret = any ? placement_add(&change->policy, &rule)
		  : placement_remove(&change->policy, arg->first, arg->last);
	if (ret)
		return refuse(change, ret,
			      "the file would have more than %d rules: set one "
			      "for all of it first",
			      HUGETMPFS_NUMA_RULES);
	return 0;
}

static int change_store(struct change *change)
{
	struct fd_path path = fd_path(change->fd);
	char text[HUGETMPFS_NUMA_BYTES];
	size_t size;
	int ret;

	size = placement_format(&change->policy, text, sizeof(text));
	if (size >= sizeof(text))
		return refuse(change, -E2BIG,
			      "the file's rules would take more than %zu bytes",
			      sizeof(text) - 1);
	if (size)
		ret = setxattr(path.path, HUGETMPFS_XATTR_NUMA, text, size, 0);
	else
		ret = removexattr(path.path, HUGETMPFS_XATTR_NUMA);
	if (ret)
		ret = -errno;
	if (!size && (ret == -ENODATA || ret == -EOPNOTSUPP))
		return 0;
	if (ret == -EOPNOTSUPP)
		return refuse(change, ret,
			      "this kernel's tmpfs has no user attributes "
			      "(Linux 6.6 or later is needed)");
	if (!ret)
		policy_changed(server_of(change->req), change->fd,
			       HUGETMPFS_XATTR_NUMA);
	return ret;
}

static int numa_set(fuse_req_t req, int fd, bool directory,
		    struct hugetmpfs_ioc_numa *arg)
{
	struct change change = { .req = req, .fd = fd, .directory = directory,
				 .arg = arg };
	struct server *server = server_of(req);
	int ret;

	if (arg->flags)
		return -EINVAL;
	ret = change_check(&change);
	if (!ret)
		ret = change_parse(&change);
	if (ret)
		return ret;
	pthread_mutex_lock(&server->policies_mutex);
	ret = change_merge(&change);
	if (!ret)
		ret = change_store(&change);
	pthread_mutex_unlock(&server->policies_mutex);
	return ret;
}

static int numa_get(fuse_req_t req, int fd, struct hugetmpfs_ioc_numa *arg)
{
	ssize_t size;

	if (arg->flags & ~HUGETMPFS_NUMA_OF_MOUNT || arg->first || arg->last)
		return -EINVAL;
	memset(arg->text, 0, sizeof(arg->text));
	if (arg->flags & HUGETMPFS_NUMA_OF_MOUNT) {
		recovery_placement_of_mount(server_of(req)->config.recovery,
					    arg->text, sizeof(arg->text));
		return 0;
	}
	size = getxattr(fd_path(fd).path, HUGETMPFS_XATTR_NUMA, arg->text,
			sizeof(arg->text) - 1);
	/* what a kernel without such attributes says is no error either */
	if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

void op_ioctl_numa(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
		   const struct fuse_file_info *fi, const void *in)
{
	bool sets = cmd == HUGETMPFS_IOC_NUMA_SET;
	struct hugetmpfs_ioc_numa arg;
	struct stat st;
	int fd, ret;

	memcpy(&arg, in, sizeof(arg));
	memset(arg.message, 0, sizeof(arg.message));
	fd = inode_open(server_of(req)->inodes, ino, O_PATH | O_NOFOLLOW);
	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	ret = fstat(fd, &st) ? -errno : 0;
	if (!ret && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		ret = -ENOTTY;
	if (!ret && sets && S_ISREG(st.st_mode) && file_accmode(fi) == O_RDONLY)
		ret = -EBADF;
	if (!ret)
		ret = sets ? numa_set(req, fd, S_ISDIR(st.st_mode), &arg)
			   : numa_get(req, fd, &arg);
	close(fd);
	if (!ret && sets)
		attr_uncache(server_of(req), ino);
	/* with an error, too: it says in words what was wrong */
	REPLY(req, fuse_reply_ioctl(req, ret, &arg, sizeof(arg)));
}

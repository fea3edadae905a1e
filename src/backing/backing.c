/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and changing the private tmpfs with the kernel's mount interface of
 * file descriptors, which tells what is wrong with an option.
 */
#include "backing/backing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backing/handle.h"
#include "base/optstr.h"

#define LOG_BYTES 512

static void say(char *error, size_t error_size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *error, size_t error_size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error, error_size, format, ap);
	va_end(ap);
}

/*
 * The kernel's last error message about a file system context, without its
 * "e tmpfs: " and its first capital. False when it has said nothing.
 */
static bool read_log(int fs_fd, char *text, size_t size)
{
	char line[LOG_BYTES];
	bool found = false;
	ssize_t length;

	while ((length = read(fs_fd, line, sizeof(line) - 1)) > 0) {
		const char *message = line + 2;

		line[length] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "e ", 2))
			continue;
		if (!strncmp(message, "tmpfs: ", strlen("tmpfs: ")))
			message += strlen("tmpfs: ");
		snprintf(text, size, "%s", message);
		if (text[0] >= 'A' && text[0] <= 'Z')
			text[0] += 'a' - 'A';
		found = true;
	}
	return found;
}

/* What tmpfs takes for an option, for whoever gave it something else. */
static const char *allowed(const char *name)
{
	static const struct {
		const char *name;
		const char *values;
	} options[] = {
		{ "size", "bytes, with k, m or g after it, or a percentage of "
			  "the memory like 50%" },
		{ "nr_blocks", "a number of pages, with k, m or g after it" },
		{ "nr_inodes", "a number, with k, m or g after it, 0 for no "
			       "limit" },
		{ "mode", "an octal number up to 7777" },
		{ "uid", "the number of a user" },
		{ "gid", "the number of a group" },
		{ "huge", "never, always, within_size or advise" },
		{ "mpol", "a policy like interleave or bind:0-1 with nodes "
			  "that this machine has" },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i].name, name))
			return options[i].values;
	return "something else, see tmpfs(5)";
}

static int set_option(int fs_fd, const char *name, const char *value,
		      char *error, size_t error_size)
{
	char log[LOG_BYTES];
	int ret;

	if (!fsconfig(fs_fd,
		      value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, name,
		      value, 0))
		return 0;
	ret = -errno;
	/* "bad value for 'size'" is what the kernel says without the value */
	if (read_log(fs_fd, log, sizeof(log)) && strncmp(log, "bad value", 9))
		say(error, error_size, "option %s%s%s: %s", name,
		    value ? "=" : "", value ? value : "", log);
	else if (ret == -EINVAL && !value)
		say(error, error_size, "option %s needs a value", name);
	else if (ret == -EINVAL)
		say(error, error_size, "bad value '%s' for option %s: it is %s",
		    value, name, allowed(name));
	else
		say(error, error_size, "option %s%s%s: %s", name,
		    value ? "=" : "", value ? value : "", strerror(-ret));
	return ret;
}

static int set_options(int fs_fd, const char *options, char *error,
		       size_t error_size)
{
	char *copy, *cursor, *name, *value;
	int ret = 0;

	copy = cursor = strdup(options);
	if (!copy) {
		say(error, error_size, "not enough memory");
		return -ENOMEM;
	}
	while (!ret && (name = optstr_next(&cursor, &value)))
		ret = set_option(fs_fd, name, value, error, error_size);
	free(copy);
	return ret;
}

/* Carries out what was set. */
static int commit(int fs_fd, unsigned command, const char *options,
		  char *error, size_t error_size)
{
	char log[LOG_BYTES];
	int ret;

	if (!fsconfig(fs_fd, command, NULL, NULL, 0))
		return 0;
	ret = -errno;
	if (read_log(fs_fd, log, sizeof(log))) {
		say(error, error_size, "%s: %s", options, log);
		/* each option by itself was good: it is the state that is not */
		if (ret == -EINVAL)
			ret = -EBUSY;
	} else {
		say(error, error_size, "tmpfs refuses %s: %s", options,
		    strerror(-ret));
	}
	return ret;
}

/* A context for a new tmpfs, with its options set. */
static int open_context(const char *options, char *error, size_t error_size)
{
	int fs_fd, ret;

	fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs_fd < 0) {
		ret = -errno;
		if (ret == -EPERM)
			say(error, error_size,
			    "only root may mount (CAP_SYS_ADMIN is needed)");
		else
			say(error, error_size, "no tmpfs in this kernel: %s",
			    strerror(-ret));
		return ret;
	}
	ret = set_options(fs_fd, options, error, error_size);
	if (ret) {
		close(fs_fd);
		return ret;
	}
	return fs_fd;
}

int backing_check(const char *options, char *error, size_t error_size)
{
	int fs_fd;

	fs_fd = open_context(options, error, error_size);
	if (fs_fd < 0)
		return fs_fd;
	close(fs_fd);
	return 0;
}

/*
 * Some kernels let root of a user namespace open a tmpfs of its own by handle,
 * but none lets it do all else that is needed later.
 */
static bool in_user_namespace(void)
{
	const ino_t initial = 0xEFFFFFFD; /* as the kernel numbers it */
	struct stat st;

	return !stat("/proc/self/ns/user", &st) && st.st_ino != initial;
}

/*
 * All files are found by handle. Returns the fd, or closes it and says why
 * that cannot be.
 */
static int check_handles(int root_fd, char *error, size_t error_size)
{
	struct backing_handle handle;
	int fd, ret;

	ret = backing_handle_of(root_fd, &handle);
	fd = ret ? ret : backing_handle_open(root_fd, &handle, O_PATH);
	if (fd >= 0 && in_user_namespace()) {
		close(fd);
		fd = -EPERM;
	}
	if (fd >= 0) {
		close(fd);
		return root_fd;
	}
	close(root_fd);
	if (fd == -EPERM)
		say(error, error_size,
		    "only root outside of any user namespace may mount "
		    "(CAP_DAC_READ_SEARCH is needed there)");
	else
		say(error, error_size,
		    "cannot open files of the tmpfs by handle: %s",
		    strerror(-fd));
	return fd;
}

int backing_create(const char *options, uint64_t atime_attr, int *mount_fd,
		   char *error, size_t error_size)
{
	int fs_fd, ret;

	fs_fd = open_context(options, error, error_size);
	if (fs_fd < 0)
		return fs_fd;
	ret = commit(fs_fd, FSCONFIG_CMD_CREATE, options, error, error_size);
	if (ret)
		goto out_close_context;
	*mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, (unsigned) atime_attr);
	if (*mount_fd < 0) {
		ret = -errno;
		say(error, error_size, "cannot create a tmpfs: %s",
		    strerror(-ret));
		goto out_close_context;
	}
	ret = openat(*mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret < 0) {
		ret = -errno;
		say(error, error_size, "cannot open the tmpfs: %s",
		    strerror(-ret));
	} else {
		ret = check_handles(ret, error, error_size);
	}
	if (ret < 0)
		close(*mount_fd);
out_close_context:
	close(fs_fd);
	return ret;
}

int backing_reconfigure(int root_fd, const char *options, char *error,
			size_t error_size)
{
	int fs_fd, ret;

	fs_fd = fspick(root_fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	if (fs_fd < 0) {
		ret = -errno;
		say(error, error_size, "cannot change the tmpfs: %s",
		    strerror(-ret));
		return ret;
	}
	ret = set_options(fs_fd, options, error, error_size);
	if (!ret)
		ret = commit(fs_fd, FSCONFIG_CMD_RECONFIGURE, options, error,
			     error_size);
	close(fs_fd);
	return ret;
}

int backing_set_atime(int root_fd, uint64_t atime_attr)
{
	struct mount_attr attr = {
		.attr_set = atime_attr,
		.attr_clr = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME,
	};

	if (mount_setattr(root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return -errno;
	return 0;
}

int backing_atime(int root_fd, uint64_t *atime_attr)
{
	struct statvfs st;

	if (fstatvfs(root_fd, &st))
		return -errno;
	*atime_attr = st.f_flag & ST_NOATIME    ? MOUNT_ATTR_NOATIME
		      : st.f_flag & ST_RELATIME ? MOUNT_ATTR_RELATIME
						: MOUNT_ATTR_STRICTATIME;
	if (st.f_flag & ST_NODIRATIME)
		*atime_attr |= MOUNT_ATTR_NODIRATIME;
	return 0;
}

/* Few of the entries are asked for: there may be very many. */
bool backing_is_empty(int root_fd)
{
	_Alignas(struct dirent64) char entries[512];
	int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned nr = 0;
	ssize_t bytes;

	if (fd < 0)
		return false;
	/* "." and ".." are always there */
	do {
		bytes = getdents64(fd, entries, sizeof(entries));
		for (ssize_t at = 0; at < bytes; nr++) {
			struct dirent64 *entry = (void *) (entries + at);

			at += entry->d_reclen;
		}
	} while (nr <= 2 && bytes > 0);
	close(fd);
	return nr == 2 && !bytes;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk. It goes by file descriptors, one a level, and openat2(2), so that
 * nobody who renames directories meanwhile can lead it elsewhere.
 */
#include "ctl/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hugetmpfs/hugetmpfs.h>

/* Open directories at a time: as deep as a walk goes. */
#define WALK_MAX_FDS 8192

static int open_below(int dir_fd, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV |
			   RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int) fd;
}

/* Puts "/name" behind the first length bytes of the path. */
static int path_push(struct walk *walk, size_t length, const char *name)
{
	size_t needed = length + strlen(name) + 2;
	char *path = walk->path;

	if (needed > walk->path_bytes) {
		path = realloc(path, needed * 2);
		if (!path)
			return -ENOMEM;
		walk->path = path;
		walk->path_bytes = needed * 2;
	}
	if (length && path[length - 1] != '/')
		path[length++] = '/';
	memcpy(path + length, name, strlen(name) + 1);
	return 0;
}

static int visit_dir(struct walk *walk, int fd);

/* Takes path_fd and closes it. */
static int visit(struct walk *walk, int path_fd, bool named)
{
	struct stat st;
	int ret = 0, fd;

	if (fstat(path_fd, &st)) {
		walk->error(walk, walk->path, -errno);
	} else if (S_ISDIR(st.st_mode)) {
		fd = open_below(path_fd, ".", O_RDONLY | O_DIRECTORY);
		close(path_fd);
		if (fd >= 0)
			return visit_dir(walk, fd);
		walk->error(walk, walk->path, fd);
		return 0;
	} else if (S_ISREG(st.st_mode)) {
		/* without memory to remember it, it is taken once more */
		walk->named = named;
		if (named || st.st_nlink == 1 ||
		    u64set_add(&walk->linked, st.st_ino))
			ret = walk->file(walk, walk->path, path_fd, &st);
	} else if (named) {
		walk->error(walk, walk->path, -EMEDIUMTYPE);
	}
	close(path_fd);
	return ret;
}

/* One entry; its path is that of the directory, length bytes, and its name. */
static int visit_entry(struct walk *walk, int dir_fd, size_t length,
		       const struct dirent *entry)
{
	int fd, ret;

	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return 0;
	if (entry->d_type != DT_DIR && entry->d_type != DT_REG &&
	    entry->d_type != DT_UNKNOWN)
		return 0;
	ret = path_push(walk, length, entry->d_name);
	if (ret) {
		walk->error(walk, walk->path, ret);
		return 0;
	}
	fd = open_below(dir_fd, entry->d_name, O_PATH);
	if (fd >= 0)
		return visit(walk, fd, false);
	/* another mount, a link that came meanwhile, or it is gone */
	if (fd != -EXDEV && fd != -ELOOP && fd != -ENOENT)
		walk->error(walk, walk->path, fd);
	return 0;
}

/* Takes fd. */
static int visit_dir(struct walk *walk, int fd)
{
	size_t length = strlen(walk->path);
	struct dirent *entry;
	DIR *stream = fdopendir(fd);
	int ret = 0;

	if (!stream) {
		walk->error(walk, walk->path, -errno);
		close(fd);
		return 0;
	}
	while (!ret) {
		errno = 0;
		entry = readdir(stream);
		if (!entry)
			break;
		ret = visit_entry(walk, fd, length, entry);
		walk->path[length] = '\0';
	}
	if (!ret && errno)
		walk->error(walk, walk->path, -errno);
	closedir(stream);
	return ret;
}

/* As many file descriptors as the walk may need and the system allows. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= WALK_MAX_FDS)
		return;
	limit.rlim_cur = limit.rlim_max < WALK_MAX_FDS ? limit.rlim_max :
							 WALK_MAX_FDS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Whether a path of the command line may be walked: 0 or a negative errno. */
static int check_named(int path_fd)
{
	struct hugetmpfs_mount mount;
	struct stat st;
	int ret = hugetmpfs_mount_of_fd(path_fd, &mount);

	/* what is no directory shows by its ioctl whether it is ours */
	if (ret == -ENOTTY && !fstat(path_fd, &st) && !S_ISDIR(st.st_mode))
		return 0;
	return ret;
}

int walk_path(struct walk *walk, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int ret = fd < 0 ? -errno : check_named(fd);

	if (!ret)
		ret = path_push(walk, 0, path);
	if (ret) {
		walk->error(walk, path, ret);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	raise_limit();
	ret = visit(walk, fd, true);
	u64set_clear(&walk->linked);
	free(walk->path);
	walk->path = NULL;
	walk->path_bytes = 0;
	return ret;
}

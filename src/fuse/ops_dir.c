/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading directories. A handle keeps the backing directory open for as long
 * as the client does, because tmpfs ends a listing at what existed when the
 * directory was opened or rewound: without that, renaming while listing would
 * never end.
 *
 * The kernel may keep a listing, but compares it with the directory only where
 * a reader begins. While several processes change a directory and list it, one
 * would be switched in the middle from its own listing to another's older one,
 * and see names that it has removed itself. So a listing may be kept only of a
 * directory that has been left alone for a while.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuse/ops.h"

struct directory {
	pthread_mutex_t mutex; /* the fields below; one listing at a time */
	DIR *stream;
	off_t offset;	       /* where the stream is */
	struct dirent *pending; /* read, but had no room in the last reply */
};

/* How long a directory must have been left alone, in seconds. */
#define QUIET_SECONDS 2

static bool is_quiet(int fd)
{
	struct timespec now;
	struct stat st;

	return !fstat(fd, &st) && !clock_gettime(CLOCK_REALTIME, &now) &&
	       now.tv_sec - st.st_ctim.tv_sec > QUIET_SECONDS;
}

static struct directory *directory_of(const struct fuse_file_info *fi)
{
	return (struct directory *) (uintptr_t) fi->fh;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int fd = inode_open(server_of(req)->inodes, ino,
			    O_RDONLY | O_DIRECTORY);
	struct directory *directory;
	int error = ENOMEM;

	if (fd < 0) {
		fuse_reply_err(req, -fd);
		return;
	}
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		goto err_close;
	directory->stream = fdopendir(fd);
	if (!directory->stream) {
		error = errno;
		goto err_free;
	}
	pthread_mutex_init(&directory->mutex, NULL);
	fi->fh = (uintptr_t) directory;
	fi->cache_readdir = is_quiet(fd);
	fi->keep_cache = fi->cache_readdir;
	if (fuse_reply_open(req, fi) == -ENOENT) {
		closedir(directory->stream);
		free(directory);
	}
	return;

err_free:
	free(directory);
err_close:
	close(fd);
	fuse_reply_err(req, error);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct directory *directory = directory_of(fi);

	(void) ino;
	closedir(directory->stream);
	pthread_mutex_destroy(&directory->mutex);
	free(directory);
	fuse_reply_err(req, 0);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/*
 * Adds one entry with its attributes, counting a lookup for it. Returns the
 * room it takes; more than size when it was not added.
 */
static size_t add_plus(fuse_req_t req, struct directory *directory, char *at,
		       size_t size, const struct dirent *dirent)
{
	struct server *server = server_of(req);
	struct fuse_entry_param entry = {
		.attr.st_ino = dirent->d_ino,
		.attr.st_mode = DTTOIF(dirent->d_type),
	};
	size_t need = fuse_add_direntry_plus(req, NULL, 0, dirent->d_name,
					     NULL, 0);
	int fd;

	if (need > size)
		return need;
	if (!is_dot(dirent->d_name)) {
		fd = entry_open(dirfd(directory->stream), dirent->d_name);
		/* without an entry the kernel looks the name up when needed */
		if (fd >= 0 && !entry_fill(server, fd, &entry))
			entry.attr_timeout = attr_timeout(server, entry.ino,
							  &entry.attr);
		if (fd >= 0)
			close(fd);
	}
	return fuse_add_direntry_plus(req, at, size, dirent->d_name, &entry,
				      dirent->d_off);
}

static size_t add_plain(fuse_req_t req, char *at, size_t size,
			const struct dirent *dirent)
{
	struct stat st = {
		.st_ino = dirent->d_ino,
		.st_mode = DTTOIF(dirent->d_type),
	};

	return fuse_add_direntry(req, at, size, dirent->d_name, &st,
				 dirent->d_off);
}

/* The next entry, NULL at the end (*error 0) or on an error. */
static struct dirent *next_entry(struct directory *directory, int *error)
{
	struct dirent *dirent = directory->pending;

	directory->pending = NULL;
	if (dirent)
		return dirent;
	errno = 0;
	dirent = readdir(directory->stream);
	*error = dirent ? 0 : errno;
	return dirent;
}

static size_t fill_entries(fuse_req_t req, struct directory *directory,
			   char *buffer, size_t size, bool plus, int *error)
{
	struct dirent *dirent;
	size_t used = 0, need;

	while ((dirent = next_entry(directory, error))) {
		if (plus)
			need = add_plus(req, directory, buffer + used,
					size - used, dirent);
		else
			need = add_plain(req, buffer + used, size - used,
					 dirent);
		if (need > size - used) {
			directory->pending = dirent;
			break;
		}
		used += need;
		directory->offset = dirent->d_off;
	}
	return used;
}

static void list(fuse_req_t req, size_t size, off_t offset,
		 struct fuse_file_info *fi, bool plus)
{
	struct directory *directory = directory_of(fi);
	char *buffer = malloc(size);
	int error = 0;
	size_t used;

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&directory->mutex);
	if (offset != directory->offset || !offset) {
		directory->pending = NULL;
		directory->offset = offset;
		if (offset)
			seekdir(directory->stream, offset);
		else
			rewinddir(directory->stream);
	}
	used = fill_entries(req, directory, buffer, size, plus, &error);
	pthread_mutex_unlock(&directory->mutex);
	if (error && !used)
		fuse_reply_err(req, error);
	else
		fuse_reply_buf(req, buffer, used);
	free(buffer);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void) ino;
	list(req, size, offset, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void) ino;
	list(req, size, offset, fi, true);
}

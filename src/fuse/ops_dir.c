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
 *
 * A handle is a number that the next daemon does not have either: it knows none
 * of those that were given before it, and opens the directory anew when one
 * comes. The offsets are tmpfs's own, so the listing goes on where it was. The
 * same makes it no harm to close a directory that others have open: any user can
 * open more of them than this process may have descriptors, so of those that
 * nobody reads just now only the latest are kept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "fuse/ops.h"

struct directory {
	uint64_t handle;
	LIST_ENTRY(directory) entry;  /* directories_mutex */
	TAILQ_ENTRY(directory) older; /* that mutex; among the idle ones */
	unsigned nr_users;	      /* that mutex; 0: it is idle */
	pthread_mutex_t mutex; /* the fields below; one listing at a time */
	DIR *stream;	       /* NULL for one that was removed */
	off_t offset;	       /* where the stream is */
	struct dirent *pending; /* read, but had no room in the last reply */
};

/* What a reply of the journal has room for, its header apart. */
#define MAX_LIST_BYTES (256 * 1024)

/* How long a directory must have been left alone, in seconds. */
#define QUIET_SECONDS 2

static bool is_quiet(int fd)
{
	struct timespec now;
	struct stat st;

	return !fstat(fd, &st) && !clock_gettime(CLOCK_REALTIME, &now) &&
	       now.tv_sec - st.st_ctim.tv_sec > QUIET_SECONDS;
}

/* Opens a directory. Returns it or NULL with *error. */
static struct directory *directory_open(struct server *server, fuse_ino_t ino,
					int *error)
{
	int fd = inode_open(server->inodes, ino, O_RDONLY | O_DIRECTORY);
	struct directory *directory;
	struct stat st;

	if (fd < 0 && (fd != -ESTALE || !attr_of_removed(server, ino, &st))) {
		*error = -fd;
		return NULL;
	}
	*error = ENOMEM;
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		goto err_close;
	if (fd >= 0) {
		directory->stream = fdopendir(fd);
		if (!directory->stream) {
			*error = errno;
			goto err_free;
		}
	}
	pthread_mutex_init(&directory->mutex, NULL);
	return directory;

err_free:
	free(directory);
err_close:
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void directory_close(struct directory *directory)
{
	if (directory->stream)
		closedir(directory->stream);
	pthread_mutex_destroy(&directory->mutex);
	free(directory);
}

/* Under directories_mutex. */
static void directory_add(struct server *server, struct directory *directory)
{
	LIST_INSERT_HEAD(
		&server->directories[directory->handle % SERVER_NR_BUCKETS],
		directory, entry);
	server->nr_directories++;
}

/* Under directories_mutex. */
static struct directory *directory_find(struct server *server, uint64_t handle)
{
	struct directory *directory;

	LIST_FOREACH(directory,
		     &server->directories[handle % SERVER_NR_BUCKETS], entry)
		if (directory->handle == handle)
			return directory;
	return NULL;
}

/* Takes an idle directory out of the lists. Under directories_mutex. */
static void directory_remove(struct server *server, struct directory *directory)
{
	TAILQ_REMOVE(&server->idle_directories, directory, older);
	LIST_REMOVE(directory, entry);
	server->nr_directories--;
}

/*
 * Nobody uses it just now. Returns the one that is to be closed for that, or
 * NULL. Under directories_mutex.
 */
static struct directory *directory_idle(struct server *server,
					struct directory *directory)
{
	struct directory *oldest;

	TAILQ_INSERT_TAIL(&server->idle_directories, directory, older);
	if (server->nr_directories <= server->max_directories)
		return NULL;
	oldest = TAILQ_FIRST(&server->idle_directories);
	directory_remove(server, oldest);
	return oldest;
}

/*
 * The directory of a handle, opened anew when it was another daemon's or was
 * closed; directory_put() when it was used.
 */
static struct directory *directory_get(struct server *server, fuse_ino_t ino,
				       uint64_t handle, int *error)
{
	struct directory *directory;

	pthread_mutex_lock(&server->directories_mutex);
	directory = directory_find(server, handle);
	if (directory && !directory->nr_users) {
		TAILQ_REMOVE(&server->idle_directories, directory, older);
	} else if (!directory) {
		directory = directory_open(server, ino, error);
		if (directory) {
			directory->handle = handle;
			directory_add(server, directory);
		}
	}
	if (directory)
		directory->nr_users++;
	pthread_mutex_unlock(&server->directories_mutex);
	return directory;
}

static void directory_put(struct server *server, struct directory *directory)
{
	struct directory *oldest = NULL;

	pthread_mutex_lock(&server->directories_mutex);
	if (!--directory->nr_users)
		oldest = directory_idle(server, directory);
	pthread_mutex_unlock(&server->directories_mutex);
	if (oldest)
		directory_close(oldest);
}

/* Nobody has the handle any more, nor is it in use. */
static void directory_forget(struct server *server, uint64_t handle)
{
	struct directory *directory;

	pthread_mutex_lock(&server->directories_mutex);
	directory = directory_find(server, handle);
	if (directory && !directory->nr_users)
		directory_remove(server, directory);
	else
		directory = NULL;
	pthread_mutex_unlock(&server->directories_mutex);
	if (directory)
		directory_close(directory);
}

void directories_open(struct server *server)
{
	TAILQ_INIT(&server->idle_directories);
	server->max_directories = descriptors_share();
	pthread_mutex_init(&server->directories_mutex, NULL);
}

void directories_close(struct server *server)
{
	struct directory *directory;

	while ((directory = TAILQ_FIRST(&server->idle_directories))) {
		directory_remove(server, directory);
		directory_close(directory);
	}
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct directory *directory;
	int error;

	directory = directory_open(server, ino, &error);
	if (!directory) {
		reply_err(req, error);
		return;
	}
	directory->handle = table_next_handle(server->config.table);
	fi->fh = directory->handle;
	fi->cache_readdir = directory->stream &&
			    is_quiet(dirfd(directory->stream));
	fi->keep_cache = fi->cache_readdir;
	directory->nr_users = 1;
	pthread_mutex_lock(&server->directories_mutex);
	directory_add(server, directory);
	pthread_mutex_unlock(&server->directories_mutex);
	directory_put(server, directory);
	if (reply_open(req, fi) == -ENOENT)
		directory_forget(server, fi->fh);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void) ino;
	loop_reached();
	directory_forget(server_of(req), fi->fh);
	reply_err(req, 0);
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
	struct fuse_entry_param entry = { 0 };
	size_t need = fuse_add_direntry_plus(req, NULL, 0, dirent->d_name,
					     NULL, 0);
	int fd;

	if (need > size)
		return need;
	if (!is_dot(dirent->d_name) && journal_has_room()) {
		fd = entry_open(dirfd(directory->stream), dirent->d_name);
		if (fd >= 0 && !entry_fill(server, fd, &entry))
			entry.attr_timeout = attr_timeout(server, entry.ino,
							  &entry.attr);
		if (fd >= 0)
			close(fd);
	}
	/* without an entry the kernel looks the name up when needed */
	if (!entry.ino) {
		entry.attr.st_ino = dirent->d_ino;
		entry.attr.st_mode = DTTOIF(dirent->d_type);
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
	if (dirent || !directory->stream)
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

/* Goes to where a reader wants to go on. */
static void seek(struct directory *directory, off_t offset)
{
	if (!directory->stream || (offset && offset == directory->offset))
		return;
	directory->pending = NULL;
	directory->offset = offset;
	if (offset)
		seekdir(directory->stream, offset);
	else
		rewinddir(directory->stream);
}

/* Lookups that the kernel was not told of. */
static void take_back_lookups(struct server *server)
{
	struct fuse_entry_param entry = { 0 };

	while ((entry.ino = journal_last_count()))
		entry_forget(server, &entry);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		 struct fuse_file_info *fi, bool plus)
{
	struct server *server = server_of(req);
	int error = 0;
	struct directory *directory = directory_get(server, ino, fi->fh, &error);
	char *buffer;
	size_t used;

	if (!directory) {
		reply_err(req, error);
		return;
	}
	if (size > MAX_LIST_BYTES)
		size = MAX_LIST_BYTES;
	buffer = malloc(size);
	if (!buffer) {
		directory_put(server, directory);
		reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&directory->mutex);
	seek(directory, offset);
	used = fill_entries(req, directory, buffer, size, plus, &error);
	pthread_mutex_unlock(&directory->mutex);
	/* before the reply, after which it may be released */
	directory_put(server, directory);
	if (error && !used)
		reply_err(req, error);
	else if (reply_buf(req, buffer, used) == -ENOENT)
		take_back_lookups(server);
	free(buffer);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	list(req, ino, size, offset, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	list(req, ino, size, offset, fi, true);
}

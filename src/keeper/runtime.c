/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders below /run/hugetmpfs. A folder belongs to a living keeper as long as
 * somebody listens on its socket. Between making the folder and listening that
 * is not yet so, therefore both happen under a lock on the parent folder, and
 * so does whatever else one keeper changes in the folder of another.
 */
#include "keeper/runtime.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "base/log.h"

#define MOUNT_NAME_NEW PROTOCOL_MOUNT_NAME ".new"

char *runtime_escape(const char *text)
{
	char *escaped = malloc(2 * strlen(text) + 1);
	char *out = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++) {
		if (*text == '\n' || *text == '\\')
			*out++ = '\\';
		*out++ = *text == '\n' ? 'n' : *text;
	}
	*out = '\0';
	return escaped;
}

char *runtime_unescape(const char *text)
{
	char *copy = malloc(strlen(text) + 1);
	char *out = copy;

	if (!copy)
		return NULL;
	for (; *text; text++) {
		if (*text == '\\' && text[1]) {
			text++;
			*out++ = *text == 'n' ? '\n' : *text;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
	return copy;
}

static void socket_address(struct sockaddr_un *address, const char *folder)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path),
		 "%s/" PROTOCOL_SOCKET_NAME, folder);
}

static void folder_path(char *path, size_t size, pid_t pid)
{
	snprintf(path, size, PROTOCOL_RUNTIME_DIR "/%d", (int) pid);
}

int runtime_connect(pid_t keeper_pid)
{
	struct sockaddr_un address;
	char folder[64];
	int fd, ret;

	folder_path(folder, sizeof(folder), keeper_pid);
	socket_address(&address, folder);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *) &address, sizeof(address))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/*
 * Whether somebody listens. Only who refuses, or has no socket, is dead: a full
 * queue is a sign of life, and what is short here says nothing of others.
 */
static bool is_alive(pid_t keeper_pid)
{
	int fd = runtime_connect(keeper_pid);

	if (fd >= 0)
		close(fd);
	return fd != -ECONNREFUSED && fd != -ENOENT;
}

/* The pid that a folder is named by, 0 for other names. */
static pid_t pid_of(const char *name)
{
	char *end;
	long pid;

	if (!isdigit((unsigned char) *name))
		return 0;
	errno = 0;
	pid = strtol(name, &end, 10);
	return *end || errno || pid > INT_MAX ? 0 : (pid_t) pid;
}

static void remove_folder(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	unlinkat(fd, PROTOCOL_SOCKET_NAME, 0);
	unlinkat(fd, PROTOCOL_MOUNT_NAME, 0);
	unlinkat(fd, MOUNT_NAME_NEW, 0);
	close(fd);
	rmdir(path);
}

static void remove_stale(void)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;
	pid_t pid;

	dir = opendir(PROTOCOL_RUNTIME_DIR);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		pid = pid_of(entry->d_name);
		if (!pid || is_alive(pid))
			continue;
		folder_path(path, sizeof(path), pid);
		remove_folder(path);
	}
	closedir(dir);
}

/* Makes and locks the folder of all mounts; returns the fd of the lock. */
static int lock_all(void)
{
	int fd, ret;

	if (mkdir(PROTOCOL_RUNTIME_DIR, 0700) && errno != EEXIST)
		return -errno;
	fd = open(PROTOCOL_RUNTIME_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static int listen_in(const char *folder)
{
	struct sockaddr_un address;
	int fd, ret;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	socket_address(&address, folder);
	if (bind(fd, (struct sockaddr *) &address, sizeof(address)) ||
	    chmod(address.sun_path, 0600) || listen(fd, 16)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int runtime_create(struct runtime *runtime)
{
	int lock_fd, ret;

	lock_fd = lock_all();
	if (lock_fd < 0) {
		log_error("cannot use " PROTOCOL_RUNTIME_DIR ": %s",
			  strerror(-lock_fd));
		return lock_fd;
	}
	remove_stale();
	folder_path(runtime->path, sizeof(runtime->path), getpid());
	if (mkdir(runtime->path, 0700)) {
		ret = -errno;
		log_error("cannot make %s: %s", runtime->path, strerror(-ret));
		goto err_unlock;
	}
	runtime->listen_fd = ret = listen_in(runtime->path);
	if (ret < 0) {
		log_error("cannot make a socket in %s: %s", runtime->path,
			  strerror(-ret));
		goto err_remove_folder;
	}
	close(lock_fd);
	return 0;

err_remove_folder:
	remove_folder(runtime->path);
err_unlock:
	runtime->path[0] = '\0';
	close(lock_fd);
	return ret;
}

/* Puts text into the file in one step. */
static int replace_file(const char *folder, const char *text)
{
	int dir_fd, fd, ret = 0;

	dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, MOUNT_NAME_NEW,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = -errno;
		goto out_close_dir;
	}
	if (write(fd, text, strlen(text)) != (ssize_t) strlen(text))
		ret = -ENOSPC;
	close(fd);
	if (!ret && renameat(dir_fd, MOUNT_NAME_NEW, dir_fd,
			     PROTOCOL_MOUNT_NAME))
		ret = -errno;
out_close_dir:
	close(dir_fd);
	return ret;
}

/* What the file of a folder says. */
struct folder {
	char *dev;		/* the whole line, so as the next one */
	char *mountpoint;
	bool is_dead;
};

static void free_folder(struct folder *folder)
{
	free(folder->dev);
	free(folder->mountpoint);
}

/* Reads the file of the folder of a pid. False when there is none. */
static bool read_folder(pid_t pid, struct folder *folder)
{
	char path[80], *line = NULL;
	size_t size = 0;
	FILE *stream;

	*folder = (struct folder){ 0 };
	snprintf(path, sizeof(path),
		 PROTOCOL_RUNTIME_DIR "/%d/" PROTOCOL_MOUNT_NAME, (int) pid);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	while (getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "dev ", 4) && !folder->dev)
			folder->dev = strdup(line);
		else if (!strncmp(line, "mountpoint ", 11) &&
			 !folder->mountpoint)
			folder->mountpoint = strdup(line);
		else if (!strcmp(line, "state dead"))
			folder->is_dead = true;
	}
	free(line);
	fclose(stream);
	if (folder->dev && folder->mountpoint)
		return true;
	free_folder(folder);
	return false;
}

static int write_folder(const char *path, const struct folder *folder)
{
	char *text;
	int ret;

	if (asprintf(&text, "%s\n%s\nstate %s\n", folder->dev,
		     folder->mountpoint,
		     folder->is_dead ? "dead" : "serving") < 0)
		return -ENOMEM;
	ret = replace_file(path, text);
	free(text);
	return ret;
}

/* The lines of a mount; mountpoint may be NULL. */
static int make_lines(const char *mountpoint, dev_t dev, struct folder *keys)
{
	char *escaped;

	*keys = (struct folder){ 0 };
	if (asprintf(&keys->dev, "dev %u:%u", major(dev), minor(dev)) < 0) {
		keys->dev = NULL;
		return -ENOMEM;
	}
	if (!mountpoint)
		return 0;
	escaped = runtime_escape(mountpoint);
	if (!escaped || asprintf(&keys->mountpoint, "mountpoint %s", escaped) < 0)
		keys->mountpoint = NULL;
	free(escaped);
	return keys->mountpoint ? 0 : -ENOMEM;
}

/* The next mount whose folder can be read: its keeper's pid, 0 at the end. */
static pid_t next_folder(DIR *dir, struct folder *folder)
{
	struct dirent *entry;
	pid_t pid;

	while ((entry = readdir(dir))) {
		pid = pid_of(entry->d_name);
		if (pid && read_folder(pid, folder))
			return pid;
	}
	return 0;
}

/*
 * The device number of a mount that has ended is used again at once, and its
 * keeper may not have come to notice: whoever claims ours is one of those. Does
 * it still keep the files of a dead daemon, then it is found by its path.
 */
static void take_dev(const char *dev)
{
	struct folder folder;
	char path[64];
	DIR *dir;
	pid_t pid;

	dir = opendir(PROTOCOL_RUNTIME_DIR);
	if (!dir)
		return;
	while ((pid = next_folder(dir, &folder))) {
		if (pid != getpid() && !strcmp(folder.dev, dev)) {
			folder_path(path, sizeof(path), pid);
			/* which is no mount's, and no longer than any */
			strcpy(folder.dev, "dev 0:0");
			write_folder(path, &folder);
		}
		free_folder(&folder);
	}
	closedir(dir);
}

int runtime_publish(const struct runtime *runtime, dev_t dev,
		    const char *mountpoint, bool is_dead)
{
	struct folder lines;
	int lock_fd = -1, ret;

	ret = make_lines(mountpoint, dev, &lines);
	if (!ret)
		lock_fd = ret = lock_all();
	if (ret >= 0) {
		lines.is_dead = is_dead;
		if (dev)
			take_dev(lines.dev);
		ret = write_folder(runtime->path, &lines);
		close(lock_fd);
	}
	if (ret)
		log_error("cannot write %s/" PROTOCOL_MOUNT_NAME ": %s",
			  runtime->path, strerror(-ret));
	free_folder(&lines);
	return ret;
}

void runtime_remove_stale(void)
{
	int lock_fd = lock_all();

	if (lock_fd < 0)
		return;
	remove_stale();
	close(lock_fd);
}

void runtime_remove(struct runtime *runtime)
{
	int lock_fd;

	if (!runtime->path[0])
		return;
	lock_fd = lock_all();
	close(runtime->listen_fd);
	remove_folder(runtime->path);
	runtime->path[0] = '\0';
	if (lock_fd >= 0)
		close(lock_fd);
}

int runtime_find(const char *mountpoint, dev_t dev, struct runtime_peer *peer)
{
	struct folder keys, folder;
	int ret;
	DIR *dir;
	pid_t pid;

	ret = make_lines(mountpoint, dev, &keys);
	if (ret)
		goto out_free_keys;
	ret = -ENOENT;
	dir = opendir(PROTOCOL_RUNTIME_DIR);
	if (!dir) {
		ret = -errno;
		goto out_free_keys;
	}
	while (ret && (pid = next_folder(dir, &folder))) {
		/* 0:0 is a mount that is gone, anyone's */
		if (((dev && !strcmp(folder.dev, keys.dev)) ||
		     (mountpoint &&
		      !strcmp(folder.mountpoint, keys.mountpoint))) &&
		    is_alive(pid)) {
			*peer = (struct runtime_peer){ pid, folder.is_dead };
			ret = 0;
		}
		free_folder(&folder);
	}
	closedir(dir);
out_free_keys:
	free_folder(&keys);
	return ret;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory cgroups. A page is charged to the cgroup of the owner of the address
 * space that the allocating thread runs in, so a thread moved to another
 * cgroup would change nothing: it takes a process of its own. clone3(2) without
 * CLONE_VM makes one; it runs no code of the C library that may want a lock
 * which another thread held at that moment.
 */
#include "mm/charge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/oom.h"

/* File handles of cgroups are their inode number (kernfs). */
#define CHARGE_HANDLE_TYPE 0xfe

struct charge {
	int version;
	int root; /* fd of where the hierarchy is mounted */
	char *prefix; /* path in the hierarchy of what is mounted there */
};

/* What differs between the versions. */
static const struct charge_files {
	const char *limits[2];
	const char *usage;
	const char *cache[2]; /* lines of memory.stat */
} charge_files[] = {
	[1] = { { "memory.limit_in_bytes" }, "memory.usage_in_bytes",
		{ "total_active_file %" SCNu64,
		  "total_inactive_file %" SCNu64 } },
	[2] = { { "memory.max", "memory.high" }, "memory.current",
		{ "active_file %" SCNu64, "inactive_file %" SCNu64 } },
};

/* Version 1 counts in pages; its "no limit" is the largest number of them. */
#define CHARGE_NO_LIMIT (UINT64_MAX >> 1 & ~UINT64_C(4095))

/* In a list with commas, which may end with a line. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (; *list && *list != '\n';
	     list += strcspn(list, ",\n"), list += *list == ',') {
		if (strcspn(list, ",\n") == length &&
		    !strncmp(list, word, length))
			return true;
	}
	return false;
}

/* Whether the memory controller is with version 2, and not with version 1. */
static bool has_memory_controller(const char *mountpoint)
{
	char path[PATH_MAX + 32], list[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mountpoint);
	file = fopen(path, "re");
	if (file && fgets(list, sizeof(list), file))
		for (char *c = list; *c; c++)
			*c = *c == ' ' ? ',' : *c;
	if (file)
		fclose(file);
	return has_word(list, "memory");
}

/* Takes the mount of a line of mountinfo if memory cgroups are there: 1. */
static int take_mount(struct charge *charge, const char *line)
{
	char root[PATH_MAX], mountpoint[PATH_MAX], type[32], options[512];
	const char *tail = strstr(line, " - ");

	if (!tail ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mountpoint) != 2 ||
	    sscanf(tail, " - %31s %*s %511s", type, options) != 2)
		return 0;
	if (!strcmp(type, "cgroup") && has_word(options, "memory"))
		charge->version = 1;
	else if (!strcmp(type, "cgroup2") && has_memory_controller(mountpoint))
		charge->version = 2;
	else
		return 0;
	charge->root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (charge->root < 0)
		return -errno;
	charge->prefix = strdup(strcmp(root, "/") ? root : "");
	return charge->prefix ? 1 : -ENOMEM;
}

int charge_open(struct charge **out)
{
	struct charge *charge = calloc(1, sizeof(*charge));
	size_t size = 0;
	char *line = NULL;
	FILE *mounts;
	int ret = 0;

	if (!charge)
		return -ENOMEM;
	charge->root = -1;
	mounts = fopen("/proc/self/mountinfo", "re");
	if (!mounts) {
		ret = -errno;
		goto err_close;
	}
	while (!ret && getline(&line, &size, mounts) > 0)
		ret = take_mount(charge, line);
	free(line);
	fclose(mounts);
	if (ret != 1) {
		ret = ret ? ret : -ENOENT;
		goto err_close;
	}
	*out = charge;
	return 0;

err_close:
	charge_close(charge);
	return ret;
}

void charge_close(struct charge *charge)
{
	if (charge->root >= 0)
		close(charge->root);
	free(charge->prefix);
	free(charge);
}

int charge_version(const struct charge *charge)
{
	return charge->version;
}

/* The path of a process's group below where the hierarchy is mounted. */
static int path_of(struct charge *charge, const char *file_name, char *path,
		   size_t size)
{
	FILE *file = fopen(file_name, "re");
	size_t prefix = strlen(charge->prefix);
	char line[PATH_MAX + 256];
	int ret = -ENOENT;

	if (!file)
		return -errno;
	while (ret == -ENOENT && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *start = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!start)
			continue;
		*start++ = '\0';
		start[strcspn(start, "\n")] = '\0';
		if (charge->version == 1 ? !has_word(controllers + 1, "memory")
					 : strcmp(line, "0:"))
			continue;
		/* a group that is not below what we see cannot be reached */
		if (strncmp(start, charge->prefix, prefix) ||
		    !strncmp(start, "/..", 3) ||
		    (size_t) snprintf(path, size, ".%s", start + prefix) >= size)
			break;
		ret = 0;
	}
	fclose(file);
	return ret;
}

static int open_group(struct charge *charge, const char *file_name)
{
	char path[PATH_MAX];
	int ret = path_of(charge, file_name, path, sizeof(path));
	int fd;

	if (ret)
		return ret;
	fd = openat(charge->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int charge_group_of(struct charge *charge, pid_t pid)
{
	char file_name[32];

	snprintf(file_name, sizeof(file_name), "/proc/%d/cgroup", (int) pid);
	return open_group(charge, file_name);
}

int charge_group_by_ino(struct charge *charge, uint64_t ino)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(ino)];
	} buffer = {
		.handle.handle_bytes = sizeof(ino),
		.handle.handle_type = CHARGE_HANDLE_TYPE,
	};
	int fd;

	memcpy(buffer.handle.f_handle, &ino, sizeof(ino));
	fd = open_by_handle_at(charge->root, &buffer.handle,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int charge_ino_of(struct charge *charge, pid_t pid, uint64_t *ino)
{
	int group = charge_group_of(charge, pid);
	struct stat st;
	int ret = 0;

	if (group < 0)
		return group;
	if (fstat(group, &st))
		ret = -errno;
	else
		*ino = st.st_ino;
	close(group);
	return ret;
}

bool charge_group_is_own(struct charge *charge, int group)
{
	int own = open_group(charge, "/proc/self/cgroup");
	struct stat a, b;
	bool same;

	if (own < 0)
		return false;
	same = !fstat(own, &a) && !fstat(group, &b) && a.st_ino == b.st_ino;
	close(own);
	return same;
}

/* A number in a file of the group. -ENOENT at the root and for "max". */
static int read_number(int group, const char *name, const char *format,
		       uint64_t *value)
{
	int fd = openat(group, name, O_RDONLY | O_CLOEXEC);
	char line[256];
	int ret = -EIO;
	FILE *file;

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "r");
	if (!file) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while (ret == -EIO && fgets(line, sizeof(line), file))
		if (sscanf(line, format, value) == 1)
			ret = 0;
		else if (!strcmp(line, "max\n"))
			ret = -ENOENT; /* as if there were no such file */
	if (!ferror(file) && ret == -EIO)
		ret = -EINVAL;
	fclose(file);
	return ret;
}

/* Room below the limits of one group alone. */
static int room_of(struct charge *charge, int group, uint64_t *bytes)
{
	const struct charge_files *files = &charge_files[charge->version];
	uint64_t limit = UINT64_MAX, other, usage, cache;
	int ret;

	*bytes = UINT64_MAX;
	for (int i = 0; i < 2 && files->limits[i]; i++)
		if (!read_number(group, files->limits[i], "%" SCNu64, &other))
			limit = other < limit ? other : limit;
	if (limit >= CHARGE_NO_LIMIT)
		return 0;
	ret = read_number(group, files->usage, "%" SCNu64, &usage);
	if (ret)
		return ret;
	for (int i = 0; i < 2; i++)
		if (!read_number(group, "memory.stat", files->cache[i], &cache))
			usage -= cache < usage ? cache : usage;
	*bytes = limit > usage ? limit - usage : 0;
	return 0;
}

int charge_room(struct charge *charge, int group, uint64_t *bytes)
{
	int fd = fcntl(group, F_DUPFD_CLOEXEC, 3);
	struct stat root, st;
	uint64_t room;
	int ret = fd < 0 ? -errno : 0;

	*bytes = UINT64_MAX;
	if (!ret && fstat(charge->root, &root))
		ret = -errno;
	while (!ret && !fstat(fd, &st)) {
		int above;

		ret = room_of(charge, fd, &room);
		if (!ret && room < *bytes)
			*bytes = room;
		if (ret || st.st_ino == root.st_ino)
			break;
		above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = above < 0 ? -errno : 0;
		close(fd);
		fd = above;
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

struct child {
	int procs; /* cgroup.procs of the group, -1 when already inside */
	int keep_fd;
	int (*function)(void *arg);
	void *arg;
};

/* Only system calls from here on: this is a copy of a process with threads. */
static _Noreturn void child_run(const struct child *child)
{
	int ret;

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* or where memory ends somebody who asked for nothing would be killed */
	oom_offer();
	if (child->procs >= 0 && write(child->procs, "0", 1) != 1)
		_exit(errno == EIO ? EINVAL : errno);
	/* above all the FUSE device must not outlive the daemon in here */
	if (child->keep_fd > 0)
		syscall(SYS_close_range, 0, child->keep_fd - 1, 0);
	syscall(SYS_close_range, child->keep_fd + 1, ~0u, 0);
	ret = child->function(child->arg);
	_exit(-ret);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ENOMEM;
}

int charge_run(struct charge *charge, int group, int keep_fd,
	       int (*function)(void *arg), void *arg)
{
	struct clone_args args = { 0 };
	struct child child = { -1, keep_fd, function, arg };
	long pid;
	int ret;

	if (group < 0) {
		/* it stays where this process is */
	} else if (charge->version == 2) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t) group;
	} else {
		child.procs = openat(group, "cgroup.procs",
				     O_WRONLY | O_CLOEXEC);
		if (child.procs < 0)
			return -errno;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		child_run(&child);
	ret = pid < 0 ? -errno : wait_for((pid_t) pid);
	if (child.procs >= 0)
		close(child.procs);
	return ret;
}

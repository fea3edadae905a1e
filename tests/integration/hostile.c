/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a hostile user tries. Run as that user:
 *
 *	hostile matrix DIRECTORY   each operation on each object that root has
 *	                           prepared; prints what came of it, to be
 *	                           compared with a tmpfs
 *	hostile race DIRECTORY     swaps a directory with a link to a secret one
 *	                           while its file is opened; fails when the
 *	                           secret is read
 *	hostile input FILE         ioctls and attributes with nonsense in them
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

/* ---- matrix ---- */

static const char *const objects[] = {
	"root-600", "root-644", "root-666", "group-640", "group-660",
	"other-600", "other-664", "own-000", "own-400", "own-600", "own-suid",
	"root-suid", "acl-grants", "acl-denies", "fifo", "link-secret",
	"link-own", "secret", "secret/inner", "open", "open/inner",
	"own-dir", "own-dir/inner", "sticky", "sticky/other", "sticky/own",
	"setgid", "readonly-dir/own", "missing", "root-644/below",
};

static int do_open(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int do_flags(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK), ret, value = FS_IMMUTABLE_FL;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, FS_IOC_SETFLAGS, &value);
	close(fd);
	return ret;
}

/* A handle tells nothing, and root alone opens by it. */
static int do_handle(const char *path)
{
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *handle = (void *) room;
	int mount_id, fd, dir;

	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, path, handle, &mount_id, 0))
		return -1;
	dir = open(".", O_RDONLY | O_DIRECTORY);
	fd = open_by_handle_at(dir, handle, O_RDONLY);
	close(dir);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int do_below(const char *path, int (*make)(const char *name))
{
	char name[256];

	snprintf(name, sizeof(name), "%s/new", path);
	return make(name);
}

static int make_file(const char *name)
{
	return do_open(name, O_CREAT | O_EXCL | O_WRONLY);
}

static int make_directory(const char *name)
{
	return mkdir(name, 0777);
}

static int make_device(const char *name)
{
	return mknod(name, S_IFCHR | 0666, makedev(1, 5));
}

/* Moves it to a name in the top directory, and back. */
static int do_rename(const char *path)
{
	int ret = rename(path, "moved");

	if (!ret && rename("moved", path))
		printf("%s cannot be moved back\n", path);
	return ret;
}

static int do_link(const char *path)
{
	int ret = link(path, "linked");

	if (!ret)
		unlink("linked");
	return ret;
}

static int do_times(const char *path)
{
	const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };

	return utimensat(AT_FDCWD, path, times, 0);
}

static const unsigned char v2_capability[20] = { 1, 0, 0, 2, 255 };

/* In this order; what removes comes last. */
#define OPERATIONS(X)                                                          \
	X(stat, stat(p, &st))                                                  \
	X(lstat, lstat(p, &st))                                                \
	X(read, do_open(p, O_RDONLY))                                          \
	X(write, do_open(p, O_WRONLY))                                         \
	X(append, do_open(p, O_RDWR | O_APPEND))                               \
	X(path, do_open(p, O_PATH))                                            \
	X(noatime, do_open(p, O_RDONLY | O_NOATIME))                           \
	X(nofollow, do_open(p, O_RDONLY | O_NOFOLLOW))                         \
	X(list, do_open(p, O_RDONLY | O_DIRECTORY))                            \
	X(temporary, do_open(p, O_TMPFILE | O_RDWR))                           \
	X(may_read, access(p, R_OK))                                           \
	X(may_write, access(p, W_OK))                                          \
	X(may_execute, access(p, X_OK))                                        \
	X(enter, chdir_and_back(p))                                            \
	X(readlink, readlink(p, text, sizeof(text)) < 0 ? -1 : 0)              \
	X(handle, do_handle(p))                                                \
	X(get_user, getxattr(p, "user.mine", text, 8) < 0 ? -1 : 0)            \
	X(get_trusted, getxattr(p, "trusted.t", text, 8) < 0 ? -1 : 0)         \
	X(set_user, setxattr(p, "user.other", "1", 1, 0))                      \
	X(set_trusted, setxattr(p, "trusted.t", "1", 1, 0))                    \
	X(set_capability, setxattr(p, "security.capability", v2_capability,    \
				   sizeof(v2_capability), 0))                  \
	X(set_acl, setxattr(p, "system.posix_acl_access", "\2\0\0\0", 4, 0))   \
	X(remove_user, removexattr(p, "user.mine"))                            \
	X(flags, do_flags(p))                                                  \
	X(times, do_times(p))                                                  \
	X(touch, utimensat(AT_FDCWD, p, NULL, 0))                              \
	X(chown, chown(p, getuid(), (gid_t) -1))                               \
	X(chown_root, lchown(p, 0, 0))                                         \
	X(chgrp, chown(p, (uid_t) -1, 4242))                                   \
	X(chgrp_root, chown(p, (uid_t) -1, 0))                                 \
	X(make_file, do_below(p, make_file))                                   \
	X(make_directory, do_below(p, make_directory))                         \
	X(make_device, do_below(p, make_device))                               \
	X(link, do_link(p))                                                    \
	X(rename, do_rename(p))                                                \
	X(truncate, truncate(p, 1))                                            \
	X(open_truncate, do_open(p, O_WRONLY | O_TRUNC))                       \
	X(chmod_suid, chmod(p, 06777))                                         \
	X(mode_then, (lstat(p, &st), print_mode(p, &st)))                      \
	X(chmod, chmod(p, 0777))                                               \
	X(replace, replace(p))                                                 \
	X(rmdir, rmdir(p))                                                     \
	X(unlink, unlink(p))

static int chdir_and_back(const char *path)
{
	int here = open(".", O_RDONLY | O_DIRECTORY), ret = chdir(path);

	if (fchdir(here))
		exit(1);
	close(here);
	return ret;
}

static int print_mode(const char *path, const struct stat *st)
{
	printf("%s is %o of %u:%u\n", path, st->st_mode, st->st_uid,
	       st->st_gid);
	return 0;
}

/* A file of one's own over it. */
static int replace(const char *path)
{
	int ret = do_open("mine", O_CREAT | O_WRONLY);

	if (!ret)
		ret = rename("mine", path);
	unlink("mine");
	return ret;
}

static void outcome(const char *path, const char *name, int ret)
{
	printf("%s %s %s\n", path, name, ret ? strerrorname_np(errno) : "done");
}

static int run_matrix(void)
{
	char text[256];
	struct stat st = { 0 };

	umask(0);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		const char *p = objects[i];

#define X(name, call) outcome(p, #name, call);
		OPERATIONS(X)
#undef X
	}
	return 0;
}

/* ---- race ---- */

#define RACE_ROUNDS 2000

/* In the directory: "mine/file" of the user's, "trap", a link to "secret". */
static int run_race(void)
{
	pid_t parent = getpid(), pid = fork();
	unsigned read_own = 0;
	char text[16];
	int status;

	if (!pid) {
		while (getppid() == parent)
			renameat2(AT_FDCWD, "mine", AT_FDCWD, "trap",
				  RENAME_EXCHANGE);
		_exit(0);
	}
	for (int i = 0; i < RACE_ROUNDS; i++) {
		int fd = open("mine/inner", O_RDONLY);
		ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text));

		if (fd >= 0)
			close(fd);
		if (length >= 6 && !memcmp(text, "secret", 6)) {
			puts("the secret was read");
			return 1;
		}
		read_own += length == 4;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return read_own ? 0 : 1;
}

/* ---- input ---- */

static uint64_t chance = 88172645463325252u;

static uint64_t next_chance(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

static void fill(unsigned char *buffer, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		uint64_t word = next_chance();

		/* zeroes and ones get further than noise */
		buffer[i] = word & 0x300 ? (unsigned char) -(word >> 10 & 1)
					 : (unsigned char) word;
	}
}

static void try_ioctls(int fd)
{
	static unsigned char buffer[1 << 16];
	static const unsigned long known[] = {
		HUGETMPFS_IOC_MAP, HUGETMPFS_IOC_RECOVER, HUGETMPFS_IOC_CANCEL,
		HUGETMPFS_IOC_POLICY, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS,
		FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR,
	};
	const size_t nr = sizeof(known) / sizeof(known[0]);

	for (int i = 0; i < 1000; i++) {
		unsigned long command = known[next_chance() % nr];

		/* every other one is none of ours, of any size */
		if (i & 1)
			command = _IOC(next_chance() & 3, HUGETMPFS_IOC_MAGIC,
				       next_chance() & 15,
				       next_chance() & ((1 << 14) - 1));
		fill(buffer, 4096);
		ioctl(fd, command, i % 16 ? buffer : (void *) 16);
	}
}

static void try_attributes(const char *path)
{
	static unsigned char value[65536];
	char name[300];

	for (int i = 0; i < 100; i++) {
		size_t length = next_chance() % sizeof(value);

		fill(value, 512);
		setxattr(path, "user.hugetmpfs.recover", value, length % 40, 0);
		setxattr(path, "system.posix_acl_access", value, length % 512, 0);
		setxattr(path, "system.posix_acl_default", value, length % 512,
			 0);
		memset(name, 'x', sizeof(name));
		memcpy(name, "user.", 5);
		name[6 + next_chance() % 270] = '\0';
		setxattr(path, name, value, length, 0);
		getxattr(path, name, value, next_chance() % sizeof(value));
		listxattr(path, (char *) value, next_chance() % 512);
		removexattr(path, name);
	}
}

static int run_input(const char *path)
{
	int fd = open(path, O_RDWR), again = open(path, O_RDONLY);

	if (fd < 0 || again < 0) {
		perror(path);
		return 1;
	}
	try_ioctls(fd);
	try_ioctls(again);
	try_attributes(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 1;
	if (!strcmp(argv[1], "input"))
		return run_input(argv[2]);
	if (chdir(argv[2])) {
		perror(argv[2]);
		return 1;
	}
	return strcmp(argv[1], "race") ? run_matrix() : run_race();
}

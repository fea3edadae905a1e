/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations whose system calls fail. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/hugetmpfs.h>
#include <hugetmpfs/ioctl.h>

static const char *const names[] = { "dir", "file", "link", "new", "other" };
#define NR_NAMES (sizeof(names) / sizeof(*names))
#define EXTENT_BYTES  HUGETMPFS_EXTENT_BYTES

bool faults_with_control;

static const struct faults_operation *operation_of(unsigned operation);

void faults_must(bool holds, const char *text, int line)
{
	if (holds)
		return;
	fprintf(stderr, "line %d: not so: %s (%s)\n", line, text,
		strerror(errno));
	exit(FAULTS_WRONG);
}

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	must(fd >= 0 && write(fd, name, strlen(name)) > 0 && !close(fd));
}

void faults_prepare(unsigned operation)
{
	if (faults_with_control)
		faults_control_prepare(operation_of(operation));
	must(!mkdir("t", 0755) && !chdir("t"));
	make_file("file");
	make_file("other");
	must(!mkdir("dir", 0755) && !symlink("file", "link"));
	must(!setxattr("other", "user.a", "1", 1, 0));
}

static int write_state(const char *name, char *text, size_t room)
{
	char content[16] = "", value[8] = "", policy[8] = "", numa[16] = "";
	struct stat st;

	if (lstat(name, &st)) {
		must(errno == ENOENT);
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		int fd = open(name, O_RDONLY);

		must(fd >= 0 && read(fd, content, 8) >= 0 && !close(fd));
		if (getxattr(name, "user.a", value, 7) < 0)
			must(errno == ENODATA);
		if (getxattr(name, HUGETMPFS_XATTR_RECOVER, policy, 7) < 0)
			must(errno == ENODATA);
		if (getxattr(name, HUGETMPFS_XATTR_NUMA, numa, 15) < 0)
			must(errno == ENODATA);
	} else if (S_ISLNK(st.st_mode)) {
		must(readlink(name, content, 15) > 0);
	}
	return snprintf(text, room, "%s: mode %o links %u size %lld blocks %lld "
			"owner %u %u content %s attribute %s%s%s\n", name,
			st.st_mode, (unsigned) st.st_nlink,
			S_ISDIR(st.st_mode) ? 0 : (long long) st.st_size,
			(long long) st.st_blocks, st.st_uid, st.st_gid, content,
			value, policy, numa);
}

/* The names that a listing has: all but . and .. */
static unsigned count_names(const char *path)
{
	DIR *stream = opendir(path);
	unsigned nr = 0;

	must(stream != NULL);
	while (readdir(stream))
		nr++;
	must(!closedir(stream) && nr >= 2);
	return nr - 2;
}

void faults_state(char *text)
{
	size_t used = 0;

	must(!chdir("t"));
	used = (size_t) snprintf(text, FAULTS_STATE_BYTES, "%u names\n",
				 count_names("."));
	if (faults_with_control)
		used += faults_control_state(text + used,
					     FAULTS_STATE_BYTES - used);
	for (size_t i = 0; i < NR_NAMES; i++)
		used += (size_t) write_state(names[i], text + used,
					     FAULTS_STATE_BYTES - used);
}

void faults_clear(void)
{
	must(!chdir("t"));
	for (size_t i = 0; i < NR_NAMES; i++)
		if (remove(names[i]))
			must(errno == ENOENT);
	must(!chdir("..") && !rmdir("t"));
}

/* ---- the operations: 0 or -errno; SEEN(-errno) after they were done ---- */

#define SEEN(result) ((result) - 1000)

static int result_of(long ret)
{
	return ret < 0 ? -errno : 0;
}

static int act_create(void)
{
	struct stat st;
	int error;

	if (open("new", O_CREAT | O_EXCL | O_RDWR, 0400) >= 0)
		return 0;
	error = -errno;
	/* a kernel may ask for the attributes before its open(2) returns */
	return lstat("new", &st) ? error : SEEN(error);
}

static int act_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char path[32];

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return result_of(linkat(AT_FDCWD, path, AT_FDCWD, "new",
				AT_SYMLINK_FOLLOW));
}

static int act_mknod(void)
{
	return result_of(mkfifo("new", 0600));
}

static int act_mkdir(void)
{
	return result_of(mkdir("new", 0700));
}

static int act_symlink(void)
{
	return result_of(symlink("target", "new"));
}

static int act_link(void)
{
	return result_of(link("file", "new"));
}

static int act_unlink(void)
{
	return result_of(unlink("file"));
}

/* Its name is gone; it is not. */
static int see_removed(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st))
		return SEEN(-errno);
	must(st.st_nlink == 0 && (st.st_mode & S_IFMT) == type);
	must(!S_ISREG(type) || st.st_size == 4);
	return 0;
}

static int act_unlink_open(void)
{
	int fd = open("file", O_RDWR);
	char text[4];

	if (fd < 0 || unlink("file"))
		return -errno;
	must(pread(fd, text, 4, 0) == 4 && !memcmp(text, "file", 4));
	return see_removed(fd, S_IFREG);
}

static int act_unlink_known(void)
{
	int fd = open("file", O_PATH);

	if (fd < 0 || unlink("file"))
		return -errno;
	return see_removed(fd, S_IFREG);
}

static int act_unlink_link(void)
{
	int fd = open("link", O_PATH | O_NOFOLLOW);

	if (fd < 0 || unlink("link"))
		return -errno;
	return see_removed(fd, S_IFLNK);
}

static int act_rmdir(void)
{
	int fd = open("dir", O_RDONLY | O_DIRECTORY);

	if (fd < 0 || rmdir("dir"))
		return -errno;
	return see_removed(fd, S_IFDIR);
}

static int act_rename(void)
{
	return result_of(rename("file", "new"));
}

static int act_rename_over(void)
{
	int fd = open("file", O_PATH);

	if (fd < 0 || rename("other", "file"))
		return -errno;
	return see_removed(fd, S_IFREG);
}

static int act_rename_exchange(void)
{
	return result_of(renameat2(AT_FDCWD, "file", AT_FDCWD, "dir",
				   RENAME_EXCHANGE));
}

static int act_rename_whiteout(void)
{
	return result_of(renameat2(AT_FDCWD, "file", AT_FDCWD, "new",
				   RENAME_WHITEOUT));
}

static int act_setxattr(void)
{
	return result_of(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
}

static int act_removexattr(void)
{
	return result_of(removexattr("other", "user.a"));
}

static int act_getxattr(void)
{
	char value[4];
	ssize_t n = getxattr("other", "user.a", value, sizeof(value));

	must(n < 0 || (n == 1 && value[0] == '1'));
	return result_of(n);
}

static int act_listxattr(void)
{
	char list[64];
	ssize_t n = listxattr("other", list, sizeof(list));

	must(n < 0 || (n == 7 && !strcmp(list, "user.a")));
	return result_of(n);
}

static int act_open(void)
{
	int fd = open("other", O_RDWR | O_APPEND), again;
	char text[8];

	if (fd < 0)
		return -errno;
	again = open("other", O_RDONLY);
	if (again < 0)
		return -errno;
	must(read(again, text, 8) == 5 && !memcmp(text, "other", 5));
	return result_of(close(fd) || close(again) ? -1 : 0);
}

static int act_map(void)
{
	int fd = open("file", O_RDWR);
	char *map;

	if (fd < 0)
		return -errno;
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED && !memcmp(map, "file", 5));
	map[0] = 'F';
	must(!munmap(map, 4096));
	return 0;
}

static int act_chmod(void)
{
	return result_of(chmod("file", 0604));
}

static int act_chown(void)
{
	return result_of(chown("file", 1, 2));
}

static int act_truncate(void)
{
	return result_of(truncate("file", 9000));
}

static int act_utimes(void)
{
	const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };

	return result_of(utimensat(AT_FDCWD, "file", times, 0));
}

static int act_fallocate(void)
{
	int fd = open("file", O_RDWR);

	return fd < 0 ? -errno : result_of(fallocate(fd, 0, 0, 20000));
}

static int act_punch(void)
{
	int fd = open("file", O_RDWR);

	return fd < 0 ? -errno :
			result_of(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
						FALLOC_FL_KEEP_SIZE, 0, 2));
}

static int act_lseek(void)
{
	int fd = open("file", O_RDWR);
	off_t found;

	if (fd < 0)
		return -errno;
	found = lseek(fd, 0, SEEK_HOLE);
	must(found < 0 || found == 4);
	return result_of(found);
}

static int act_list(void)
{
	DIR *stream = opendir(".");
	unsigned nr = 0;
	int error;

	if (!stream)
		return -errno;
	errno = 0;
	while (readdir(stream))
		nr++;
	error = errno;
	closedir(stream);
	must(error || nr == 6);
	return -error;
}

static int act_stat(void)
{
	struct stat st;
	int ret = result_of(stat("file", &st));

	must(ret || st.st_size == 4);
	return ret;
}

static int act_statx(void)
{
	struct statx stx;
	int ret = result_of(statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC,
				  STATX_BTIME | STATX_SIZE, &stx));

	must(ret || stx.stx_size == 4);
	return ret;
}

static int act_statvfs(void)
{
	struct statvfs st;
	int ret = result_of(statvfs(".", &st));

	must(ret || st.f_blocks > 0);
	return ret;
}

static int act_readlink(void)
{
	char target[8];
	ssize_t n = readlink("link", target, sizeof(target));

	must(n < 0 || (n == 4 && !memcmp(target, "file", 4)));
	return result_of(n);
}

static int act_missing(void)
{
	struct stat st;

	must(lstat("missing", &st));
	return errno == ENOENT ? 0 : -errno;
}

/* Of a range of one extent, by one of the calls for extents. */
static int ask_extents(unsigned long command, unsigned flags)
{
	struct hugetmpfs_ioc_extents range = { .nr = 1, .flags = flags };
	int fd = open("file", O_RDWR);

	if (fd < 0 || ioctl(fd, command, &range))
		return -errno;
	must(range.nr == 1 && range.size_bytes == 4);
	return 0;
}

static int act_extents(void)
{
	return ask_extents(HUGETMPFS_IOC_MAP, 0);
}

static int act_recover(void)
{
	return ask_extents(HUGETMPFS_IOC_RECOVER, HUGETMPFS_RECOVER_DRY_RUN);
}

/* For real: what it comes to is the kernel's to say, but nothing is lost. */
static int act_recover_wait(void)
{
	struct hugetmpfs_ioc_extents range = { .nr = 1 };
	int fd = open(".", O_TMPFILE | O_RDWR, 0600), ret;
	char *data = malloc(EXTENT_BYTES), *seen = malloc(EXTENT_BYTES);

	if (fd < 0)
		return -errno;
	must(data && seen);
	memset(data, 'x', EXTENT_BYTES);
	must(pwrite(fd, data, EXTENT_BYTES, 0) == EXTENT_BYTES);
	ret = result_of(ioctl(fd, HUGETMPFS_IOC_RECOVER, &range));
	must(pread(fd, seen, EXTENT_BYTES, 0) == EXTENT_BYTES);
	must(!memcmp(data, seen, EXTENT_BYTES));
	return ret;
}

static int act_policy(void)
{
	return result_of(setxattr("file", HUGETMPFS_XATTR_RECOVER, "all", 3, 0));
}

static int act_numa(void)
{
	int fd = open("file", O_RDWR);

	return fd < 0 ? -errno
		      : hugetmpfs_numa_set(fd, 0, HUGETMPFS_NUMA_TO_END,
					   "bind:0", NULL, 0);
}

static int act_policy_get(void)
{
	struct hugetmpfs_policy policy;
	int fd = open("file", O_RDWR);

	return fd < 0 ? -errno : hugetmpfs_policy(fd, &policy);
}

static const struct faults_operation operations[] = {
	{ "create", act_create },
	{ "tmpfile", act_tmpfile },
	{ "mknod", act_mknod },
	{ "mkdir", act_mkdir },
	{ "symlink", act_symlink },
	{ "link", act_link },
	{ "unlink", act_unlink },
	{ "unlink of an open file", act_unlink_open },
	{ "unlink of a known file", act_unlink_known },
	{ "unlink of a known link", act_unlink_link },
	{ "rmdir", act_rmdir },
	{ "rename", act_rename },
	{ "rename over", act_rename_over },
	{ "rename with exchange", act_rename_exchange },
	{ "rename with whiteout", act_rename_whiteout },
	{ "setxattr", act_setxattr },
	{ "removexattr", act_removexattr },
	{ "getxattr", act_getxattr },
	{ "listxattr", act_listxattr },
	{ "open and release", act_open },
	{ "map", act_map },
	{ "chmod", act_chmod },
	{ "chown", act_chown },
	{ "truncate", act_truncate },
	{ "utimes", act_utimes },
	{ "fallocate", act_fallocate },
	{ "punch", act_punch },
	{ "lseek", act_lseek },
	{ "list", act_list },
	{ "stat", act_stat },
	{ "statx", act_statx },
	{ "statvfs", act_statvfs },
	{ "readlink", act_readlink },
	{ "lookup of nothing", act_missing },
	{ "extents", act_extents },
	{ "recover", act_recover },
	{ "recover and wait", act_recover_wait },
	{ "set a policy", act_policy },
	{ "get a policy", act_policy_get },
	{ "say where pages belong", act_numa },
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(*operations))

/* NULL after the last one. */
static const struct faults_operation *operation_of(unsigned operation)
{
	if (operation < NR_OPERATIONS)
		return &operations[operation];
	if (!faults_with_control)
		return NULL;
	return faults_control_operation(operation - NR_OPERATIONS);
}

const char *faults_name(unsigned operation)
{
	const struct faults_operation *found = operation_of(operation);

	return found ? found->name : NULL;
}

int faults_act(unsigned operation)
{
	int ret, result = FAULTS_NOT_DONE;

	must(!chdir("t"));
	ret = operation_of(operation)->act();
	if (!ret)
		return FAULTS_DONE;
	if (ret <= SEEN(0)) {
		ret -= SEEN(0);
		result = FAULTS_DONE_NOT_SEEN;
	}
	if (ret == -ENOMEM || ret == -EIO)
		return result;
	fprintf(stderr, "answered %s\n", strerror(-ret));
	return FAULTS_WRONG;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each operation, with the daemon killed at each of its steps: before and after
 * each system call that a serving thread makes from the moment on when it has
 * received a request, its replies among them. Between two system calls there is
 * only what the journal's unit test looks at. What the steps are is found by
 * tracing, so an operation that is changed or new has its own without a word
 * here.
 *
 *	takeover-steps KEEPER DIRECTORY STRIDE
 *
 * With a stride of 1 at every step, with N at each Nth, beginning with another
 * one for each operation.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "daemon.h"
#include "must.h"
#include "steps.h"
#include "takeover.h"
#include "traced.h"

static int keeper;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the operations: in a directory with file, other, dir, link ---- */

static bool exists(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

	must(fd >= 0 && write(fd, name, strlen(name)) > 0 && !close(fd));
}

static void prepare(void)
{
	must(!mkdir("t", 0755) && !chdir("t"));
	make_file("file");
	make_file("other");
	must(!mkdir("dir", 0755) && !symlink("file", "link"));
	must(!setxattr("other", "user.a", "1", 1, 0));
}

/* Whatever the operation has left is removed. */
static void clear(void)
{
	struct dirent *entry;
	DIR *stream = opendir(".");

	must(stream != NULL);
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			must(!remove(entry->d_name));
	closedir(stream);
	must(!chdir("..") && !rmdir("t"));
}

static void act_create(void)
{
	int fd = open("new", O_CREAT | O_EXCL | O_RDWR, 0400);

	must(fd >= 0 && write(fd, "x", 1) == 1 && !close(fd));
}

static void act_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	must(fd >= 0 && write(fd, "x", 1) == 1 && !close(fd));
}

static void act_mknod(void)
{
	must(!mkfifo("new", 0600));
}

static void act_mkdir(void)
{
	must(!mkdir("new", 0700));
}

static void act_symlink(void)
{
	char target[8] = "";

	must(!symlink("target", "new") && readlink("new", target, 7) == 6);
}

static void act_link(void)
{
	struct stat st;

	must(!link("file", "new") && !stat("new", &st) && st.st_nlink == 2);
}

static void act_unlink(void)
{
	must(!unlink("file") && !exists("file"));
}

static void act_unlink_open(void)
{
	int fd = open("file", O_RDWR);
	struct stat st;
	char text[4];

	must(fd >= 0 && !unlink("file"));
	must(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 4);
	must(pread(fd, text, 4, 0) == 4 && !memcmp(text, "file", 4));
	must(!fchmod(fd, 0600) && !close(fd));
}

static void act_unlink_mapped(void)
{
	int fd = open("file", O_RDWR);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(map != MAP_FAILED && !close(fd) && !unlink("file"));
	map[0] = 'F';
	must(!memcmp(map, "File", 4) && !munmap(map, 4096));
}

static void act_unlink_known(void)
{
	int fd = open("link", O_PATH | O_NOFOLLOW), file = open("file", O_PATH);
	struct stat st;

	must(fd >= 0 && file >= 0 && !unlink("link") && !unlink("file"));
	must(!fstat(file, &st) && st.st_nlink == 0 && st.st_size == 4);
	must(!fstat(fd, &st) && st.st_nlink == 0 && S_ISLNK(st.st_mode));
	must(!close(fd) && !close(file));
}

static void act_rmdir(void)
{
	int fd = open("dir", O_RDONLY | O_DIRECTORY);
	struct stat st;

	must(fd >= 0 && !rmdir("dir") && !exists("dir"));
	must(!fstat(fd, &st) && S_ISDIR(st.st_mode) && st.st_nlink == 0);
	must(!close(fd));
}

static void act_rename(void)
{
	must(!rename("file", "new") && exists("new") && !exists("file"));
}

static void act_rename_over(void)
{
	struct stat st;

	must(!rename("file", "other") && !exists("file"));
	must(!stat("other", &st) && st.st_size == 4);
}

static void act_rename_exchange(void)
{
	struct stat st;

	must(!renameat2(AT_FDCWD, "file", AT_FDCWD, "dir", RENAME_EXCHANGE));
	must(!stat("file", &st) && S_ISDIR(st.st_mode));
	must(!stat("dir", &st) && S_ISREG(st.st_mode));
}

static void act_rename_whiteout(void)
{
	struct stat st;

	must(!renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_WHITEOUT));
	must(!stat("file", &st) && S_ISCHR(st.st_mode));
	must(!stat("new", &st) && S_ISREG(st.st_mode));
}

static void act_xattr_create(void)
{
	must(!setxattr("file", "user.a", "1", 1, XATTR_CREATE));
	must(setxattr("file", "user.a", "1", 1, XATTR_CREATE) &&
	     errno == EEXIST);
}

static void act_xattr_remove(void)
{
	must(!setxattr("other", "user.a", "2", 1, XATTR_REPLACE));
	must(!removexattr("other", "user.a"));
	must(removexattr("other", "user.a") && errno == ENODATA);
}

static void act_open(void)
{
	int fd = open("other", O_RDWR | O_APPEND), again;

	must(fd >= 0 && write(fd, "x", 1) == 1);
	again = open("other", O_RDONLY);
	must(again >= 0 && !close(fd) && !close(again));
}

static void act_change(void)
{
	struct stat st;

	must(!chmod("file", 0604) && !truncate("file", 9000));
	must(!chown("file", 1, 2) && !stat("file", &st));
	must(st.st_size == 9000 && (st.st_mode & 0777) == 0604);
	must(st.st_uid == 1 && st.st_gid == 2);
}

static void act_fallocate(void)
{
	int fd = open("file", O_RDWR);
	struct stat st;

	must(fd >= 0 && !fallocate(fd, 0, 0, 20000));
	must(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2));
	must(!fstat(fd, &st) && st.st_size == 20000 && !close(fd));
}

static void act_list(void)
{
	DIR *stream = opendir(".");
	unsigned nr = 0;
	struct dirent *entry;
	struct stat st;

	must(stream != NULL);
	while ((entry = readdir(stream))) {
		nr++;
		must(!lstat(entry->d_name, &st));
	}
	must(nr == 6 && !closedir(stream));
}

/* What changes nothing. */
static void act_ask(void)
{
	struct hugetmpfs_ioc_extents extents = { .nr = 1 };
	int fd = open("other", O_RDONLY);
	struct statvfs vfs;
	DIR *stream;
	struct statx stx;
	char text[16];

	must(fd >= 0 && !fstatvfs(fd, &vfs) && vfs.f_blocks);
	must(!statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		    STATX_BTIME | STATX_SIZE, &stx) && stx.stx_size == 5);
	must(fgetxattr(fd, "user.a", text, sizeof(text)) == 1);
	must(flistxattr(fd, text, sizeof(text)) == 7);
	must(lseek(fd, 0, SEEK_HOLE) == 5);
	must(!ioctl(fd, HUGETMPFS_IOC_MAP, &extents) && extents.nr == 1);
	must(!close(fd));
	/* the end of a listing is asked for without attributes */
	stream = opendir(".");
	must(stream != NULL);
	while (readdir(stream))
		;
	must(!closedir(stream));
}

static const struct {
	const char *name;
	void (*act)(void);
} operations[] = {
	{ "create", act_create },
	{ "tmpfile", act_tmpfile },
	{ "mknod", act_mknod },
	{ "mkdir", act_mkdir },
	{ "symlink", act_symlink },
	{ "link", act_link },
	{ "unlink", act_unlink },
	{ "unlink of an open file", act_unlink_open },
	{ "unlink of a mapped file", act_unlink_mapped },
	{ "unlink of what is known", act_unlink_known },
	{ "rmdir", act_rmdir },
	{ "rename", act_rename },
	{ "rename over", act_rename_over },
	{ "rename with exchange", act_rename_exchange },
	{ "rename with whiteout", act_rename_whiteout },
	{ "setxattr with create", act_xattr_create },
	{ "removexattr", act_xattr_remove },
	{ "open and release", act_open },
	{ "setattr", act_change },
	{ "fallocate", act_fallocate },
	{ "list", act_list },
	{ "ask", act_ask },
};

/* ---- killing ---- */

static uint64_t now_ms(void)
{
	return takeover_now_us() / 1000;
}

/* False when the operation had ended before it came to this step. */
static bool run(unsigned operation, unsigned step)
{
	uint64_t began = now_ms();
	struct steps steps = { 0 };
	bool has_step;

	prepare();
	steps.daemon = daemon_of(keeper);
	traced_begin(steps.daemon);
	steps.actor = fork();
	if (!steps.actor) {
		operations[operation].act();
		_exit(0);
	}
	has_step = steps_go_to(&steps, step);
	steps_kill(&steps, steps.daemon);
	if (!steps_actor_succeeds(&steps)) {
		fprintf(stderr, "%s, killed at step %u: see above\n",
			operations[operation].name, step);
		exit(1);
	}
	clear();
	/* not more often than a keeper bears */
	while (now_ms() < began + 60)
		usleep(1000);
	return has_step;
}

int main(int argc, char **argv)
{
	unsigned step, stride, total = 0;

	if (argc != 4)
		return 2;
	stride = (unsigned) atoi(argv[3]);
	must(stride > 0);
	keeper = atoi(argv[1]);
	if (chdir(argv[2]))
		die(argv[2]);
	umask(0);
	for (unsigned i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		for (step = i % stride; run(i, step); step += stride)
			total++;
		printf("%s: up to step %u\n", operations[i].name, step);
		fflush(stdout);
	}
	printf("%u kills\n", total);
	if (chdir("/"))
		die("/");
	return takeover_tables_are_empty(keeper) ? 0 : 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker of the test of takeovers. It has a directory for itself, so it knows
 * what every operation must answer: one that fails, or that has happened twice,
 * is found at once or at the next look at the file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "takeover.h"

#define NR_NAMES   24
#define NR_FILES   16
#define FILE_BYTES (128 * 1024)
#define PAGE	   4096
#define UNUSED	   __attribute__((unused))

enum kind { NOTHING, FILE_NAME, DIRECTORY, SYMLINK, FIFO };

struct file {
	unsigned links; /* 0 and fd < 0: it does not exist */
	int fd;		/* open for reading and writing, or -1 */
	char *map;	/* FILE_BYTES long, or NULL */
	size_t size;
	mode_t mode;
	int xattr;	/* value of user.test, 0 when it is not there */
	char data[FILE_BYTES]; /* zero from size on */
};

struct name {
	enum kind kind;
	struct file *file; /* of a FILE_NAME */
	int target;	   /* of a SYMLINK */
};

static struct {
	struct takeover_shared *shared;
	unsigned id;
	uint64_t random;
	int log_fd, counter_fd;
	const char *what; /* is being done */
	struct name names[NR_NAMES];
	struct file files[NR_FILES];
} me;

static unsigned roll(unsigned nr)
{
	me.random = me.random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned) (me.random >> 33) % nr;
}

static void expect_at(bool holds, const char *text, int line)
{
	if (holds)
		return;
	fprintf(stderr, "worker %u, line %d, %s: not so: %s (errno %d: %s)\n",
		me.id, line, me.what, text, errno, strerror(errno));
	exit(1);
}
#define expect(condition) expect_at(condition, #condition, __LINE__)
#define expect_error(call, error)                                              \
	expect_at((errno = 0, (call) == -1) && errno == (error),               \
		  #call " fails with " #error, __LINE__)

static const char *text(unsigned index)
{
	static char names[4][16];
	static unsigned next;
	char *name = names[next++ % 4];

	snprintf(name, 16, "n%u", index);
	return name;
}

static struct file *free_file(void)
{
	for (int i = 0; i < NR_FILES; i++)
		if (!me.files[i].links && me.files[i].fd < 0)
			return &me.files[i];
	return NULL;
}

static struct name *some_file_name(unsigned *index)
{
	unsigned first = roll(NR_NAMES);

	for (unsigned i = 0; i < NR_NAMES; i++) {
		*index = (first + i) % NR_NAMES;
		if (me.names[*index].kind == FILE_NAME)
			return &me.names[*index];
	}
	return NULL;
}

static struct file *some_open_file(void)
{
	unsigned first = roll(NR_FILES);

	for (unsigned i = 0; i < NR_FILES; i++)
		if (me.files[(first + i) % NR_FILES].fd >= 0)
			return &me.files[(first + i) % NR_FILES];
	return NULL;
}

static void check_stat(const struct file *file, const struct stat *st)
{
	expect(st->st_nlink == file->links);
	expect((size_t) st->st_size == file->size);
	expect((st->st_mode & 07777) == file->mode);
}

static void check_content(const struct file *file, int fd)
{
	static char buffer[FILE_BYTES];

	expect(pread(fd, buffer, FILE_BYTES, 0) == (ssize_t) file->size);
	expect(!memcmp(buffer, file->data, file->size));
}

static void file_close(struct file *file)
{
	if (file->map)
		expect(!munmap(file->map, FILE_BYTES));
	if (file->fd >= 0)
		expect(!close(file->fd));
	file->map = NULL;
	file->fd = -1;
}

static void file_unlinked(struct file *file)
{
	struct stat st;

	file->links--;
	if (file->links || file->fd < 0)
		return;
	/* without a name it is still what it was */
	expect(!fstat(file->fd, &st));
	check_stat(file, &st);
}

/* A new, empty file with one name. */
static void file_begin(struct file *file, int fd, mode_t mode,
		       struct name *name)
{
	*file = (struct file){ .links = 1, .fd = fd, .mode = mode };
	*name = (struct name){ .kind = FILE_NAME, .file = file };
}

/* ---- on names ---- */

static void do_create(unsigned index)
{
	struct name *name = &me.names[index];
	struct file *file = free_file();
	int fd;

	if (name->kind != NOTHING) {
		expect_error(open(text(index), O_CREAT | O_EXCL | O_RDWR, 0644),
			     EEXIST);
		return;
	}
	if (!file)
		return;
	fd = open(text(index), O_CREAT | O_EXCL | O_RDWR, 0644);
	expect(fd >= 0);
	file_begin(file, fd, 0644, name);
}

static void do_make(unsigned index)
{
	struct name *name = &me.names[index];
	unsigned kind = roll(3);
	int ret;

	if (kind == 0)
		ret = mkdir(text(index), 0755);
	else if (kind == 1)
		ret = symlink(text(index + 1), text(index));
	else
		ret = mkfifo(text(index), 0600);
	if (name->kind != NOTHING) {
		expect(ret == -1 && errno == EEXIST);
		return;
	}
	expect(!ret);
	name->kind = kind == 0 ? DIRECTORY : kind == 1 ? SYMLINK : FIFO;
	name->target = (int) index + 1;
}

static void do_remove(unsigned index)
{
	struct name *name = &me.names[index];
	int fd = -1;
	struct stat st;

	switch (name->kind) {
	case NOTHING:
		expect_error(unlink(text(index)), ENOENT);
		return;
	case DIRECTORY:
		if (roll(2))
			fd = open(text(index), O_RDONLY | O_DIRECTORY);
		expect(!rmdir(text(index)));
		if (fd >= 0) {
			expect(!fstat(fd, &st) && S_ISDIR(st.st_mode) &&
			       st.st_nlink == 0);
			close(fd);
		}
		break;
	default:
		expect(!unlink(text(index)));
		if (name->file)
			file_unlinked(name->file);
	}
	*name = (struct name){ .kind = NOTHING };
}

static void do_link(unsigned index)
{
	unsigned from;
	struct name *old = some_file_name(&from);

	if (!old)
		return;
	if (me.names[index].kind != NOTHING) {
		expect_error(link(text(from), text(index)), EEXIST);
		return;
	}
	expect(!link(text(from), text(index)));
	old->file->links++;
	me.names[index] = *old;
}

static void do_exchange(unsigned from, unsigned to)
{
	struct name name = me.names[from];

	expect(!renameat2(AT_FDCWD, text(from), AT_FDCWD, text(to),
			  RENAME_EXCHANGE));
	me.names[from] = me.names[to];
	me.names[to] = name;
}

static void do_rename(unsigned to)
{
	unsigned from = roll(NR_NAMES);
	struct name *old = &me.names[from], *new = &me.names[to];

	if (from == to || old->kind == NOTHING)
		return;
	if (new->kind != NOTHING && roll(3) == 0) {
		do_exchange(from, to);
		return;
	}
	if (new->kind == DIRECTORY && old->kind != DIRECTORY) {
		expect_error(rename(text(from), text(to)), EISDIR);
		return;
	}
	if (old->kind == DIRECTORY && new->kind != DIRECTORY &&
	    new->kind != NOTHING) {
		expect_error(rename(text(from), text(to)), ENOTDIR);
		return;
	}
	expect(!rename(text(from), text(to)));
	if (old->file && old->file == new->file)
		return; /* two names of one file: both stay */
	if (new->file)
		file_unlinked(new->file);
	*new = *old;
	*old = (struct name){ .kind = NOTHING };
}

static void do_look(unsigned index)
{
	const struct name *name = &me.names[index];
	char target[16] = "";
	struct stat st;
	int ret = lstat(text(index), &st);

	if (name->kind == NOTHING) {
		expect(ret == -1 && errno == ENOENT);
		return;
	}
	expect(!ret);
	if (name->kind == FILE_NAME)
		check_stat(name->file, &st);
	else if (name->kind == DIRECTORY)
		expect(S_ISDIR(st.st_mode));
	else if (name->kind == FIFO)
		expect(S_ISFIFO(st.st_mode));
	else
		expect(readlink(text(index), target, 15) > 0 &&
		       !strcmp(target, text((unsigned) name->target)));
}

static void do_list(unsigned index UNUSED)
{
	bool seen[NR_NAMES] = { false };
	struct dirent *entry;
	DIR *stream = opendir(".");
	unsigned at;

	expect(stream != NULL);
	while ((entry = readdir(stream))) {
		if (sscanf(entry->d_name, "n%u", &at) != 1)
			continue;
		expect(at < NR_NAMES && !seen[at]);
		seen[at] = true;
	}
	closedir(stream);
	for (at = 0; at < NR_NAMES; at++)
		expect(seen[at] == (me.names[at].kind != NOTHING));
}

static void do_tmpfile(unsigned index)
{
	struct file *file = free_file();
	char path[64];
	int fd;

	if (me.names[index].kind != NOTHING || !file)
		return;
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	expect(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	expect(!linkat(AT_FDCWD, path, AT_FDCWD, text(index),
		       AT_SYMLINK_FOLLOW));
	file_begin(file, fd, 0600, &me.names[index]);
}

static void do_open(unsigned index)
{
	struct name *name = some_file_name(&index);

	if (!name)
		return;
	if (name->file->fd >= 0) {
		file_close(name->file);
		return;
	}
	name->file->fd = open(text(index), O_RDWR);
	expect(name->file->fd >= 0);
	check_content(name->file, name->file->fd);
}

static void do_xattr(unsigned index)
{
	struct name *name = some_file_name(&index);
	int value = (int) roll(1000000) + 1, found = 0, ret;
	struct file *file;

	if (!name)
		return;
	file = name->file;
	switch (roll(4)) {
	case 0:
		ret = setxattr(text(index), "user.test", &value, sizeof(value),
			       XATTR_CREATE);
		expect(file->xattr ? ret == -1 && errno == EEXIST : !ret);
		break;
	case 1:
		ret = setxattr(text(index), "user.test", &value, sizeof(value),
			       XATTR_REPLACE);
		expect(file->xattr ? !ret : ret == -1 && errno == ENODATA);
		break;
	case 2:
		ret = removexattr(text(index), "user.test");
		expect(file->xattr ? !ret : ret == -1 && errno == ENODATA);
		value = 0;
		break;
	default:
		ret = (int) getxattr(text(index), "user.test", &found, 4);
		expect(file->xattr ? ret == 4 && found == file->xattr
				   : ret == -1 && errno == ENODATA);
		return;
	}
	if (!ret)
		file->xattr = value;
}

static void do_mode(unsigned index)
{
	struct name *name = some_file_name(&index);

	if (!name)
		return;
	name->file->mode = 0600 + roll(0100);
	expect(!chmod(text(index), name->file->mode));
}

/* ---- on open files ---- */

static void do_write(unsigned index UNUSED)
{
	struct file *file = some_open_file();
	size_t at = roll(FILE_BYTES), bytes = roll(FILE_BYTES / 4);

	if (!file)
		return;
	if (bytes > FILE_BYTES - at)
		bytes = FILE_BYTES - at;
	memset(file->data + at, (int) roll(255) + 1, bytes);
	if (bytes && at + bytes > file->size)
		file->size = at + bytes;
	expect(pwrite(file->fd, file->data + at, bytes, (off_t) at) ==
	       (ssize_t) bytes);
}

static void do_truncate(unsigned index UNUSED)
{
	struct file *file = some_open_file();
	size_t size = roll(FILE_BYTES);

	if (!file)
		return;
	expect(!ftruncate(file->fd, (off_t) size));
	if (size < file->size)
		memset(file->data + size, 0, file->size - size);
	file->size = size;
}

static void do_fallocate(unsigned index UNUSED)
{
	struct file *file = some_open_file();
	size_t at = roll(FILE_BYTES - PAGE), bytes = 1 + roll(PAGE * 4);

	if (!file)
		return;
	if (bytes > FILE_BYTES - at)
		bytes = FILE_BYTES - at;
	if (roll(2)) {
		expect(!fallocate(file->fd, 0, (off_t) at, (off_t) bytes));
		if (at + bytes > file->size)
			file->size = at + bytes;
	} else {
		expect(!fallocate(file->fd,
				  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  (off_t) at, (off_t) bytes));
		memset(file->data + at, 0, bytes);
	}
}

static void do_store(unsigned index UNUSED)
{
	struct file *file = some_open_file();
	size_t at;

	if (!file || !file->size)
		return;
	if (!file->map) {
		file->map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE,
				 MAP_SHARED, file->fd, 0);
		expect(file->map != MAP_FAILED);
	}
	at = roll((unsigned) file->size);
	file->data[at] = (char) roll(256);
	file->map[at] = file->data[at];
	expect(!memcmp(file->map, file->data, file->size));
}

static void do_recover(unsigned index UNUSED)
{
	static struct hugetmpfs_ioc_extents arg;
	struct file *file = some_open_file();
	int ret;

	if (!file || roll(4))
		return;
	memset(&arg, 0, sizeof(arg));
	arg.nr = 1;
	ret = ioctl(file->fd, HUGETMPFS_IOC_RECOVER, &arg);
	expect(!ret && !fsync(file->fd));
}

/* ---- on what is shared ---- */

static void do_append(unsigned index UNUSED)
{
	uint64_t record[2];

	record[0] = me.id;
	record[1] = atomic_fetch_add(&me.shared->records[me.id], 1);
	expect(write(me.log_fd, record, sizeof(record)) == sizeof(record));
}

static void do_lock(unsigned index UNUSED)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t value;

	if (me.id % 2)
		expect(!flock(me.counter_fd, LOCK_EX));
	else
		expect(!fcntl(me.counter_fd, F_SETLKW, &lock));
	/* one counter for each kind of lock */
	expect(pread(me.counter_fd, &value, 8, 8 * (me.id % 2)) == 8);
	value++;
	expect(pwrite(me.counter_fd, &value, 8, 8 * (me.id % 2)) == 8);
	atomic_fetch_add(&me.shared->locked, 1);
	lock.l_type = F_UNLCK;
	if (me.id % 2)
		expect(!flock(me.counter_fd, LOCK_UN));
	else
		expect(!fcntl(me.counter_fd, F_SETLK, &lock));
}

static const struct {
	const char *what;
	void (*act)(unsigned index);
	unsigned weight;
} acts[] = {
	{ "create", do_create, 10 },   { "make", do_make, 8 },
	{ "remove", do_remove, 12 },   { "link", do_link, 6 },
	{ "rename", do_rename, 10 },   { "look", do_look, 8 },
	{ "list", do_list, 2 },	       { "tmpfile", do_tmpfile, 3 },
	{ "open", do_open, 8 },	       { "xattr", do_xattr, 6 },
	{ "mode", do_mode, 3 },	       { "write", do_write, 6 },
	{ "truncate", do_truncate, 4 }, { "fallocate", do_fallocate, 4 },
	{ "store", do_store, 6 },      { "recover", do_recover, 1 },
	{ "append", do_append, 4 },    { "lock", do_lock, 3 },
};
#define NR_ACTS (sizeof(acts) / sizeof(acts[0]))

static void act(void)
{
	unsigned total = 0, pick, i;
	uint64_t began;
	unsigned long took;

	for (i = 0; i < NR_ACTS; i++)
		total += acts[i].weight;
	pick = roll(total);
	for (i = 0; pick >= acts[i].weight; i++)
		pick -= acts[i].weight;
	me.what = acts[i].what;
	began = takeover_now_us();
	acts[i].act(roll(NR_NAMES));
	took = takeover_now_us() - began;
	if (acts[i].act != do_lock && acts[i].act != do_recover &&
	    took > atomic_load(&me.shared->slowest_us))
		atomic_store(&me.shared->slowest_us, took);
	atomic_fetch_add(&me.shared->operations, 1);
}

static void finish(void)
{
	me.what = "the last look";
	do_list(0);
	for (unsigned i = 0; i < NR_NAMES; i++)
		do_look(i);
	for (unsigned i = 0; i < NR_FILES; i++) {
		if (me.files[i].fd >= 0)
			check_content(&me.files[i], me.files[i].fd);
		file_close(&me.files[i]);
	}
	me.what = "the last removal";
	for (unsigned i = 0; i < NR_NAMES; i++)
		if (me.names[i].kind != NOTHING)
			do_remove(i);
	expect(!chdir(".."));
	expect(!rmdir(text(1000 + me.id)));
}

void takeover_work(struct takeover_shared *shared, const char *directory,
		   unsigned id)
{
	me.shared = shared;
	me.id = id;
	me.random = id * UINT64_C(77777) + (uint64_t) getpid();
	me.what = "the beginning";
	for (int i = 0; i < NR_FILES; i++)
		me.files[i].fd = -1;
	expect(!chdir(directory));
	me.log_fd = open("log", O_WRONLY | O_APPEND);
	me.counter_fd = open("counter", O_RDWR);
	expect(me.log_fd >= 0 && me.counter_fd >= 0);
	expect(!mkdir(text(1000 + id), 0755) && !chdir(text(1000 + id)));
	while (!atomic_load(&shared->stop))
		act();
	finish();
	exit(0);
}

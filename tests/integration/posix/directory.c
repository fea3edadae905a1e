/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading directories: completeness, types, positions, changes meanwhile,
 * large ones (POSIX_ENTRIES in the environment, default 20000).
 */
#include "posix.h"

#include <dirent.h>
#include <sys/syscall.h>

static int count_entries(const char *name)
{
	struct dirent *entry;
	int nr = 0;
	DIR *dir = opendir(name);

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			nr++;
	}
	closedir(dir);
	return nr;
}

static void make_many(const char *directory, int nr)
{
	char name[64];

	MUST(mkdir(directory, 0755));
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s/entry-%d", directory, i);
		MUST(mknod(name, S_IFREG | 0644, 0));
	}
}

static void types_and_inodes(void)
{
	struct dirent *entry;
	struct stat st;
	int nr = 0;

	MUST(mkdir("dir", 0755));
	make_file("dir/file", 0644, "");
	MUST(mkdir("dir/sub", 0755));
	MUST(symlink("x", "dir/symlink"));
	MUST(mkfifo("dir/fifo", 0644));
	MUST(mknod("dir/sock", S_IFSOCK | 0644, 0));
	MUST(mknod("dir/char", S_IFCHR | 0644, 0x103));
	MUST(mknod("dir/block", S_IFBLK | 0644, 0x700));
	DIR *dir = opendir("dir");
	MUST(chdir("dir"));
	while (dir && (entry = readdir(dir))) {
		st = stat_of(entry->d_name);
		CHECK_EQ(entry->d_type, IFTODT(st.st_mode));
		CHECK_EQ(entry->d_ino, st.st_ino);
		nr++;
	}
	CHECK_EQ(nr, 9);
	closedir(dir);
}

static void dot_entries(void)
{
	struct dirent *entry;
	int dots = 0;

	MUST(mkdir("dir", 0755));
	DIR *dir = opendir("dir");
	while ((entry = readdir(dir)))
		dots += entry->d_name[0] == '.';
	CHECK_EQ(dots, 2);
	closedir(dir);
}

static void link_counts(void)
{
	char name[32];

	MUST(mkdir("dir", 0755));
	CHECK_EQ(stat_of("dir").st_nlink, 2);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "dir/%d", i);
		MUST(mkdir(name, 0755));
		CHECK_EQ(stat_of("dir").st_nlink, 3 + i);
	}
	make_file("dir/file", 0644, "");
	CHECK_EQ(stat_of("dir").st_nlink, 52);
	MUST(rename("dir/0", "moved"));
	CHECK_EQ(stat_of("dir").st_nlink, 51);
	MUST(rmdir("dir/1"));
	CHECK_EQ(stat_of("dir").st_nlink, 50);
	CHECK_ERR(rmdir("dir"), ENOTEMPTY);
	CHECK_ERR(rmdir("dir/file"), ENOTDIR);
	CHECK_ERR(rmdir("dir/none"), ENOENT);
	CHECK_OK(rmdir("moved"));
}

static void large_directory(void)
{
	const char *text = getenv("POSIX_ENTRIES");
	int nr = text ? atoi(text) : 20000;
	unsigned char *seen = calloc(nr, 1);
	struct dirent *entry;
	int index;

	make_many("dir", nr);
	DIR *dir = opendir("dir");
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "entry-%d", &index) == 1) {
			CHECK(index >= 0 && index < nr);
			CHECK(!seen[index]);
			seen[index] = 1;
		}
	}
	closedir(dir);
	for (index = 0; index < nr && seen[index]; index++)
		;
	CHECK_EQ(index, nr);
	CHECK(exists("dir/entry-0"));
	CHECK(!exists("dir/none"));
	MUST(chdir("dir"));
	for (int i = 0; i < nr; i++) {
		char name[32];

		snprintf(name, sizeof(name), "entry-%d", i);
		CHECK_OK(unlink(name));
	}
	CHECK_OK(rmdir("../dir"));
}

/* The usual rm -r: entries go while they are read. */
static void remove_while_reading(void)
{
	struct dirent *entry;
	int removed = 0;

	make_many("dir", 3000);
	DIR *dir = opendir("dir");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK_OK(unlinkat(dirfd(dir), entry->d_name, 0));
		removed++;
	}
	CHECK_EQ(removed, 3000);
	closedir(dir);
	CHECK_OK(rmdir("dir"));
}

/* Each entry renamed as it is met: the reading must come to an end. */
static void rename_while_reading(void)
{
	struct dirent *entry;
	char name[300];
	int met = 0;

	make_many("dir", 1000);
	DIR *dir = opendir("dir");
	while (dir && (entry = readdir(dir)) && met < 5000) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "x%s", entry->d_name);
		CHECK_OK(renameat(dirfd(dir), entry->d_name, dirfd(dir), name));
		met++;
	}
	CHECK(met < 5000);
	CHECK(met >= 1000);
	closedir(dir);
	CHECK_EQ(count_entries("dir"), 1000);
}

/* Entries made while reading: the old ones are all seen, once, and it ends. */
static void create_while_reading(void)
{
	struct dirent *entry;
	int old_seen = 0, created = 0;
	char name[300];

	make_many("dir", 1000);
	DIR *dir = opendir("dir");
	while (dir && (entry = readdir(dir)) && created < 20000) {
		if (strncmp(entry->d_name, "entry-", 6) == 0)
			old_seen++;
		snprintf(name, sizeof(name), "dir/new-%d", created++);
		MUST(mknod(name, S_IFREG | 0644, 0));
	}
	CHECK(created < 20000);
	CHECK_EQ(old_seen, 1000);
	closedir(dir);
	CHECK_EQ(count_entries("dir"), 1000 + created);
}

static void positions(void)
{
	struct dirent *entry;
	char names[200][32];
	long at[200];
	int nr = 0;

	make_many("dir", 100);
	DIR *dir = opendir("dir");
	for (;;) {
		at[nr] = telldir(dir);
		if (!(entry = readdir(dir)))
			break;
		snprintf(names[nr++], 32, "%.31s", entry->d_name);
	}
	CHECK_EQ(nr, 102);
	for (int i = nr - 1; i >= 0; i -= 7) {
		seekdir(dir, at[i]);
		entry = readdir(dir);
		CHECK(entry && strcmp(entry->d_name, names[i]) == 0);
	}
	/* positions hold when other entries go */
	snprintf(names[150], 32, "dir/%.27s", names[10]);
	if (names[10][0] != '.')
		MUST(unlink(names[150]));
	seekdir(dir, at[50]);
	entry = readdir(dir);
	CHECK(entry && strcmp(entry->d_name, names[50]) == 0);
	/* rewound, a directory shows what is new */
	make_file("dir/fresh", 0644, "");
	rewinddir(dir);
	nr = 0;
	while ((entry = readdir(dir)))
		nr += strcmp(entry->d_name, "fresh") == 0;
	CHECK_EQ(nr, 1);
	closedir(dir);
}

/* Changes by one process are in the next reading of another. */
static void changes_are_seen(void)
{
	int ping[2], pong[2];
	pid_t pid;
	char byte;

	MUST(pipe(ping));
	MUST(pipe(pong));
	MUST(mkdir("dir", 0755));
	IN_CHILD(pid) {
		for (int i = 1; i <= 50; i++) {
			count_entries("dir");
			MUST(write(pong[1], "x", 1));
			MUST(read(ping[0], &byte, 1));
			CHECK_EQ(count_entries("dir"), i);
		}
		_exit(0);
	}
	for (int i = 1; i <= 50; i++) {
		char name[32];

		MUST(read(pong[0], &byte, 1));
		snprintf(name, sizeof(name), "dir/%d", i);
		make_file(name, 0644, "");
		MUST(write(ping[1], "x", 1));
	}
	CHECK_CHILD(pid);
}

/* A buffer too small for one entry, and one that is just large enough. */
static void small_buffers(void)
{
	char buffer[64], tiny[16];
	int nr = 0;
	long got;

	make_many("dir", 30);
	int fd = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(syscall(SYS_getdents64, fd, tiny, sizeof(tiny)), EINVAL);
	while ((got = syscall(SYS_getdents64, fd, buffer,
			      sizeof(buffer))) > 0) {
		for (long at = 0; at < got; nr++)
			at += *(unsigned short *) (buffer + at + 16);
	}
	CHECK_EQ(got, 0);
	CHECK_EQ(nr, 32);
	int file = MUST(open("dir/entry-0", O_RDONLY));
	CHECK_ERR(syscall(SYS_getdents64, file, buffer, sizeof(buffer)),
		  ENOTDIR);
}

#define NR_OPEN 1500 /* more than anybody would hold for others */

static void may_open_many(void)
{
	struct rlimit limit = { 2 * NR_OPEN, 2 * NR_OPEN };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		SKIP("no more than %d files may be open", NR_OPEN);
}

/* Goes on reading a directory, as far as a buffer goes; the entries in it. */
static int read_some(int fd, size_t room)
{
	char buffer[4096];
	long got = MUST(syscall(SYS_getdents64, fd, buffer, room));
	int nr = 0;

	for (long at = 0; at < got; nr++)
		at += *(unsigned short *) (buffer + at + 16);
	return nr;
}

static void many_open(void)
{
	static int fds[NR_OPEN], read[NR_OPEN];
	int nr;

	may_open_many();
	make_many("dir", 30);
	for (int i = 0; i < NR_OPEN; i++) {
		fds[i] = MUST(open("dir", O_RDONLY | O_DIRECTORY));
		read[i] = read_some(fds[i], 256);
	}
	/* there is room for whatever others do */
	make_file("other", 0600, "content");
	CHECK(file_is("other", "content"));
	CHECK_EQ(count_entries("dir"), 30);
	for (int i = 0; i < NR_OPEN; i++) {
		CHECK(read[i] > 0 && read[i] < 32);
		while ((nr = read_some(fds[i], 4096)))
			read[i] += nr;
		CHECK_EQ(read[i], 32);
		MUST(close(fds[i]));
	}
}

static void many_removed(void)
{
	static int fds[NR_OPEN];
	struct stat st;

	may_open_many();
	for (int i = 0; i < NR_OPEN; i++) {
		MUST(mkdir("dir", 0700));
		fds[i] = MUST(open("dir", O_PATH | O_DIRECTORY));
		CHECK_OK(rmdir("dir"));
	}
	make_file("other", 0600, "content");
	CHECK(file_is("other", "content"));
	for (int i = 0; i < NR_OPEN; i++) {
		CHECK_OK(fstat(fds[i], &st));
		CHECK_MODE(st.st_mode, S_IFDIR | 0700);
		CHECK_EQ(st.st_nlink, 0);
		CHECK_ERR(openat(fds[i], "x", O_CREAT | O_RDWR, 0600), ENOENT);
		MUST(close(fds[i]));
	}
}

static const struct posix_test tests[] = {
	T(types_and_inodes),
	T(dot_entries),
	T(link_counts),
	T(large_directory),
	T(remove_while_reading),
	T(rename_while_reading),
	T(create_while_reading),
	T(positions),
	T(changes_are_seen),
	T(small_buffers),
	T(many_open),
	T(many_removed),
};

POSIX_MAIN(tests)

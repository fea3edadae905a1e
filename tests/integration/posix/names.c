/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names: their length, their bytes, long paths, deep trees.
 */
#include "posix.h"

#include <dirent.h>

static void longest_name(void)
{
	char name[258], second[258];

	memset(name, 'n', 256);
	name[255] = 0;
	memset(second, 'm', 256);
	second[255] = 0;
	make_file(name, 0644, "long");
	CHECK(file_is(name, "long"));
	CHECK_OK(rename(name, second));
	CHECK_OK(link(second, name));
	CHECK_EQ(stat_of(name).st_nlink, 2);
	CHECK_OK(unlink(name));
	CHECK_OK(unlink(second));
	CHECK_OK(mkdir(name, 0755));
	CHECK_OK(symlink("x", second));
	CHECK_OK(unlink(second));
	CHECK_OK(rmdir(name));
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0700), ENAMETOOLONG);
	CHECK_ERR(symlink("x", name), ENAMETOOLONG);
	CHECK_ERR(mkfifo(name, 0600), ENAMETOOLONG);
	CHECK_ERR(unlink(name), ENAMETOOLONG);
	CHECK_ERR(rmdir(name), ENAMETOOLONG);
	CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(access(name, F_OK), ENAMETOOLONG);
	make_file("file", 0644, "");
	CHECK_ERR(rename("file", name), ENAMETOOLONG);
	CHECK_ERR(link("file", name), ENAMETOOLONG);
}

static void any_bytes(void)
{
	char name[3] = "";
	bool seen[256] = { false };
	struct dirent *entry;
	DIR *dir;

	for (int c = 1; c < 256; c++) {
		if (c == '/' || c == '.')
			continue;
		name[0] = c;
		make_file(name, 0644, "x");
	}
	dir = opendir(".");
	while (dir && (entry = readdir(dir)))
		seen[(unsigned char) entry->d_name[0]] = true;
	closedir(dir);
	for (int c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		if (!seen[c])
			posix_fail(__FILE__, __LINE__, "name %#x is lost", c);
		if (c == '.')
			continue;
		name[0] = c;
		CHECK(exists(name));
		CHECK_OK(unlink(name));
	}
}

static void odd_names(void)
{
	static const char *const names[] = {
		" ", "  ", "...", ". ", "\n", "a\nb", "*", "-rf", "~", "$HOME",
		"\\", "\"", "%s%n", "\xff\xfe", "\xc3\x28", ".fuse_hidden0001",
		".#lock", "\t", "a b c",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_file(names[i], 0644, names[i]);
		CHECK(file_is(names[i], names[i]));
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK_OK(unlink(names[i]));
	/* upper and lower case are different */
	make_file("Name", 0644, "1");
	CHECK(!exists("name"));
	make_file("name", 0644, "2");
	CHECK(file_is("Name", "1"));
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(mkdir("", 0700), ENOENT);
	CHECK_ERR(mkdir(".", 0700), EEXIST);
	CHECK_ERR(rmdir("."), EINVAL);
	CHECK_ERR(rmdir(".."), ENOTEMPTY);
}

static void longest_path(void)
{
	char path[PATH_MAX + 2];

	memset(path, '/', sizeof(path));
	memcpy(path, ".", 1);
	strcpy(path + PATH_MAX - 1 - 4, "file");
	make_file("file", 0644, "x");
	CHECK_EQ(strlen(path), PATH_MAX - 1);
	CHECK(file_is(path, "x"));
	memset(path, '/', sizeof(path));
	memcpy(path, ".", 1);
	strcpy(path + PATH_MAX - 4, "file");
	CHECK_EQ(strlen(path), PATH_MAX);
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
}

/* Deeper than any path can name, and back. */
static void deep_tree(void)
{
	char name[201];
	int depth = 100;

	memset(name, 'd', 200);
	name[200] = 0;
	for (int i = 0; i < depth; i++) {
		MUST(mkdir(name, 0755));
		MUST(chdir(name));
	}
	make_file("bottom", 0644, "x");
	CHECK(file_is("bottom", "x"));
	CHECK_OK(unlink("bottom"));
	for (int i = 0; i < depth; i++) {
		MUST(chdir(".."));
		CHECK_OK(rmdir(name));
	}
}

static const struct posix_test tests[] = {
	T(longest_name),
	T(any_bytes),
	T(odd_names),
	T(longest_path),
	T(deep_tree),
};

POSIX_MAIN(tests)

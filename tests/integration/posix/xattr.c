/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes: user, trusted and security, sizes, flags, visibility.
 */
#include "posix.h"

#include <sys/xattr.h>

static bool listed(const char *name, const char *xattr)
{
	char names[65536];
	ssize_t size = listxattr(name, names, sizeof(names));

	CHECK(size >= 0);
	for (char *p = names; p < names + size; p += strlen(p) + 1) {
		if (strcmp(p, xattr) == 0)
			return true;
	}
	return false;
}

static void set_get_remove(void)
{
	static const char *const names[] = { "user.a", "trusted.a",
					     "security.a" };
	char value[64];

	make_file("file", 0644, "x");
	MUST(mkdir("dir", 0755));
	for (size_t i = 0; i < 3; i++) {
		const char *xattr = names[i];

		CHECK_ERR(getxattr("file", xattr, value, 64), ENODATA);
		CHECK_OK(setxattr("file", xattr, "value", 5, 0));
		CHECK_EQ(getxattr("file", xattr, value, 64), 5);
		CHECK_EQ(memcmp(value, "value", 5), 0);
		CHECK_EQ(getxattr("file", xattr, NULL, 0), 5);
		CHECK_ERR(getxattr("file", xattr, value, 4), ERANGE);
		CHECK(listed("file", xattr));
		CHECK_OK(setxattr("file", xattr, "", 0, 0));
		CHECK_EQ(getxattr("file", xattr, value, 64), 0);
		CHECK_OK(removexattr("file", xattr));
		CHECK_ERR(removexattr("file", xattr), ENODATA);
		CHECK(!listed("file", xattr));
		CHECK_OK(setxattr("dir", xattr, "d", 1, 0));
		CHECK_EQ(getxattr("dir", xattr, value, 64), 1);
	}
	CHECK_ERR(setxattr("none", "user.a", "x", 1, 0), ENOENT);
	CHECK_EQ(listxattr("file", NULL, 0), 0);
	MUST(setxattr("file", "user.one", "1", 1, 0));
	CHECK_EQ(listxattr("file", NULL, 0), 9);
	CHECK_ERR(listxattr("file", value, 3), ERANGE);
}

static void create_and_replace(void)
{
	char value[8];

	make_file("file", 0644, "x");
	CHECK_ERR(setxattr("file", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	CHECK_OK(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
	CHECK_ERR(setxattr("file", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	CHECK_OK(setxattr("file", "user.a", "3", 1, XATTR_REPLACE));
	CHECK_EQ(getxattr("file", "user.a", value, 8), 1);
	CHECK_EQ(value[0], '3');
	CHECK_ERR(setxattr("file", "user.a", "3", 1, 0x1000), EINVAL);
}

static void sizes(void)
{
	static char value[65537], got[65537];
	char name[300] = "user.";

	make_file("file", 0644, "x");
	memset(value, 'v', sizeof(value));
	CHECK_OK(setxattr("file", "user.page", value, 4096, 0));
	CHECK_EQ(getxattr("file", "user.page", got, sizeof(got)), 4096);
	CHECK_EQ(memcmp(value, got, 4096), 0);
	CHECK_OK(setxattr("file", "user.large", value, 65536, 0));
	CHECK_EQ(getxattr("file", "user.large", got, 65536), 65536);
	CHECK_EQ(memcmp(value, got, 65536), 0);
	CHECK_ERR(setxattr("file", "user.over", value, 65537, 0), E2BIG);
	memset(name + 5, 'n', 250);
	name[255] = 0;
	CHECK_OK(setxattr("file", name, "x", 1, 0));
	CHECK(listed("file", name));
	CHECK_EQ(getxattr("file", name, got, 8), 1);
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERR(setxattr("file", name, "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("file", "user.", "x", 1, 0), EINVAL);
	CHECK_ERR(setxattr("file", "nothing.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("file", "nothing.a", got, 8), EOPNOTSUPP);
	CHECK_ERR(setxattr("file", "", "x", 1, 0), ERANGE);
}

static void binary_values(void)
{
	unsigned char value[256], got[256];

	make_file("file", 0644, "x");
	for (int i = 0; i < 256; i++)
		value[i] = 255 - i;
	CHECK_OK(setxattr("file", "user.binary", value, 256, 0));
	CHECK_EQ(getxattr("file", "user.binary", got, 256), 256);
	CHECK_EQ(memcmp(value, got, 256), 0);
	CHECK_OK(setxattr("file", "user.\xff\x01 weird", value, 1, 0));
	CHECK(listed("file", "user.\xff\x01 weird"));
}

static void visibility_and_permission(void)
{
	char value[8];

	make_file("file", 0644, "x");
	MUST(chown("file", USER_A, GROUP_A));
	CHECK_OK(setxattr("file", "trusted.t", "t", 1, 0));
	CHECK_OK(setxattr("file", "security.s", "s", 1, 0));
	CHECK_OK(setxattr("file", "user.u", "u", 1, 0));
	CHECK(listed("file", "trusted.t"));
	user_is(USER_A, GROUP_A);
	CHECK(!listed("file", "trusted.t"));
	CHECK(listed("file", "user.u"));
	CHECK(listed("file", "security.s"));
	CHECK_ERR(getxattr("file", "trusted.t", value, 8), ENODATA);
	CHECK_ERR(setxattr("file", "trusted.t", "x", 1, 0), EPERM);
	CHECK_ERR(removexattr("file", "trusted.t"), EPERM);
	CHECK_EQ(getxattr("file", "security.s", value, 8), 1);
	CHECK_ERR(setxattr("file", "security.s", "x", 1, 0), EPERM);
	CHECK_OK(setxattr("file", "user.u", "x", 1, 0));
	root_again();
	user_is(USER_B, GROUP_B);
	CHECK_EQ(getxattr("file", "user.u", value, 8), 1);
	CHECK_ERR(setxattr("file", "user.u", "x", 1, 0), EACCES);
	CHECK_ERR(removexattr("file", "user.u"), EACCES);
	root_again();
	MUST(chmod("file", 0600));
	user_is(USER_B, GROUP_B);
	CHECK_ERR(getxattr("file", "user.u", value, 8), EACCES);
	CHECK_OK(listxattr("file", NULL, 0));
	root_again();
}

static void user_only_on_files_and_directories(void)
{
	MUST(symlink("file", "symlink"));
	MUST(mkfifo("fifo", 0666));
	CHECK_ERR(lsetxattr("symlink", "user.a", "x", 1, 0), EPERM);
	CHECK_ERR(setxattr("fifo", "user.a", "x", 1, 0), EPERM);
	CHECK_OK(lsetxattr("symlink", "trusted.a", "x", 1, 0));
	CHECK_EQ(lgetxattr("symlink", "trusted.a", NULL, 0), 1);
	CHECK_OK(setxattr("fifo", "trusted.a", "x", 1, 0));
	/* in a sticky directory of somebody else nobody sets user xattrs */
	MUST(mkdir("sticky", 0777));
	MUST(chmod("sticky", 01777));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(setxattr("sticky", "user.a", "x", 1, 0), EPERM);
	root_again();
}

static void stay_with_the_file(void)
{
	char value[8];

	make_file("file", 0644, "x");
	MUST(setxattr("file", "user.a", "1", 1, 0));
	MUST(link("file", "second"));
	MUST(rename("file", "moved"));
	CHECK_EQ(getxattr("moved", "user.a", value, 8), 1);
	MUST(setxattr("second", "user.a", "22", 2, 0));
	CHECK_EQ(getxattr("moved", "user.a", value, 8), 2);
	int fd = MUST(open("moved", O_RDONLY));
	CHECK_EQ(fgetxattr(fd, "user.a", value, 8), 2);
	CHECK_OK(fsetxattr(fd, "user.b", "x", 1, 0));
	CHECK_OK(fremovexattr(fd, "user.a"));
	CHECK_EQ(flistxattr(fd, value, 8), 7);
	CHECK_ERR(getxattr("second", "user.a", value, 8), ENODATA);
	/* a new file under an old name has none */
	MUST(unlink("second"));
	make_file("second", 0644, "x");
	CHECK_EQ(listxattr("second", NULL, 0), 0);
}

static void many_attributes(void)
{
	char name[32], value[200];

	make_file("file", 0644, "x");
	memset(value, 'x', sizeof(value));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "user.attribute-%d", i);
		CHECK_OK(setxattr("file", name, value, i % 200, 0));
	}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "user.attribute-%d", i);
		CHECK_EQ(getxattr("file", name, NULL, 0), i % 200);
	}
	CHECK(listed("file", "user.attribute-0"));
	CHECK(listed("file", "user.attribute-299"));
}

static const struct posix_test tests[] = {
	T(set_get_remove),
	T(create_and_replace),
	T(sizes),
	T(binary_values),
	T(visibility_and_permission),
	T(user_only_on_files_and_directories),
	T(stay_with_the_file),
	T(many_attributes),
};

POSIX_MAIN(tests)

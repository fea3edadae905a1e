/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX ACLs through their raw xattrs: default ACLs in place of the umask,
 * entries that grant and deny, chmod and the mask.
 */
#include "posix.h"

#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS_XATTR  "system.posix_acl_access"
#define DEFAULT_XATTR "system.posix_acl_default"

enum {
	USER_OBJ = 1,
	USER = 2,
	GROUP_OBJ = 4,
	GROUP = 8,
	MASK = 16,
	OTHER = 32,
	MAX_ENTRIES = 16
};

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[MAX_ENTRIES];
};

struct acl_entry {
	int tag;
	int permissions;
	unsigned id;
};

#define NO_ID 0xffffffffu

static int acl_set(const char *name, const char *xattr,
		   const struct acl_entry *entries, size_t nr)
{
	struct acl acl = { .header.a_version = POSIX_ACL_XATTR_VERSION };

	for (size_t i = 0; i < nr; i++) {
		acl.entries[i].e_tag = entries[i].tag;
		acl.entries[i].e_perm = entries[i].permissions;
		acl.entries[i].e_id = entries[i].id;
	}
	return setxattr(name, xattr, &acl,
			sizeof(acl.header) + nr * sizeof(acl.entries[0]), 0);
}

#define ACL_SET(name, xattr, ...)                                              \
	acl_set(name, xattr, (const struct acl_entry[]) { __VA_ARGS__ },       \
		sizeof((const struct acl_entry[]) { __VA_ARGS__ }) /           \
			sizeof(struct acl_entry))

/* Permissions of an entry, -1 when there is none. */
static int acl_permissions(const char *name, const char *xattr, int tag,
			   unsigned id)
{
	struct acl acl;
	ssize_t size = getxattr(name, xattr, &acl, sizeof(acl));

	if (size < (ssize_t) sizeof(acl.header))
		return -1;
	size = (size - sizeof(acl.header)) / sizeof(acl.entries[0]);
	for (ssize_t i = 0; i < size; i++) {
		if (acl.entries[i].e_tag == tag &&
		    (id == NO_ID || acl.entries[i].e_id == id))
			return acl.entries[i].e_perm;
	}
	return -1;
}

static void need_acls(void)
{
	make_file("probe", 0600, "");
	if (ACL_SET("probe", ACCESS_XATTR, { USER_OBJ, 6, NO_ID },
		    { GROUP_OBJ, 0, NO_ID }, { OTHER, 0, NO_ID }) &&
	    errno == EOPNOTSUPP)
		SKIP("no ACLs here");
	MUST(unlink("probe"));
}

static void default_acl_replaces_umask(void)
{
	need_acls();
	MUST(mkdir("dir", 0777));
	MUST(chmod("dir", 0777));
	CHECK_OK(ACL_SET("dir", DEFAULT_XATTR, { USER_OBJ, 7, NO_ID },
			 { GROUP_OBJ, 7, NO_ID }, { OTHER, 5, NO_ID }));
	umask(077);
	close(MUST(open("dir/file", O_CREAT | O_RDWR, 0666)));
	CHECK_MODE(mode_of("dir/file"), 0664);
	CHECK_OK(mkdir("dir/sub", 0777));
	CHECK_MODE(mode_of("dir/sub"), 0775);
	CHECK_OK(mkfifo("dir/fifo", 0777));
	CHECK_MODE(mode_of("dir/fifo"), 0775);
	CHECK_EQ(acl_permissions("dir/sub", DEFAULT_XATTR, GROUP_OBJ, NO_ID),
		 7);
	CHECK_ERR(getxattr("dir/file", ACCESS_XATTR, NULL, 0), ENODATA);
	close(MUST(open("dir/sub/file", O_CREAT | O_RDWR, 0666)));
	CHECK_MODE(mode_of("dir/sub/file"), 0664);
	int fd = MUST(open("dir", O_TMPFILE | O_RDWR, 0666));
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_MODE(st.st_mode & 0777, 0664);
	/* without a default ACL the umask counts again */
	close(MUST(open("file", O_CREAT | O_RDWR, 0666)));
	CHECK_MODE(mode_of("file"), 0600);
	CHECK_OK(removexattr("dir", DEFAULT_XATTR));
	close(MUST(open("dir/later", O_CREAT | O_RDWR, 0666)));
	CHECK_MODE(mode_of("dir/later"), 0600);
}

static void default_acl_is_inherited(void)
{
	need_acls();
	MUST(mkdir("dir", 0777));
	MUST(chmod("dir", 0777));
	CHECK_OK(ACL_SET("dir", DEFAULT_XATTR, { USER_OBJ, 7, NO_ID },
			 { USER, 6, USER_B }, { GROUP_OBJ, 5, NO_ID },
			 { MASK, 7, NO_ID }, { OTHER, 0, NO_ID }));
	user_is(USER_A, GROUP_A);
	umask(077);
	close(MUST(open("dir/file", O_CREAT | O_RDWR, 0660)));
	CHECK_OK(mkdir("dir/sub", 0777));
	CHECK_EQ(acl_permissions("dir/file", ACCESS_XATTR, USER, USER_B), 6);
	CHECK_EQ(acl_permissions("dir/file", ACCESS_XATTR, MASK, NO_ID), 6);
	CHECK_EQ(acl_permissions("dir/file", ACCESS_XATTR, GROUP_OBJ, NO_ID),
		 5);
	CHECK_MODE(mode_of("dir/file"), 0660);
	CHECK_EQ(acl_permissions("dir/sub", DEFAULT_XATTR, USER, USER_B), 6);
	CHECK_EQ(acl_permissions("dir/sub", ACCESS_XATTR, USER, USER_B), 6);
	CHECK_EQ(stat_of("dir/file").st_uid, USER_A);
	root_again();
	user_is(USER_B, GROUP_B);
	CHECK_OK(open("dir/file", O_RDWR));
	root_again();
	user_is(USER_B + 1, GROUP_B);
	CHECK_ERR(open("dir/file", O_RDONLY), EACCES);
	root_again();
}

static int open_as(uid_t uid, gid_t gid, const char *name, int flags)
{
	int fd, error;

	user_is(uid, gid);
	fd = open(name, flags);
	error = fd < 0 ? errno : 0;
	root_again();
	if (fd >= 0)
		close(fd);
	return error;
}

static void entries_grant_and_deny(void)
{
	need_acls();
	make_file("file", 0604, "x");
	CHECK_OK(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 6, NO_ID },
			 { USER, 6, USER_A }, { USER, 0, USER_B },
			 { GROUP_OBJ, 0, NO_ID }, { GROUP, 4, GROUP_X },
			 { MASK, 6, NO_ID }, { OTHER, 4, NO_ID }));
	CHECK_EQ(open_as(USER_A, GROUP_A, "file", O_RDWR), 0);
	CHECK_EQ(open_as(USER_B, GROUP_B, "file", O_RDONLY), EACCES);
	CHECK_EQ(open_as(USER_B + 5, GROUP_X, "file", O_RDONLY), 0);
	CHECK_EQ(open_as(USER_B + 5, GROUP_X, "file", O_RDWR), EACCES);
	CHECK_EQ(open_as(USER_B + 5, GROUP_B, "file", O_RDONLY), 0);
	CHECK_EQ(open_as(USER_B + 5, 0, "file", O_RDONLY), EACCES);
	CHECK_MODE(mode_of("file"), 0664);
	/* the group bits of chmod are the mask */
	CHECK_OK(chmod("file", 0644));
	CHECK_EQ(acl_permissions("file", ACCESS_XATTR, MASK, NO_ID), 4);
	CHECK_EQ(open_as(USER_A, GROUP_A, "file", O_RDWR), EACCES);
	CHECK_EQ(open_as(USER_A, GROUP_A, "file", O_RDONLY), 0);
	CHECK_OK(removexattr("file", ACCESS_XATTR));
	CHECK_EQ(open_as(USER_A, GROUP_A, "file", O_RDONLY), 0);
}

/* Only the owner sets an ACL; a minimal one just becomes the mode. */
static void setting(void)
{
	need_acls();
	make_file("file", 0600, "x");
	MUST(chown("file", USER_A, GROUP_A));
	MUST(mkdir("dir", 0755));
	user_is(USER_B, GROUP_B);
	CHECK_ERR(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 7, NO_ID },
			  { GROUP_OBJ, 7, NO_ID }, { OTHER, 7, NO_ID }), EPERM);
	root_again();
	user_is(USER_A, GROUP_A);
	CHECK_OK(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 6, NO_ID },
			 { GROUP_OBJ, 4, NO_ID }, { OTHER, 4, NO_ID }));
	CHECK_MODE(mode_of("file"), 0644);
	CHECK_ERR(getxattr("file", ACCESS_XATTR, NULL, 0), ENODATA);
	CHECK_ERR(ACL_SET("file", DEFAULT_XATTR, { USER_OBJ, 6, NO_ID },
			  { GROUP_OBJ, 4, NO_ID }, { OTHER, 4, NO_ID }),
		  EACCES);
	root_again();
	/* a named entry without a mask, and no ACL at all */
	CHECK_ERR(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 6, NO_ID },
			  { USER, 6, USER_B }, { GROUP_OBJ, 4, NO_ID },
			  { OTHER, 4, NO_ID }), EINVAL);
	CHECK_ERR(setxattr("file", ACCESS_XATTR, "rubbish", 7, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("dir", DEFAULT_XATTR, NULL, 0), ENODATA);
	CHECK_MODE(mode_of("file"), 0644);
}

/* As for chmod: a caller outside the group loses S_ISGID. */
static void setting_clears_setgid(void)
{
	need_acls();
	make_file("file", 0755, "x");
	MUST(chown("file", USER_A, GROUP_X));
	MUST(chmod("file", 02755));
	user_is(USER_A, GROUP_A);
	CHECK_OK(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 7, NO_ID },
			 { GROUP_OBJ, 5, NO_ID }, { OTHER, 5, NO_ID }));
	root_again();
	CHECK_MODE(mode_of("file"), 0755);
	MUST(chmod("file", 02755));
	CHECK_OK(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 7, NO_ID },
			 { GROUP_OBJ, 5, NO_ID }, { OTHER, 5, NO_ID }));
	CHECK_MODE(mode_of("file"), 02755);
}

static void listed(void)
{
	char names[256];

	need_acls();
	make_file("file", 0600, "x");
	CHECK_EQ(listxattr("file", names, sizeof(names)), 0);
	CHECK_OK(ACL_SET("file", ACCESS_XATTR, { USER_OBJ, 6, NO_ID },
			 { USER, 4, USER_A }, { GROUP_OBJ, 0, NO_ID },
			 { MASK, 4, NO_ID }, { OTHER, 0, NO_ID }));
	CHECK_EQ(listxattr("file", names, sizeof(names)), sizeof(ACCESS_XATTR));
	CHECK_EQ(strcmp(names, ACCESS_XATTR), 0);
	CHECK_EQ(getxattr("file", ACCESS_XATTR, NULL, 0), 4 + 5 * 8);
	CHECK_ERR(getxattr("file", ACCESS_XATTR, names, 8), ERANGE);
	MUST(symlink("file", "symlink"));
	CHECK_ERR(lgetxattr("symlink", ACCESS_XATTR, NULL, 0), EOPNOTSUPP);
}

static const struct posix_test tests[] = {
	T(default_acl_replaces_umask),
	T(default_acl_is_inherited),
	T(entries_grant_and_deny),
	T(setting),
	T(setting_clears_setgid),
	T(listed),
};

POSIX_MAIN(tests)

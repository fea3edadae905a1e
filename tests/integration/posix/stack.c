/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is put on top of the mount: overlayfs, loop devices, bind mounts, a
 * working directory in another mount namespace.
 */
#include "posix.h"

#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

/* Mounts made here are nobody else's and go with the process. */
static void own_mounts(void)
{
	if (unshare(CLONE_NEWNS))
		SKIP("no mount namespaces");
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void make_layers(void)
{
	MUST(mkdir("lower", 0755));
	MUST(mkdir("upper", 0755));
	MUST(mkdir("work", 0755));
	MUST(mkdir("merged", 0755));
	MUST(mkdir("lower/dir", 0755));
	make_file("lower/file", 0644, "lower");
	make_file("lower/gone", 0644, "gone");
	make_file("lower/dir/inner", 0644, "inner");
}

static void overlay_lower(void)
{
	own_mounts();
	make_layers();
	MUST(mkdir("lower2", 0755));
	if (mount("overlay", "merged", "overlay", MS_RDONLY,
		  "lowerdir=lower:lower2") && errno == ENODEV)
		SKIP("no overlayfs");
	CHECK(file_is("merged/file", "lower"));
	CHECK(file_is("merged/dir/inner", "inner"));
	int fd = MUST(open("merged/file", O_RDONLY));
	char *map = MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	CHECK_EQ(memcmp(map, "lower", 5), 0);
	CHECK_ERR(open("merged/file", O_RDWR), EROFS);
	close(fd);
	munmap(map, 4096);
	CHECK_OK(umount("merged"));
}

static void overlay_upper(void)
{
	struct stat st;

	own_mounts();
	make_layers();
	if (mount("overlay", "merged", "overlay", 0,
		  "lowerdir=lower,upperdir=upper,workdir=work")) {
		if (errno == ENODEV)
			SKIP("no overlayfs");
		MUST(-1);
	}
	int fd = open("merged/file", O_RDWR | O_APPEND);
	CHECK_OK(fd);
	CHECK_EQ(write(fd, "+", 1), 1);
	close(fd);
	CHECK(file_is("merged/file", "lower+"));
	CHECK(file_is("lower/file", "lower"));
	CHECK_OK(unlink("merged/gone"));
	CHECK(!exists("merged/gone"));
	CHECK(exists("lower/gone"));
	CHECK_OK(rename("merged/file", "merged/renamed"));
	CHECK(file_is("merged/renamed", "lower+"));
	CHECK_OK(mkdir("merged/new", 0755));
	make_file("merged/new/file", 0644, "new");
	CHECK_OK(unlink("merged/dir/inner"));
	CHECK_OK(rmdir("merged/dir"));
	CHECK_OK(mkdir("merged/dir", 0755));
	CHECK(!exists("merged/dir/inner"));
	fd = MUST(open("merged", O_TMPFILE | O_RDWR, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	CHECK_OK(umount("merged"));
	CHECK(file_is("upper/renamed", "lower+"));
	CHECK(file_is("upper/new/file", "new"));
	CHECK_OK(lstat("upper/gone", &st));
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0);
}

static void loop_device(void)
{
	char name[32], buffer[4096];
	int control, number, loop = -1, fd;

	control = open("/dev/loop-control", O_RDWR);
	if (control < 0)
		SKIP("no loop devices");
	fd = MUST(open("image", O_CREAT | O_RDWR, 0600));
	MUST(ftruncate(fd, 8 << 20));
	memset(buffer, 'i', sizeof(buffer));
	CHECK_EQ(pwrite(fd, buffer, 4096, 4096), 4096);
	for (int i = 0; i < 20 && loop < 0; i++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(name, sizeof(name), "/dev/loop%d", number);
		loop = open(name, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_SET_FD, fd)) {
			int error = errno;

			close(loop);
			loop = -1;
			if (error != EBUSY) {
				errno = error;
				MUST(-1);
			}
		}
	}
	if (loop < 0)
		SKIP("no free loop device");
	CHECK_EQ(pread(loop, buffer, 4096, 4096), 4096);
	CHECK_EQ(buffer[100], 'i');
	memset(buffer, 'w', sizeof(buffer));
	CHECK_EQ(pwrite(loop, buffer, 4096, 1 << 20), 4096);
	CHECK_OK(fsync(loop));
	CHECK_EQ(pread(fd, buffer, 1, (1 << 20) + 17), 1);
	CHECK_EQ(buffer[0], 'w');
	CHECK_OK(ioctl(loop, LOOP_CLR_FD, 0));
	close(loop);
}

static void bind_mounts(void)
{
	own_mounts();
	MUST(mkdir("from", 0755));
	MUST(mkdir("to", 0755));
	make_file("from/file", 0644, "x");
	CHECK_OK(mount("from", "to", NULL, MS_BIND, NULL));
	CHECK(file_is("to/file", "x"));
	CHECK_ERR(rename("from/file", "to/other"), EXDEV);
	CHECK_ERR(link("from/file", "to/other"), EXDEV);
	CHECK_ERR(rmdir("to"), EBUSY);
	CHECK_OK(mount(NULL, "to", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY,
		       NULL));
	CHECK_ERR(open("to/file", O_RDWR), EROFS);
	CHECK_OK(open("from/file", O_RDWR));
	CHECK_OK(umount2("to", MNT_DETACH));
}

static void other_root(void)
{
	pid_t pid;

	MUST(mkdir("root", 0755));
	make_file("root/file", 0644, "x");
	IN_CHILD(pid) {
		MUST(chroot("root"));
		MUST(chdir("/"));
		CHECK(file_is("/file", "x"));
		CHECK_EQ(stat_of("/..").st_ino, stat_of("/").st_ino);
		make_file("/new", 0644, "y");
		_exit(0);
	}
	CHECK_CHILD(pid);
	CHECK(file_is("root/new", "y"));
}

static const struct posix_test tests[] = {
	T(overlay_lower),
	T(overlay_upper),
	T(loop_device),
	T(bind_mounts),
	T(other_root),
};

POSIX_MAIN(tests)

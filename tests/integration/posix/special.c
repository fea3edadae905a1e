/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fifos, sockets and device nodes.
 */
#include "posix.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static void fifo_carries_data(void)
{
	char buffer[16];
	pid_t pid;

	CHECK_OK(mkfifo("fifo", 0640));
	CHECK(S_ISFIFO(stat_of("fifo").st_mode));
	CHECK_EQ(stat_of("fifo").st_size, 0);
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	IN_CHILD(pid) {
		int fd = MUST(open("fifo", O_WRONLY));

		CHECK_EQ(write(fd, "through", 7), 7);
		_exit(0);
	}
	int fd = MUST(open("fifo", O_RDONLY));
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), 7);
	CHECK_EQ(memcmp(buffer, "through", 7), 0);
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), 0);
	CHECK_CHILD(pid);
	close(fd);
	fd = MUST(open("fifo", O_RDWR));
	CHECK_OK(rename("fifo", "moved"));
	int writer = MUST(open("moved", O_WRONLY | O_NONBLOCK));
	CHECK_EQ(write(writer, "x", 1), 1);
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), 1);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
}

static struct sockaddr_un socket_address(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	return address;
}

static void socket_is_bound(void)
{
	struct sockaddr_un address = socket_address("sock");
	struct sockaddr *sa = (struct sockaddr *) &address;
	char buffer[16];

	int server = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(server, sa, sizeof(address)));
	CHECK(S_ISSOCK(stat_of("sock").st_mode));
	CHECK_MODE(mode_of("sock"), 0755);
	CHECK_OK(listen(server, 1));
	CHECK_ERR(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), sa,
		       sizeof(address)), EADDRINUSE);
	int client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(connect(client, sa, sizeof(address)));
	int accepted = MUST(accept(server, NULL, NULL));
	CHECK_EQ(write(client, "hello", 5), 5);
	CHECK_EQ(read(accepted, buffer, sizeof(buffer)), 5);
	CHECK_ERR(open("sock", O_RDONLY), ENXIO);
	/* renamed and linked it is still the same end point */
	CHECK_OK(rename("sock", "sock2"));
	address = socket_address("sock2");
	CHECK_OK(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), sa,
			 sizeof(address)));
	MUST(chmod("sock2", 0700));
	user_is(USER_A, GROUP_A);
	CHECK_ERR(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), sa,
			  sizeof(address)), EACCES);
	root_again();
	close(server);
	CHECK_ERR(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), sa,
			  sizeof(address)), ECONNREFUSED);
	CHECK_OK(unlink("sock2"));
}

static void socket_of_user(void)
{
	struct sockaddr_un address = socket_address("sock");

	user_is(USER_A, GROUP_A);
	int fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	umask(077);
	CHECK_OK(bind(fd, (struct sockaddr *) &address, sizeof(address)));
	root_again();
	CHECK_EQ(stat_of("sock").st_uid, USER_A);
	CHECK_MODE(mode_of("sock"), 0700);
}

static void device_nodes_work(void)
{
	char buffer[8] = "xxxxxxx";

	CHECK_OK(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	CHECK(S_ISCHR(stat_of("zero").st_mode));
	CHECK_EQ(stat_of("zero").st_rdev, makedev(1, 5));
	int fd = open("zero", O_RDWR);
	if (fd < 0 && errno == EACCES)
		SKIP("mounted nodev");
	CHECK_OK(fd);
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), (int) sizeof(buffer));
	CHECK_EQ(memcmp(buffer, "\0\0\0\0\0\0\0\0", 8), 0);
	CHECK_EQ(write(fd, buffer, 8), 8);
	CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	fd = MUST(open("null", O_RDWR));
	CHECK_EQ(write(fd, buffer, 8), 8);
	CHECK_EQ(read(fd, buffer, 8), 0);
	CHECK_OK(mknod("block", S_IFBLK | 0600, makedev(259, 65535)));
	CHECK(S_ISBLK(stat_of("block").st_mode));
	CHECK_EQ(stat_of("block").st_rdev, makedev(259, 65535));
	CHECK_OK(mknod("large", S_IFCHR | 0600, makedev(4095, 1048575)));
	CHECK_EQ(stat_of("large").st_rdev, makedev(4095, 1048575));
	CHECK_OK(chown("null", USER_A, GROUP_A));
	CHECK_OK(chmod("null", 0600));
	user_is(USER_A, GROUP_A);
	CHECK_OK(open("null", O_WRONLY));
	root_again();
	user_is(USER_B, GROUP_B);
	CHECK_ERR(open("null", O_WRONLY), EACCES);
	root_again();
	CHECK_OK(rename("null", "null2"));
	CHECK_OK(link("null2", "null3"));
	CHECK_OK(unlink("null2"));
	CHECK_OK(open("null3", O_RDWR));
}

static void nodes_need_privilege(void)
{
	user_is(USER_A, GROUP_A);
	CHECK_ERR(mknod("null", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	CHECK_ERR(mknod("block", S_IFBLK | 0666, makedev(7, 0)), EPERM);
	CHECK_OK(mknod("fifo", S_IFIFO | 0666, 0));
	CHECK_OK(mknod("sock", S_IFSOCK | 0666, 0));
	CHECK_OK(mknod("file", 0666, 0));
	CHECK(S_ISREG(stat_of("file").st_mode));
	/* overlayfs's whiteout is the one device for everybody */
	CHECK_OK(mknod("whiteout", S_IFCHR, makedev(0, 0)));
	CHECK_ERR(mknod("dir", S_IFDIR | 0777, 0), EPERM);
	CHECK_ERR(mknod("link", S_IFLNK | 0777, 0), EINVAL);
	root_again();
}

static const struct posix_test tests[] = {
	T(fifo_carries_data),
	T(socket_is_bound),
	T(socket_of_user),
	T(device_nodes_work),
	T(nodes_need_privilege),
};

POSIX_MAIN(tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inotify events and file handles.
 */
#include "posix.h"

#include <poll.h>
#include <sys/inotify.h>

/* All bits of the events that are waiting, for a name or NULL for any. */
static unsigned events_of(int fd, const char *name)
{
	char buffer[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	unsigned mask = 0;

	while (poll(&poll_fd, 1, 20) > 0) {
		ssize_t size = MUST(read(fd, buffer, sizeof(buffer)));

		for (char *p = buffer; p < buffer + size;) {
			struct inotify_event *event = (void *) p;

			if (!name || (event->len &&
				      strcmp(event->name, name) == 0))
				mask |= event->mask;
			p += sizeof(*event) + event->len;
		}
	}
	return mask;
}

static void directory_events(void)
{
	int fd = MUST(inotify_init1(IN_NONBLOCK));

	MUST(mkdir("dir", 0755));
	MUST(inotify_add_watch(fd, "dir", IN_ALL_EVENTS));
	make_file("dir/a", 0644, "x");
	unsigned mask = events_of(fd, "a");
	CHECK(mask & IN_CREATE);
	CHECK(mask & IN_OPEN);
	CHECK(mask & IN_MODIFY);
	CHECK(mask & IN_CLOSE_WRITE);
	CHECK_OK(rename("dir/a", "dir/b"));
	mask = events_of(fd, NULL);
	CHECK(mask & IN_MOVED_FROM);
	CHECK(mask & IN_MOVED_TO);
	CHECK_OK(chmod("dir/b", 0600));
	CHECK(events_of(fd, "b") & IN_ATTRIB);
	CHECK(file_is("dir/b", "x"));
	mask = events_of(fd, "b");
	CHECK(mask & IN_ACCESS);
	CHECK(mask & IN_CLOSE_NOWRITE);
	CHECK_OK(truncate("dir/b", 0));
	CHECK(events_of(fd, "b") & IN_MODIFY);
	CHECK_OK(mkdir("dir/sub", 0755));
	mask = events_of(fd, "sub");
	CHECK(mask & IN_CREATE);
	CHECK(mask & IN_ISDIR);
	CHECK_OK(unlink("dir/b"));
	CHECK(events_of(fd, "b") & IN_DELETE);
	CHECK_OK(rmdir("dir/sub"));
	CHECK_OK(rmdir("dir"));
	CHECK(events_of(fd, NULL) & (IN_DELETE_SELF | IN_IGNORED));
}

static void file_events(void)
{
	int fd = MUST(inotify_init1(IN_NONBLOCK));

	make_file("file", 0644, "x");
	int file = MUST(open("file", O_RDWR));
	MUST(inotify_add_watch(fd, "file", IN_ALL_EVENTS));
	CHECK_EQ(pwrite(file, "y", 1, 0), 1);
	CHECK(events_of(fd, NULL) & IN_MODIFY);
	CHECK_OK(fallocate(file, 0, 0, 4096));
	CHECK(events_of(fd, NULL) & IN_MODIFY);
	CHECK_OK(unlink("file"));
	unsigned mask = events_of(fd, NULL);
	CHECK(mask & IN_ATTRIB);
	CHECK(!(mask & IN_DELETE_SELF));
	close(file);
	for (int i = 0; i < 50 && !(mask & IN_DELETE_SELF); i++)
		mask |= events_of(fd, NULL);
	CHECK(mask & IN_DELETE_SELF);
}

struct handle {
	struct file_handle handle;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static int handle_of(const char *name, struct handle *handle)
{
	int mount_id;

	handle->handle.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(AT_FDCWD, name, &handle->handle, &mount_id, 0);
}

static void handles_open_the_file(void)
{
	struct handle a, b;
	char buffer[8];

	make_file("file", 0644, "content");
	MUST(mkdir("dir", 0755));
	make_file("dir/inner", 0644, "inner");
	int mount_fd = MUST(open(".", O_RDONLY));
	MUST(handle_of("file", &a));
	int fd = open_by_handle_at(mount_fd, &a.handle, O_RDWR);
	CHECK_OK(fd);
	CHECK_EQ(read(fd, buffer, 7), 7);
	CHECK_EQ(memcmp(buffer, "content", 7), 0);
	MUST(rename("file", "dir/moved"));
	CHECK_OK(open_by_handle_at(mount_fd, &a.handle, O_RDWR));
	MUST(handle_of("dir/moved", &b));
	CHECK_EQ(a.handle.handle_bytes, b.handle.handle_bytes);
	CHECK_EQ(memcmp(a.handle.f_handle, b.handle.f_handle,
			a.handle.handle_bytes), 0);
	MUST(handle_of("dir", &b));
	int dir = open_by_handle_at(mount_fd, &b.handle,
				    O_RDONLY | O_DIRECTORY);
	CHECK_OK(dir);
	CHECK_OK(faccessat(dir, "inner", F_OK, 0));
	MUST(handle_of("dir/inner", &b));
	CHECK_OK(unlink("dir/inner"));
	make_file("dir/inner", 0644, "another");
	CHECK_ERR(open_by_handle_at(mount_fd, &b.handle, O_RDWR), ESTALE);
	user_is(USER_A, GROUP_A);
	CHECK_ERR(open_by_handle_at(mount_fd, &a.handle, O_RDONLY), EPERM);
	root_again();
}

static const struct posix_test tests[] = {
	T(directory_events),
	T(file_events),
	T(handles_open_the_file),
};

POSIX_MAIN(tests)

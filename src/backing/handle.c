/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File handles of the backing tmpfs, by name_to_handle_at(2) and
 * open_by_handle_at(2) (FACTS K5, K9).
 */
#include "backing/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* struct file_handle with room for a handle of tmpfs. */
union handle_buffer {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + BACKING_HANDLE_BYTES];
};

int backing_handle_of(int fd, struct backing_handle *handle)
{
	union handle_buffer buffer = {
		.handle.handle_bytes = BACKING_HANDLE_BYTES,
	};
	int mount_id;

	if (name_to_handle_at(fd, "", &buffer.handle, &mount_id, AT_EMPTY_PATH))
		return errno == EOVERFLOW ? -EOPNOTSUPP : -errno;
	if (buffer.handle.handle_bytes != BACKING_HANDLE_BYTES)
		return -EOPNOTSUPP;
	handle->type = buffer.handle.handle_type;
	memcpy(handle->bytes, buffer.handle.f_handle, BACKING_HANDLE_BYTES);
	return 0;
}

int backing_handle_open(int root_fd, const struct backing_handle *handle,
			int flags)
{
	union handle_buffer buffer = {
		.handle.handle_bytes = BACKING_HANDLE_BYTES,
		.handle.handle_type = handle->type,
	};
	int fd;

	memcpy(buffer.handle.f_handle, handle->bytes, BACKING_HANDLE_BYTES);
	fd = open_by_handle_at(root_fd, &buffer.handle, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool backing_handle_is_equal(const struct backing_handle *a,
			     const struct backing_handle *b)
{
	return a->type == b->type &&
	       !memcmp(a->bytes, b->bytes, BACKING_HANDLE_BYTES);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a mount's device number to a connected socket, by the folders that the
 * keepers make under the runtime dir.
 */
#include "client/lookup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

int lookup_parse(FILE *file, dev_t *dev)
{
	unsigned dev_major, dev_minor;
	char *line = NULL;
	size_t size = 0;
	int ret = -EPROTO;

	while (ret && getline(&line, &size, file) >= 0) {
		if (sscanf(line, "dev %u:%u", &dev_major, &dev_minor) != 2)
			continue;
		*dev = makedev(dev_major, dev_minor);
		ret = 0;
	}
	free(line);
	return ret;
}

static int socket_connect(const char *path, unsigned timeout_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a full backlog makes connect wait this long at most */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		       sizeof(timeout)) ||
	    connect(fd, (const struct sockaddr *) &address, sizeof(address))) {
		ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* The socket of one folder: -ENODEV when it is another mount's. */
static int folder_connect(const char *folder, dev_t dev, unsigned timeout_ms)
{
	dev_t found;
	char path[256];
	FILE *file;
	int n, ret;

	n = snprintf(path, sizeof(path), "%s/%s", folder, PROTOCOL_MOUNT_NAME);
	if (n < 0 || (size_t) n >= sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
	ret = lookup_parse(file, &found);
	fclose(file);
	if (ret || found != dev)
		return -ENODEV;
	n = snprintf(path, sizeof(path), "%s/%s", folder, PROTOCOL_SOCKET_NAME);
	if (n < 0 || (size_t) n >= sizeof(path))
		return -ENAMETOOLONG;
	ret = socket_connect(path, timeout_ms);
	return ret == -ENOENT ? -ECONNREFUSED : ret;
}

int lookup_connect(const char *dir, dev_t dev, unsigned timeout_ms)
{
	struct dirent *entry;
	char folder[256];
	int ret = -ENODEV, n;
	DIR *stream = opendir(dir);

	if (!stream)
		return errno == ENOENT ? -ENODEV : -errno;
	while ((entry = readdir(stream))) {
		int one;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		n = snprintf(folder, sizeof(folder), "%s/%s", dir,
			     entry->d_name);
		if (n < 0 || (size_t) n >= sizeof(folder))
			continue;
		one = folder_connect(folder, dev, timeout_ms);
		if (one >= 0) {
			ret = one;
			break;
		}
		/* a number may be used again: a leftover is no last word */
		if (one != -ENODEV)
			ret = one;
	}
	closedir(stream);
	return ret;
}

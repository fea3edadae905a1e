/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking the daemon of a mount.
 */
#include "ctl/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/message.h"

int mount_ask(const char *path, const char *command, const char *argument,
	      hugetmpfs_line_fn *fn, void *arg)
{
	char name[SHOW_NAME_BYTES], message[1024] = "";
	struct hugetmpfs_connection *connection;
	int ret = hugetmpfs_connect(&connection, path);

	if (!ret) {
		ret = hugetmpfs_request(connection, command, argument, fn, arg,
					message, sizeof(message));
		hugetmpfs_close(connection);
	}
	if (!ret)
		return CTL_DONE;
	ctl_error("%s: %s", show_name(path, name),
		  *message ? message : mount_error_text(ret));
	return CTL_ERROR;
}

int mount_number(const char *value, char *name, size_t name_bytes,
		 uint64_t *number)
{
	const char *space = strchr(value, ' ');
	char *end;

	if (!space || (size_t) (space - value) >= name_bytes)
		return -EPROTO;
	memcpy(name, value, (size_t) (space - value));
	name[space - value] = '\0';
	errno = 0;
	*number = strtoull(space + 1, &end, 10);
	return errno || end == space + 1 || *end ? -EPROTO : 0;
}

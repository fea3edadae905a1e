/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking the daemon of a mount.
 */
#include "ctl/mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"

int mount_request(const char *path, const char *command, const char *argument,
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
	if (ret)
		ctl_error("%s: %s", show_name(path, name),
			  *message ? message : mount_error_text(ret));
	return ret;
}

int mount_ask(const char *path, const char *command, const char *argument,
	      hugetmpfs_line_fn *fn, void *arg)
{
	return mount_request(path, command, argument, fn, arg) ? CTL_ERROR
							       : CTL_DONE;
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

int mount_setting(json_t *settings, const char *value)
{
	const char *word = strchr(value, ' ');
	uint64_t number;
	char name[64];

	if (!word || (size_t) (word - value) >= sizeof(name))
		return -EPROTO;
	if (!mount_number(value, name, sizeof(name), &number)) {
		json_set_integer(settings, name, number);
		return 0;
	}
	memcpy(name, value, (size_t) (word - value));
	name[word++ - value] = '\0';
	if (!strcmp(word, "on") || !strcmp(word, "off"))
		json_set(settings, name, json_boolean(!strcmp(word, "on")));
	else
		json_set_name(settings, name, word);
	return 0;
}

void mount_print_settings(const json_t *settings)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *) settings, key, value) {
		if (json_is_integer(value))
			printf("  %-24s%20lld\n", key,
			       (long long) json_integer_value(value));
		else if (json_is_boolean(value))
			printf("  %-24s%20s\n", key,
			       json_is_true(value) ? "on" : "off");
		else
			printf("  %-24s%20s\n", key, json_string_value(value));
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl set: the settings of recovery on a mount, shown and changed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/mount.h"

static const char set_usage[] =
	"set [--json] MOUNT [KEY=VALUE]...\n"
	"Changes settings of recovery on a mount, all that are named or none;\n"
	"without any, shows those that hold. hugetmpfsctl(8) explains them.\n"
	"Only root may. MOUNT is the mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write those that hold as a JSON object\n"
	"  -h, --help  show this\n";

static int set_line(void *settings, const char *key, const char *value)
{
	return strcmp(key, "setting") ? 0 : mount_setting(settings, value);
}

/* The words as one argument of the request, for the caller to free. */
static char *set_join(char **words, int nr)
{
	size_t length = 1;
	char *text;

	for (int i = 0; i < nr; i++)
		length += strlen(words[i]) + 1;
	text = calloc(1, length);
	for (int i = 0; text && i < nr; i++) {
		if (i)
			strcat(text, ",");
		strcat(text, words[i]);
	}
	return text;
}

static int set_settings(const char *mount, char **words, int nr, bool json)
{
	json_t *settings = json_object();
	char *text = set_join(words, nr);
	int ret = -ENOMEM;

	if (text)
		ret = mount_request(mount, PROTOCOL_SET, *text ? text : NULL,
				    set_line, settings);
	else
		ctl_error("not enough memory");
	free(text);
	if (!ret && json) {
		json_print(settings);
		return CTL_DONE;
	}
	if (!ret && !nr)
		mount_print_settings(settings);
	json_decref(settings);
	/* what the daemon does not understand is wrong on the command line */
	if (ret == -EINVAL)
		return CTL_USAGE;
	return ret ? CTL_ERROR : CTL_DONE;
}

static int set_run(int argc, char **argv)
{
	bool json;
	int code;

	if (!command_json_option(&command_set, argc, argv, &json, &code))
		return code;
	if (optind == argc)
		return command_misused(&command_set,
				       "one mount has to be named");
	for (int i = optind + 1; i < argc; i++) {
		/* a list of nodes is the one value with a comma in it */
		if (!strchr(argv[i], '=') ||
		    (strchr(argv[i], ',') && strncmp(argv[i], "numa=", 5)))
			return command_misused(&command_set,
					       "\"%s\" is not KEY=VALUE",
					       argv[i]);
	}
	return set_settings(argv[optind], argv + optind + 1, argc - optind - 1,
			    json);
}

const struct command command_set = {
	.name = "set",
	.summary = "show and change the settings of recovery",
	.usage = set_usage,
	.run = set_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl upgrade: goes on with the program as it is installed now.
 */
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/mount.h"
#include "ctl/status.h"

static const char upgrade_usage[] =
	"upgrade [--json] MOUNT\n"
	"Has another daemon take the mount over, of the program hugetmpfs as it is\n"
	"installed now. Nothing that uses the mount notices. A program that cannot\n"
	"go on is refused, and the daemon stays. Only root may. MOUNT is the\n"
	"mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write the versions before and after as a JSON object\n"
	"  -h, --help  show this\n";

/* The program is tried, the daemon finishes, another one takes over. */
#define UPGRADE_TIMEOUT_MS 60000

static int upgrade_request(const char *mount)
{
	struct hugetmpfs_connection *connection;
	char name[SHOW_NAME_BYTES], message[1024] = "";
	int ret = hugetmpfs_connect(&connection, mount);

	if (!ret) {
		hugetmpfs_set_timeout(connection, UPGRADE_TIMEOUT_MS);
		ret = hugetmpfs_request(connection, PROTOCOL_UPGRADE, NULL,
					NULL, NULL, message, sizeof(message));
		hugetmpfs_close(connection);
	}
	if (ret)
		ctl_error("%s: %s", show_name(mount, name),
			  *message ? message : mount_error_text(ret));
	return ret ? CTL_ERROR : CTL_DONE;
}

static void upgrade_show(const char *mount, const json_t *before,
			 const json_t *after, bool json)
{
	char name[SHOW_NAME_BYTES];
	json_t *object;

	if (!json) {
		printf("%s: version %s, was %s; the daemon is process %lld\n",
		       show_name(mount, name),
		       json_string_value(json_object_get(after, "version")),
		       json_string_value(json_object_get(before, "version")),
		       (long long) json_integer_value(
			       json_object_get(after, "daemon_pid")));
		return;
	}
	object = json_object();
	json_set_name(object, "path", mount);
	json_set(object, "version_before",
		 json_incref(json_object_get(before, "version")));
	json_set(object, "version",
		 json_incref(json_object_get(after, "version")));
	json_set(object, "daemon_pid",
		 json_incref(json_object_get(after, "daemon_pid")));
	json_print(object);
}

static int upgrade_run(int argc, char **argv)
{
	json_t *before, *after;
	bool json;
	int code;

	if (!command_json_option(&command_upgrade, argc, argv, &json, &code))
		return code;
	if (optind != argc - 1)
		return command_misused(&command_upgrade,
				       "one mount has to be named");
	before = status_new();
	after = status_new();
	code = mount_ask(argv[optind], PROTOCOL_STATUS, PROTOCOL_NO_SCAN,
			 status_line, before);
	if (code == CTL_DONE)
		code = upgrade_request(argv[optind]);
	if (code == CTL_DONE)
		code = mount_ask(argv[optind], PROTOCOL_STATUS,
				 PROTOCOL_NO_SCAN, status_line, after);
	if (code == CTL_DONE)
		upgrade_show(argv[optind], before, after, json);
	json_decref(before);
	json_decref(after);
	return code;
}

const struct command command_upgrade = {
	.name = "upgrade",
	.summary = "go on with the program as it is installed now",
	.usage = upgrade_usage,
	.run = upgrade_run,
};

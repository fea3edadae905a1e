/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl counters: what the daemon of a mount has counted.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/mount.h"

static const char counters_usage[] =
	"counters [--json] MOUNT\n"
	"Shows the counters of a mount; hugetmpfsctl(8) says what they mean.\n"
	"Only root may. MOUNT is the mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write a JSON object\n"
	"  -h, --help  show this\n";

/* json NULL: text. */
static int counters_line(void *json, const char *key, const char *value)
{
	char name[64];
	uint64_t number;
	int ret;

	if (strcmp(key, "counter"))
		return 0;
	ret = mount_number(value, name, sizeof(name), &number);
	if (ret)
		return ret;
	if (json)
		json_set_integer(json, name, number);
	else
		printf("%-24s%20" PRIu64 "\n", name, number);
	return 0;
}

static int counters_run(int argc, char **argv)
{
	bool json;
	json_t *object;
	int code;

	if (!command_json_option(&command_counters, argc, argv, &json, &code))
		return code;
	if (optind != argc - 1)
		return command_misused(&command_counters,
				       "one mount has to be named");
	object = json ? json_object() : NULL;
	code = mount_ask(argv[optind], PROTOCOL_COUNTERS, NULL, counters_line,
			 object);
	if (code == CTL_DONE && json)
		json_print(object);
	else
		json_decref(object);
	return code;
}

const struct command command_counters = {
	.name = "counters",
	.summary = "show the counters of a mount",
	.usage = counters_usage,
	.run = counters_run,
};

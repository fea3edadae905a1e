/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl counters: what the daemon of a mount has counted.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/mount.h"

static const char counters_usage[] =
	"counters [--json] MOUNT|FILE\n"
	"Shows the counters of a mount, or what came of the recoveries of a file;\n"
	"hugetmpfsctl(8) says what they mean. Only root may. MOUNT is the\n"
	"mountpoint or any directory on the mount.\n"
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

/* The argument that asks for those of a file, NULL for those of the mount. */
static const char *counters_of(const char *path, char *text, size_t size)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return NULL;
	snprintf(text, size, "%" PRIu64, (uint64_t) st.st_ino);
	return text;
}

static int counters_run(int argc, char **argv)
{
	char ino[24];
	bool json;
	json_t *object;
	int code;

	if (!command_json_option(&command_counters, argc, argv, &json, &code))
		return code;
	if (optind != argc - 1)
		return command_misused(&command_counters,
				       "one mount has to be named, or a file");
	object = json ? json_object() : NULL;
	code = mount_ask(argv[optind], PROTOCOL_COUNTERS,
			 counters_of(argv[optind], ino, sizeof(ino)),
			 counters_line, object);
	if (code == CTL_DONE && json)
		json_print(object);
	else
		json_decref(object);
	return code;
}

const struct command command_counters = {
	.name = "counters",
	.summary = "show the counters of a mount or a file",
	.usage = counters_usage,
	.run = counters_run,
};

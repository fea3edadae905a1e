/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl status: everything about a mount. The daemon's lines are put
 * into the JSON object first; the text is written from there.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/mount.h"

static const char status_usage[] =
	"status [--json] [--no-scan] MOUNT\n"
	"Shows the state of a mount: its processes, options, what the kernel\n"
	"offers, its space, and how much of its files is in huge pages. Only\n"
	"root may. MOUNT is the mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write a JSON object\n"
	"  --no-scan   leave out the states, for which every file is looked at\n"
	"  -h, --help  show this\n";

/* Where each key of the answer goes. */
enum status_kind { STATUS_TEXT, STATUS_INTEGER, STATUS_ON_OFF };

static const struct status_key {
	const char *key;
	enum status_kind kind;
} status_keys[] = {
	{ "mountpoint", STATUS_TEXT },
	{ "version", STATUS_TEXT },
	{ "keeper_pid", STATUS_INTEGER },
	{ "daemon_pid", STATUS_INTEGER },
	{ "options", STATUS_TEXT },
	{ "passthrough", STATUS_ON_OFF },
	{ "recoveries", STATUS_INTEGER },
	{ "queued", STATUS_INTEGER },
	{ "running", STATUS_INTEGER },
	{ "size_bytes", STATUS_INTEGER },
	{ "used_bytes", STATUS_INTEGER },
	{ "free_bytes", STATUS_INTEGER },
	{ "nr_inodes", STATUS_INTEGER },
	{ "used_inodes", STATUS_INTEGER },
	{ "free_inodes", STATUS_INTEGER },
	{ "files", STATUS_INTEGER },
	{ "unreadable", STATUS_INTEGER },
	{ "swapped_bytes", STATUS_INTEGER },
	{ "other_bytes", STATUS_INTEGER },
};

/* Keys that come once a name, "KEY NAME NUMBER", and the object they fill. */
static const char *const status_groups[][2] = {
	{ "extents", "extents_by_state" },
	{ "bytes", "bytes_by_state" },
	{ "counter", "counters" },
};

static json_t *status_new(void)
{
	json_t *status = json_object();

	for (size_t i = 0; i < NR(status_keys); i++)
		json_set(status, status_keys[i].key, json_null());
	json_set(status, "settings", json_object());
	json_set(status, "interfaces", json_array());
	json_set(status, "extents_by_state", json_null());
	json_set(status, "bytes_by_state", json_null());
	json_set(status, "counters", json_object());
	return status;
}

static int set_integer(json_t *status, const char *key, const char *value)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno || end == value || *end)
		return -EPROTO;
	json_set_integer(status, key, number);
	return 0;
}

/* "NAME present|absent WHAT ITS ABSENCE COSTS" */
static int add_interface(json_t *status, const char *value)
{
	json_t *interface;
	char name[64], state[16];
	int length = 0;

	if (sscanf(value, "%63s %15s %n", name, state, &length) != 2 || !length)
		return -EPROTO;
	interface = json_object();
	json_set_name(interface, "name", name);
	json_set(interface, "present", json_boolean(!strcmp(state, "present")));
	json_set_name(interface, "absence", value + length);
	json_append(json_object_get(status, "interfaces"), interface);
	return 0;
}

static int add_to_group(json_t *status, const char *group, const char *value)
{
	uint64_t number;
	char name[64];
	int ret = mount_number(value, name, sizeof(name), &number);

	if (ret)
		return ret;
	if (!json_is_object(json_object_get(status, group)))
		json_set(status, group, json_object());
	json_set_integer(json_object_get(status, group), name, number);
	return 0;
}

static int set_key(json_t *status, const struct status_key *key,
		   const char *value)
{
	switch (key->kind) {
	case STATUS_INTEGER:
		return set_integer(status, key->key, value);
	case STATUS_ON_OFF:
		json_set(status, key->key, json_boolean(!strcmp(value, "on")));
		return 0;
	case STATUS_TEXT:
		json_set_name(status, key->key, value);
		return 0;
	}
	return -EPROTO;
}

/* Says on a terminal that a long scan goes on. */
static void show_scanned(const char *value)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rlooked at %s extents\033[K", value);
}

static int status_line(void *arg, const char *key, const char *value)
{
	json_t *status = arg;

	for (size_t i = 0; i < NR(status_keys); i++) {
		if (!strcmp(key, status_keys[i].key))
			return set_key(status, &status_keys[i], value);
	}
	for (size_t i = 0; i < NR(status_groups); i++) {
		if (!strcmp(key, status_groups[i][0]))
			return add_to_group(status, status_groups[i][1], value);
	}
	if (!strcmp(key, "setting"))
		return mount_setting(json_object_get(status, "settings"),
				     value);
	if (!strcmp(key, "interface"))
		return add_interface(status, value);
	if (!strcmp(key, "scanned"))
		show_scanned(value);
	return 0;
}

static uint64_t integer_of(const json_t *object, const char *key)
{
	return (uint64_t) json_integer_value(json_object_get(object, key));
}

static void print_text(const json_t *status, const char *key)
{
	char text[SHOW_NAME_BYTES];
	const char *value = json_string_value(json_object_get(status, key));

	printf("%-14s%s\n", key, show_name(value ? value : "", text));
}

/* "space   1.0 GiB used, 3.0 GiB free of 4.0 GiB", or that it has no limit. */
static void print_space(const json_t *status)
{
	char used[SHOW_SIZE_BYTES], left[SHOW_SIZE_BYTES],
		size[SHOW_SIZE_BYTES];

	if (json_is_integer(json_object_get(status, "size_bytes")))
		printf("%-14s%s used, %s free of %s\n", "space",
		       show_size((double) integer_of(status, "used_bytes"), used),
		       show_size((double) integer_of(status, "free_bytes"), left),
		       show_size((double) integer_of(status, "size_bytes"), size));
	else
		printf("%-14sno limit\n", "space");
	if (json_is_integer(json_object_get(status, "nr_inodes")))
		printf("%-14s%" PRIu64 " used, %" PRIu64 " free of %" PRIu64
		       "\n", "inodes", integer_of(status, "used_inodes"),
		       integer_of(status, "free_inodes"),
		       integer_of(status, "nr_inodes"));
	else
		printf("%-14sno limit\n", "inodes");
}

static void print_interfaces(const json_t *status)
{
	const json_t *interfaces = json_object_get(status, "interfaces");
	const json_t *one;
	size_t i;

	puts("interfaces of the kernel:");
	json_array_foreach(interfaces, i, one) {
		bool present = json_is_true(json_object_get(one, "present"));

		printf("  %-32s%s%s\n",
		       json_string_value(json_object_get(one, "name")),
		       present ? "present" : "absent: ",
		       present ? "" : json_string_value(
					      json_object_get(one, "absence")));
	}
}

static void print_states(const json_t *status)
{
	const json_t *extents = json_object_get(status, "extents_by_state");
	const json_t *bytes = json_object_get(status, "bytes_by_state");
	char size[SHOW_SIZE_BYTES];

	if (!json_is_object(bytes)) {
		puts("files: not looked at");
		return;
	}
	printf("files: %" PRIu64, integer_of(status, "files"));
	if (integer_of(status, "unreadable"))
		printf(", %" PRIu64 " could not be looked at",
		       integer_of(status, "unreadable"));
	putchar('\n');
	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++) {
		const char *name = hugetmpfs_state_name(i);

		printf("  %-12s%12" PRIu64 " extents%14s\n", name,
		       integer_of(extents, name),
		       show_size((double) integer_of(bytes, name), size));
	}
	printf("  %-12s%34s\n", "on swap",
	       show_size((double) integer_of(status, "swapped_bytes"), size));
	if (json_is_integer(json_object_get(status, "other_bytes")))
		printf("  %-12s%34s  in files without a name, and symlinks\n",
		       "other",
		       show_size((double) integer_of(status, "other_bytes"),
				 size));
}

static void print_status(json_t *status)
{
	const char *key;
	json_t *value;

	print_text(status, "mountpoint");
	print_text(status, "version");
	printf("%-14s%" PRIu64 "\n", "keeper_pid",
	       integer_of(status, "keeper_pid"));
	printf("%-14s%" PRIu64 "\n", "daemon_pid",
	       integer_of(status, "daemon_pid"));
	print_text(status, "options");
	printf("%-14s%s\n", "passthrough",
	       json_is_true(json_object_get(status, "passthrough")) ?
		       "on" :
		       "off: mappings will not be huge");
	printf("%-14s%" PRIu64 " queued, %" PRIu64 " running of at most %" PRIu64
	       "\n", "recovery", integer_of(status, "queued"),
	       integer_of(status, "running"),
	       integer_of(status, "recoveries"));
	print_space(status);
	puts("settings of recovery:");
	mount_print_settings(json_object_get(status, "settings"));
	print_interfaces(status);
	print_states(status);
	puts("counters that are not 0:");
	json_object_foreach(json_object_get(status, "counters"), key, value) {
		if (json_integer_value(value))
			printf("  %-24s%20" PRIu64 "\n", key,
			       (uint64_t) json_integer_value(value));
	}
}

static int status_show(const char *mount, const char *argument, bool json)
{
	json_t *status = status_new();
	int code = mount_ask(mount, PROTOCOL_STATUS, argument, status_line,
			     status);

	if (!argument && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (code == CTL_DONE && json) {
		json_print(status);
		return code;
	}
	if (code == CTL_DONE)
		print_status(status);
	json_decref(status);
	return code;
}

static int status_run(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "no-scan", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *argument = NULL;
	bool json = false;
	int c, code;

	while ((c = command_option(&command_status, argc, argv, longopts,
				   &code)) >= 0) {
		json |= c == 'j';
		if (c == 'n')
			argument = PROTOCOL_NO_SCAN;
	}
	if (c == -2)
		return code;
	if (optind != argc - 1)
		return command_misused(&command_status,
				       "one mount has to be named");
	return status_show(argv[optind], argument, json);
}

const struct command command_status = {
	.name = "status",
	.summary = "show the state of a mount",
	.usage = status_usage,
	.run = status_run,
};

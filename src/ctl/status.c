/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon says of a mount, put into the documented JSON object.
 */
#include "ctl/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/mount.h"

/* Where each key of the answer goes. */
enum status_kind { STATUS_TEXT, STATUS_INTEGER, STATUS_SIGNED, STATUS_ON_OFF };

static const struct status_key {
	const char *key;
	enum status_kind kind;
} status_keys[] = {
	{ "mountpoint", STATUS_TEXT },
	{ "version", STATUS_TEXT },
	{ "keeper_pid", STATUS_INTEGER },
	{ "daemon_pid", STATUS_INTEGER },
	{ "options", STATUS_TEXT },
	{ "survival", STATUS_TEXT },
	{ "passthrough", STATUS_ON_OFF },
	{ "seccomp", STATUS_TEXT },
	{ "capabilities", STATUS_TEXT },
	{ "memory_lock", STATUS_TEXT },
	{ "keeper_locked_bytes", STATUS_INTEGER },
	{ "daemon_locked_bytes", STATUS_INTEGER },
	{ "keeper_oom_score_adj", STATUS_SIGNED },
	{ "daemon_oom_score_adj", STATUS_SIGNED },
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
	{ "misplaced_bytes", STATUS_INTEGER },
	{ "other_bytes", STATUS_INTEGER },
};

/* Keys that come once a name, "KEY NAME NUMBER", and the object they fill. */
static const char *const status_groups[][2] = {
	{ "extents", "extents_by_state" },
	{ "bytes", "bytes_by_state" },
	{ "node_bytes", "bytes_by_node" },
	{ "policy", "files_by_policy" },
	{ "counter", "counters" },
};

json_t *status_new(void)
{
	json_t *status = json_object();

	for (size_t i = 0; i < NR(status_keys); i++)
		json_set(status, status_keys[i].key, json_null());
	json_set(status, "settings", json_object());
	json_set(status, "interfaces", json_array());
	json_set(status, "extents_by_state", json_null());
	json_set(status, "bytes_by_state", json_null());
	json_set(status, "bytes_by_node", json_null());
	json_set(status, "files_by_policy", json_null());
	json_set(status, "counters", json_object());
	json_set(status, "latencies", json_object());
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

/* "NAME SUM_NS COUNT...": the counts of the buckets, from the shortest on */
static int add_latency(json_t *status, const char *value)
{
	json_t *latency = json_object(), *counts = json_array();
	const char *space = strchr(value, ' ');
	uint64_t number, count = 0;
	char name[64], *end;

	json_set(latency, "counts", counts);
	if (!space || (size_t) (space - value) >= sizeof(name))
		goto err_latency;
	snprintf(name, sizeof(name), "%.*s", (int) (space - value), value);
	number = strtoull(space + 1, &end, 10);
	json_set_integer(latency, "sum_ns", number);
	while (*end == ' ') {
		value = end + 1;
		number = strtoull(value, &end, 10);
		if (end == value)
			goto err_latency;
		json_append(counts, json_integer((json_int_t) number));
		count += number;
	}
	if (*end || !json_array_size(counts))
		goto err_latency;
	json_set_integer(latency, "count", count);
	json_set(json_object_get(status, "latencies"), name, latency);
	return 0;

err_latency:
	json_decref(latency);
	return -EPROTO;
}

static int set_signed(json_t *status, const char *key, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (end == value || *end)
		return -EPROTO;
	json_set(status, key, json_integer(number));
	return 0;
}

static int set_key(json_t *status, const struct status_key *key,
		   const char *value)
{
	switch (key->kind) {
	case STATUS_INTEGER:
		return set_integer(status, key->key, value);
	case STATUS_SIGNED:
		return set_signed(status, key->key, value);
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

int status_line(void *arg, const char *key, const char *value)
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
	if (!strcmp(key, "latency"))
		return add_latency(status, value);
	if (!strcmp(key, "scanned"))
		show_scanned(value);
	return 0;
}

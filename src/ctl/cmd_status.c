/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl status: everything about a mount, as JSON or as text.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/mount.h"
#include "ctl/status.h"

static const char status_usage[] =
	"status [--json] [--no-scan] MOUNT\n"
	"Shows the state of a mount: its processes, options, what the kernel\n"
	"offers, its space, and how much of its files is in huge pages. Only\n"
	"root may. MOUNT is the mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write a JSON object\n"
	"  --no-scan   leave out the states, for which every file is looked at\n"
	"  -h, --help  show this\n";

#define NS_PER_US 1000.0

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

/* Only those that there are. */
static void print_policies(const json_t *policies)
{
	const json_t *nr;
	const char *name;

	json_object_foreach((json_t *) policies, name, nr) {
		if (json_integer_value(nr))
			printf(", %lld with recover=%s of their own",
			       (long long) json_integer_value(nr), name);
	}
}

/* With one node there is nothing to tell. */
static void print_nodes(const json_t *status)
{
	const json_t *nodes = json_object_get(status, "bytes_by_node");
	char size[SHOW_SIZE_BYTES];
	const json_t *bytes;
	const char *nid;

	if (json_object_size(nodes) <= 1 &&
	    !integer_of(status, "misplaced_bytes"))
		return;
	json_object_foreach((json_t *) nodes, nid, bytes) {
		printf("  node %-7s%34s\n", nid,
		       show_size((double) json_integer_value(bytes), size));
	}
	printf("  %-12s%34s  on other nodes than policy says\n", "misplaced",
	       show_size((double) integer_of(status, "misplaced_bytes"),
			 size));
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
	print_policies(json_object_get(status, "files_by_policy"));
	putchar('\n');
	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++) {
		const char *name = hugetmpfs_state_name(i);

		printf("  %-12s%12" PRIu64 " extents%14s\n", name,
		       integer_of(extents, name),
		       show_size((double) integer_of(bytes, name), size));
	}
	printf("  %-12s%34s\n", "on swap",
	       show_size((double) integer_of(status, "swapped_bytes"), size));
	print_nodes(status);
	if (json_is_integer(json_object_get(status, "other_bytes")))
		printf("  %-12s%34s  in files without a name, and symlinks\n",
		       "other",
		       show_size((double) integer_of(status, "other_bytes"),
				 size));
}

/* The upper bound of the bucket that part (0 to 1) of all fits into. */
static const char *show_bound(const json_t *latency, double part,
			      char *out, size_t out_bytes)
{
	const json_t *counts = json_object_get(latency, "counts");
	uint64_t sum = 0, all = integer_of(latency, "count");
	size_t i, last = json_array_size(counts) - 1;
	json_t *count;

	json_array_foreach((json_t *) counts, i, count) {
		sum += (uint64_t) json_integer_value(count);
		if ((double) sum >= part * (double) all)
			break;
	}
	if (i < last)
		snprintf(out, out_bytes, "%" PRIu64, UINT64_C(1) << i);
	else
		snprintf(out, out_bytes, "more");
	return out;
}

static void print_latencies(const json_t *status)
{
	char half[24], most[24];
	const char *name;
	json_t *latency;

	printf("durations in us: %15s%12s%12s%12s\n", "number", "average",
	       "50 % to", "99 % to");
	json_object_foreach(json_object_get(status, "latencies"), name,
			    latency) {
		uint64_t count = integer_of(latency, "count");

		if (!count)
			continue;
		printf("  %-10s%20" PRIu64 "%12.1f%12s%12s\n", name, count,
		       (double) integer_of(latency, "sum_ns") / NS_PER_US /
			       (double) count,
		       show_bound(latency, 0.5, half, sizeof(half)),
		       show_bound(latency, 0.99, most, sizeof(most)));
	}
}

/* "memory_lock   on: 3.0 MiB by the keeper, 9.1 MiB by the daemon" */
static void print_locked(const json_t *status)
{
	const json_t *state = json_object_get(status, "memory_lock");
	char keeper[SHOW_SIZE_BYTES], daemon[SHOW_SIZE_BYTES];

	printf("%-14s%s: %s by the keeper, %s by the daemon\n", "memory_lock",
	       json_string_value(state) ? json_string_value(state) : "unknown",
	       show_size((double) integer_of(status, "keeper_locked_bytes"),
			 keeper),
	       show_size((double) integer_of(status, "daemon_locked_bytes"),
			 daemon));
	printf("%-14s%lld of the keeper, %lld of the daemon\n", "oom_score_adj",
	       (long long) json_integer_value(
		       json_object_get(status, "keeper_oom_score_adj")),
	       (long long) json_integer_value(
		       json_object_get(status, "daemon_oom_score_adj")));
}

/* Said beforehand: when it has come to that, it is too late. */
static void print_survival(const char *survival)
{
	const char *text = "if the keeper dies, the files are gone; see anchor "
			   "in hugetmpfs(8)";

	if (survival && !strcmp(survival, "anchor"))
		text = "if the keeper dies, hugetmpfs --attach brings the files "
		       "back";
	else if (survival && !strcmp(survival, "fd_store"))
		text = "if the keeper dies, another one goes on";
	printf("%-14s%s\n", "survival", text);
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
	print_survival(json_string_value(json_object_get(status, "survival")));
	printf("%-14s%s\n", "passthrough",
	       json_is_true(json_object_get(status, "passthrough")) ?
		       "on" :
		       "off: mappings will not be huge");
	print_text(status, "seccomp");
	print_text(status, "capabilities");
	print_locked(status);
	printf("%-14s%" PRIu64 " queued, %" PRIu64 " running of at most %" PRIu64
	       "\n", "recovery", integer_of(status, "queued"),
	       integer_of(status, "running"),
	       integer_of(status, "recoveries"));
	print_space(status);
	puts("settings of recovery:");
	mount_print_settings(json_object_get(status, "settings"));
	print_interfaces(status);
	print_states(status);
	print_latencies(status);
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

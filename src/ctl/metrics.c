/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metrics: families one after the other, each with what it is and its samples.
 * All samples have the mount as a label, so that those of several mounts can be
 * put together. Only what costs nothing to know is here, unless the files were
 * looked at.
 */
#include "ctl/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <hugetmpfs/types.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/status.h"

#define NS_PER_S 1000000000
#define US_PER_S 1000000.0
#define PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

/* Pairs of a name and a value. */
#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A number of the status that is a metric as it stands. */
struct metrics_number {
	const char *key;
	const char *name;
	const char *unit; /* or NULL */
	const char *help;
};

static const struct metrics_number metrics_numbers[] = {
	{ "queued", "queue_extents", "extents", "Works that wait." },
	{ "running", "running_extents", "extents", "Works under way." },
	{ "size_bytes", "size_bytes", "bytes",
	  "Limit on the size; absent without one." },
	{ "used_bytes", "used_bytes", "bytes", "Bytes in use." },
	{ "free_bytes", "free_bytes", "bytes", "Bytes left." },
	{ "nr_inodes", "size_inodes", "inodes",
	  "Limit on the inodes; absent without one." },
	{ "used_inodes", "used_inodes", "inodes", "Inodes in use." },
	{ "free_inodes", "free_inodes", "inodes", "Inodes left." },
};

int metrics_line(void *arg, const char *key, const char *value)
{
	struct metrics *metrics = arg;
	const char *space = strchr(value, ' ');
	char name[64];

	if (strcmp(key, "meaning"))
		return status_line(metrics->status, key, value);
	if (!space || (size_t) (space - value) >= sizeof(name))
		return -EPROTO;
	snprintf(name, sizeof(name), "%.*s", (int) (space - value), value);
	json_set_name(metrics->meanings, name, space + 1);
	return 0;
}

/* Text inside of quotes, or of a help. */
static void put_escaped(struct metrics *metrics, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", metrics->out);
		else if (*text == '\\' || *text == '"')
			fprintf(metrics->out, "\\%c", *text);
		else
			putc(*text, metrics->out);
	}
}

static void put_family(struct metrics *metrics, const char *name,
		       const char *type, const char *unit, const char *help)
{
	const char *suffix = "";

	if (metrics->prometheus && !strcmp(type, "counter"))
		suffix = "_total";
	if (metrics->prometheus && !strcmp(type, "info")) {
		suffix = "_info";
		type = "gauge";
	}
	fprintf(metrics->out, "# TYPE hugetmpfs_%s%s %s\n", name, suffix, type);
	if (unit && !metrics->prometheus)
		fprintf(metrics->out, "# UNIT hugetmpfs_%s %s\n", name, unit);
	fprintf(metrics->out, "# HELP hugetmpfs_%s%s ", name, suffix);
	put_escaped(metrics, help);
	putc('\n', metrics->out);
}

/* Everything of a sample but its value. labels NULL: none but the mount. */
static void put_sample(struct metrics *metrics, const char *name,
		       const char *suffix, const char *const *labels)
{
	fprintf(metrics->out, "hugetmpfs_%s%s{mount=\"", name, suffix);
	put_escaped(metrics, metrics->mountpoint);
	putc('"', metrics->out);
	for (; labels && *labels; labels += 2) {
		fprintf(metrics->out, ",%s=\"", labels[0]);
		put_escaped(metrics, labels[1]);
		putc('"', metrics->out);
	}
	fputs("} ", metrics->out);
}

static void put_number(struct metrics *metrics, const char *name,
		       const char *suffix, const char *const *labels,
		       uint64_t number)
{
	put_sample(metrics, name, suffix, labels);
	fprintf(metrics->out, "%" PRIu64 "\n", number);
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t) json_integer_value(json_object_get(object, key));
}

static void put_up(struct metrics *metrics, bool up)
{
	put_family(metrics, "up", "gauge", NULL,
		   "Whether the daemon of the mount answers.");
	put_number(metrics, "up", "", NULL, up);
}

static void put_mount(struct metrics *metrics)
{
	const json_t *status = metrics->status;
	const char *version =
		json_string_value(json_object_get(status, "version"));

	put_family(metrics, "build", "info", NULL, "The daemon's program.");
	put_number(metrics, "build", "_info",
		   LABELS("version", version ? version : ""), 1);
	put_family(metrics, "passthrough", "gauge", NULL,
		   "Whether mappings can be huge.");
	put_number(metrics, "passthrough", "", NULL,
		   json_is_true(json_object_get(status, "passthrough")));
	for (size_t i = 0; i < NR(metrics_numbers); i++) {
		const struct metrics_number *number = &metrics_numbers[i];

		if (!json_is_integer(json_object_get(status, number->key)))
			continue;
		put_family(metrics, number->name, "gauge", number->unit,
			   number->help);
		put_number(metrics, number->name, "", NULL,
			   number_of(status, number->key));
	}
}

/* One family, a sample for each member of an object of the status. */
static void put_object(struct metrics *metrics, const char *member,
		       const char *name, const char *unit, const char *label,
		       const char *help)
{
	const char *key;
	json_t *value;

	put_family(metrics, name, "gauge", unit, help);
	json_object_foreach(json_object_get(metrics->status, member), key,
			    value)
		put_number(metrics, name, "", LABELS(label, key),
			   (uint64_t) json_integer_value(value));
}

/* What is known when the files were looked at. */
static void put_files(struct metrics *metrics)
{
	const json_t *status = metrics->status;

	if (!json_is_object(json_object_get(status, "bytes_by_state")))
		return;
	put_object(metrics, "extents_by_state", "file_extents", "extents",
		   "state", "Extents of all files, by state.");
	put_object(metrics, "bytes_by_state", "file_bytes", "bytes", "state",
		   "Bytes with data in extents of each state; of hole those "
		   "without.");
	put_object(metrics, "bytes_by_node", "node_bytes", "bytes", "node",
		   "Bytes of files in memory, by NUMA node.");
	put_family(metrics, "misplaced_bytes", "gauge", "bytes",
		   "Bytes on other NUMA nodes than policy says.");
	put_number(metrics, "misplaced_bytes", "", NULL,
		   number_of(status, "misplaced_bytes"));
}

static void put_interfaces(struct metrics *metrics)
{
	const json_t *interface;
	size_t i;

	put_family(metrics, "interface_present", "gauge", NULL,
		   "Whether the kernel has an optional interface.");
	json_array_foreach(json_object_get(metrics->status, "interfaces"), i,
			   interface)
		put_number(metrics, "interface_present", "",
			   LABELS("interface",
				  json_string_value(json_object_get(interface,
								    "name"))),
			   json_is_true(json_object_get(interface, "present")));
}

/* The word of a setting that takes words, "off" among them; else NULL. */
static const char *word_of(const char *key, const json_t *value)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (strcmp(key, "recover"))
		return NULL;
	return json_is_true(value) ? "on" : "off";
}

/* Numbers, and on and off, are gauges; words become labels. */
static void put_settings(struct metrics *metrics)
{
	const char *key, *word;
	json_t *value;
	char name[96];

	json_object_foreach(json_object_get(metrics->status, "settings"), key,
			    value) {
		word = word_of(key, value);
		snprintf(name, sizeof(name), "setting_%s", key);
		if (word) {
			put_family(metrics, name, "info", NULL,
				   "A setting of recovery.");
			put_number(metrics, name, "_info", LABELS(key, word),
				   1);
			continue;
		}
		put_family(metrics, name, "gauge", NULL,
			   "A setting of recovery; 0 and 1 are off and on.");
		put_number(metrics, name, "", NULL,
			   json_is_boolean(value) ?
				   json_is_true(value) :
				   (uint64_t) json_integer_value(value));
	}
}

/* Counters whose names begin with prefix: one family, by what follows it. */
static void put_group(struct metrics *metrics, const char *prefix,
		      const char *family, const char *label, const char *help)
{
	json_t *counters = json_object_get(metrics->status, "counters");
	size_t length = strlen(prefix);
	const char *key;
	json_t *value;

	put_family(metrics, family, "counter", NULL, help);
	json_object_foreach(counters, key, value) {
		if (!strncmp(key, prefix, length))
			put_number(metrics, family, "_total",
				   LABELS(label, key + length),
				   (uint64_t) json_integer_value(value));
	}
}

static void put_counters(struct metrics *metrics)
{
	json_t *counters = json_object_get(metrics->status, "counters");
	const char *key, *meaning;
	json_t *value;

	json_object_foreach(counters, key, value) {
		if (!strncmp(key, "ended_", 6) || !strncmp(key, "fuse_", 5))
			continue;
		meaning = json_string_value(
			json_object_get(metrics->meanings, key));
		put_family(metrics, key, "counter", NULL,
			   meaning ? meaning : "");
		put_number(metrics, key, "_total", NULL,
			   (uint64_t) json_integer_value(value));
	}
	put_group(metrics, "ended_", "works_ended", "reason",
		  "Works that ended, by the reason.");
	put_group(metrics, "fuse_", "fuse_requests", "request",
		  "Requests that the kernel sent to the daemon.");
	put_family(metrics, "recovered_bytes", "counter", "bytes",
		   "Bytes in the extents that were made huge.");
	put_number(metrics, "recovered_bytes", "_total", NULL,
		   number_of(counters, "huge_alloced") *
			   HUGETMPFS_EXTENT_BYTES);
	put_family(metrics, "filled_bytes", "counter", "bytes",
		   "Bytes of holes that were filled by that.");
	put_number(metrics, "filled_bytes", "_total", NULL,
		   number_of(counters, "page_created") * PAGE_BYTES);
}

/* The buckets of one histogram, each with all that is below it. */
static void put_histogram(struct metrics *metrics, const char *step,
			  json_t *latency)
{
	static const char name[] = "step_duration_seconds";
	json_t *counts = json_object_get(latency, "counts");
	uint64_t sum_ns = number_of(latency, "sum_ns"), count = 0;
	size_t i, last = json_array_size(counts) - 1;
	json_t *value;
	char le[32];

	json_array_foreach(counts, i, value) {
		count += (uint64_t) json_integer_value(value);
		snprintf(le, sizeof(le), "%.9g",
			 (double) (UINT64_C(1) << i) / US_PER_S);
		put_number(metrics, name, "_bucket",
			   LABELS("step", step, "le", i < last ? le : "+Inf"),
			   count);
	}
	put_sample(metrics, name, "_sum", LABELS("step", step));
	fprintf(metrics->out, "%" PRIu64 ".%09" PRIu64 "\n", sum_ns / NS_PER_S,
		sum_ns % NS_PER_S);
	put_number(metrics, name, "_count", LABELS("step", step), count);
}

static void put_latencies(struct metrics *metrics)
{
	const char *step;
	json_t *latency;

	put_family(metrics, "step_duration_seconds", "histogram", "seconds",
		   "How long the steps of recovery took.");
	json_object_foreach(json_object_get(metrics->status, "latencies"), step,
			    latency)
		put_histogram(metrics, step, latency);
}

static void put_end(struct metrics *metrics)
{
	if (!metrics->prometheus)
		fputs("# EOF\n", metrics->out);
}

void metrics_write(struct metrics *metrics)
{
	put_up(metrics, true);
	put_mount(metrics);
	put_files(metrics);
	put_interfaces(metrics);
	put_settings(metrics);
	put_counters(metrics);
	put_latencies(metrics);
	put_end(metrics);
}

void metrics_write_down(struct metrics *metrics)
{
	put_up(metrics, false);
	put_end(metrics);
}

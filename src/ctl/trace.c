/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One event a line, in columns or as JSON.
 */
#include "ctl/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/json.h"
#include "ctl/message.h"

#define NS_PER_US 1000
#define NS_PER_S  1000000000
#define NOT_ASKED "not_asked"

struct event {
	uint64_t time_ns, ino, index, duration_ns;
	char pass[16], before[16], after[16], reason[32];
	unsigned pages, error;
	int pid;
	const char *path; /* "" for none */
};

static int parse(struct event *event, const char *value)
{
	int length = 0;

	if (sscanf(value,
		   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %15s %15s %15s %u "
		   "%" SCNu64 " %31s %d %u%n",
		   &event->time_ns, &event->ino, &event->index, event->pass,
		   event->before, event->after, &event->pages,
		   &event->duration_ns, event->reason, &event->pid,
		   &event->error, &length) != 11 ||
	    value[length] != ' ')
		return -EPROTO;
	event->path = value + length + 1;
	return 0;
}

static void print_json(const struct event *event)
{
	const char *error = strerrorname_np((int) event->error);
	json_t *line = json_object();

	json_set_integer(line, "time_ns", event->time_ns);
	json_set(line, "pass", json_string(event->pass));
	json_set_integer(line, "ino", event->ino);
	json_set_integer(line, "index", event->index);
	if (*event->path)
		json_set_name(line, "file", event->path);
	else
		json_set(line, "file", json_null());
	json_set(line, "before", json_string(event->before));
	json_set(line, "after", json_string(event->after));
	json_set_integer(line, "pages", event->pages);
	json_set_integer(line, "duration_ns", event->duration_ns);
	json_set(line, "reason", json_string(event->reason));
	json_set(line, "errno", event->error && error ? json_string(error) :
							json_null());
	json_set(line, "pid", event->pid ? json_integer(event->pid) :
					   json_null());
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

/* "swapped>small", "-" for nothing to tell. */
static void print_text(const struct event *event)
{
	char name[SHOW_NAME_BYTES], change[34], reason[64], pid[16] = "-";
	time_t seconds = (time_t) (event->time_ns / NS_PER_S);
	const char *error = strerrorname_np((int) event->error);
	struct tm tm;

	localtime_r(&seconds, &tm);
	snprintf(change, sizeof(change), "%s>%s", event->before, event->after);
	snprintf(reason, sizeof(reason), "%s%s%s",
		 strcmp(event->reason, NOT_ASKED) ? event->reason : "-",
		 event->error ? ":" : "",
		 event->error && error ? error : "");
	if (event->pid)
		snprintf(pid, sizeof(pid), "%d", event->pid);
	printf("%02d:%02d:%02d.%06u %-8s %8" PRIu64 " %-15s %5u %-18s %8s "
	       "%8" PRIu64 " %7" PRIu64 " %s\n",
	       tm.tm_hour, tm.tm_min, tm.tm_sec,
	       (unsigned) (event->time_ns % NS_PER_S / NS_PER_US), event->pass,
	       event->duration_ns / NS_PER_US, change, event->pages, reason,
	       pid, event->ino, event->index,
	       *event->path ? show_name(event->path, name) : "-");
}

void trace_begin(struct trace_output *output)
{
	if (!output->begun && !output->json)
		printf("%-15s %-8s %8s %-15s %5s %-18s %8s %8s %7s %s\n",
		       "TIME", "PASS", "US", "STATE", "PAGES", "REASON", "PID",
		       "INODE", "EXTENT", "FILE");
	output->begun = true;
}

int trace_event(struct trace_output *output, const char *value)
{
	struct event event;
	int ret = parse(&event, value);

	if (ret)
		return ret;
	trace_begin(output);
	if (output->json)
		print_json(&event);
	else
		print_text(&event);
	return 0;
}

int trace_lost(struct trace_output *output, const char *value)
{
	char *end;
	uint64_t nr = strtoull(value, &end, 10);

	if (end == value || *end)
		return -EPROTO;
	trace_begin(output);
	if (output->json)
		printf("{\"lost\":%" PRIu64 "}\n", nr);
	else
		printf("lost %" PRIu64 " lines\n", nr);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each command of the control socket answers. The keys are documented in
 * hugetmpfsctl(8).
 */
#include "control/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>
#include <hugetmpfs/types.h>

#include "base/log.h"
#include "base/number.h"
#include "control/answer.h"
#include "control/processes.h"
#include "control/scan.h"
#include "control/server.h"
#include "control/trace.h"
#include "mm/mm.h"
#include "namespace/table.h"
#include "recovery/latency.h"
#include "recovery/recovery.h"

#define PAGE_BYTES (HUGETMPFS_EXTENT_BYTES / HUGETMPFS_EXTENT_PAGES)

static const char *const state_names[] = {
#define X(constant, name, meaning) [HUGETMPFS_##constant] = name,
	HUGETMPFS_STATES(X)
#undef X
};

static const char *const policy_names[] = {
	[HUGETMPFS_BACKGROUND_OFF] = "off",
	[HUGETMPFS_BACKGROUND_MAPPED] = "mapped",
	[HUGETMPFS_BACKGROUND_ALL] = "all",
};
#define NR_POLICIES (sizeof(policy_names) / sizeof(policy_names[0]))

/* One command: run() fills the answer, or fills *rest for more to come. */
struct command {
	const char *name;
	void (*run)(const struct control_config *config, char *argument,
		    struct answer *answer, struct command_rest *rest);
};

static void add_counters(const struct control_config *config,
			 struct answer *answer)
{
	_Atomic uint64_t *words = table_counters(config->table);

	for (size_t run = 0; run < config->nr_counters; run++) {
		const struct control_counters *counters = &config->counters[run];

		for (unsigned i = 0; i < counters->nr; i++) {
			if (!counters->names[i])
				continue;
			answer_line(answer, "counter", "%s %" PRIu64,
				    counters->names[i],
				    atomic_load_explicit(
					    &words[counters->first + i],
					    memory_order_relaxed));
		}
	}
}

/* "meaning NAME TEXT", for the counters that have one */
static void add_meanings(const struct control_config *config,
			 struct answer *answer)
{
	for (size_t run = 0; run < config->nr_counters; run++) {
		const struct control_counters *counters = &config->counters[run];

		for (unsigned i = 0; counters->meanings && i < counters->nr;
		     i++) {
			if (counters->names[i])
				answer_line(answer, "meaning", "%s %s",
					    counters->names[i],
					    counters->meanings[i]);
		}
	}
}

/* "latency NAME SUM_NS COUNT...", a count for each bucket */
static void add_latencies(const struct control_config *config,
			  struct answer *answer)
{
	char text[(RECOVERY_LATENCY_BUCKETS + 1) * 21 + 1];
	int length;

	for (unsigned i = 0; config->latencies && i < RECOVERY_NR_LATENCIES;
	     i++) {
		struct recovery_histogram *histogram =
			&config->latencies->histogram[i];

		length = sprintf(text, "%" PRIu64,
				 atomic_load_explicit(&histogram->sum_ns,
						      memory_order_relaxed));
		for (unsigned b = 0; b < RECOVERY_LATENCY_BUCKETS; b++)
			length += sprintf(text + length, " %" PRIu64,
					  atomic_load_explicit(
						  &histogram->count[b],
						  memory_order_relaxed));
		answer_line(answer, "latency", "%s %s",
			    recovery_latency_names[i], text);
	}
}

static void add_setting(void *answer, const char *key, const char *value)
{
	answer_line(answer, "setting", "%s %s", key, value);
}

static void add_settings(const struct control_config *config,
			 struct answer *answer)
{
	struct recovery_settings settings;

	recovery_settings_get(config->recovery, &settings);
	recovery_settings_show(&settings, add_setting, answer);
}

static void add_interfaces(const struct control_config *config,
			   struct answer *answer)
{
	for (size_t i = 0; i < config->nr_interfaces; i++) {
		const struct mm_interface *info = &config->interfaces[i];

		answer_line(answer, "interface", "%s %s %s", info->name,
			    info->present ? "present" : "absent",
			    info->absence);
	}
}

static void add_space(const struct control_config *config,
		      struct answer *answer)
{
	struct statvfs st;

	if (fstatvfs(config->root_fd, &st))
		return;
	/* 0 is how tmpfs says that there is no limit, and does not count */
	if (st.f_blocks) {
		answer_line(answer, "size_bytes", "%" PRIu64,
			    (uint64_t) st.f_blocks * st.f_frsize);
		answer_line(answer, "used_bytes", "%" PRIu64,
			    (uint64_t) (st.f_blocks - st.f_bfree) *
				    st.f_frsize);
		answer_line(answer, "free_bytes", "%" PRIu64,
			    (uint64_t) st.f_bavail * st.f_frsize);
	}
	if (st.f_files) {
		answer_line(answer, "nr_inodes", "%" PRIu64,
			    (uint64_t) st.f_files);
		answer_line(answer, "used_inodes", "%" PRIu64,
			    (uint64_t) (st.f_files - st.f_ffree));
		answer_line(answer, "free_inodes", "%" PRIu64,
			    (uint64_t) st.f_ffree);
	}
}

/* Everything but what a scan finds. */
static void add_mount(const struct control_config *config,
		      struct answer *answer)
{
	char *options = config->options(config->options_arg);
	struct recovery_load load;

	answer_line(answer, "mountpoint", "%s", config->mountpoint);
	answer_line(answer, "version", "%s", config->version);
	answer_line(answer, "keeper_pid", "%d", (int) config->keeper_pid);
	answer_line(answer, "daemon_pid", "%d", (int) getpid());
	if (options)
		answer_line(answer, "options", "%s", options);
	else
		answer->failed = true;
	free(options);
	answer_line(answer, "survival", "%s", config->survival);
	answer_line(answer, "passthrough", "%s",
		    config->passthrough ? "on" : "off");
	processes_add(config, answer);
	add_settings(config, answer);
	add_interfaces(config, answer);
	recovery_load(config->recovery, &load);
	answer_line(answer, "recoveries", "%u", load.recoveries);
	answer_line(answer, "queued", "%u", load.queued);
	answer_line(answer, "running", "%u", load.running);
	add_space(config, answer);
	add_counters(config, answer);
	add_latencies(config, answer);
}

static void run_attach(const struct control_config *config, char *argument,
		       struct answer *answer, struct command_rest *rest)
{
	(void) argument;
	(void) rest;
	answer_error(answer, -EBUSY, "the daemon of %s lives: nothing is to be "
		     "attached", config->mountpoint);
}

static void run_ping(const struct control_config *config, char *argument,
		     struct answer *answer, struct command_rest *rest)
{
	(void) config;
	(void) rest;
	if (*argument) {
		answer_error(answer, -EINVAL, "ping takes no argument");
		return;
	}
	answer_ok(answer);
	answer_end(answer);
}

static void run_cancel(const struct control_config *config, char *argument,
		       struct answer *answer, struct command_rest *rest)
{
	(void) rest;
	if (*argument) {
		answer_error(answer, -EINVAL, "cancel takes no argument");
		return;
	}
	answer_ok(answer);
	answer_line(answer, "cancelled", "%" PRIu64,
		    recovery_cancel_asked(config->recovery, 0));
	answer_end(answer);
}

static void add_tally(const struct control_config *config, uint64_t ino,
		      struct answer *answer)
{
	static const char *const names[] = {
#define X(constant, name, meaning) [HUGETMPFS_REASON_##constant] = name,
		HUGETMPFS_REASONS(X)
#undef X
	};
	struct recovery_tally tally;

	recovery_file_tally(config->recovery, ino, &tally);
	answer_line(answer, "counter", "bytes_recovered %" PRIu64,
		    tally.completed * HUGETMPFS_EXTENT_BYTES);
	answer_line(answer, "counter", "recov_completed %" PRIu64,
		    tally.completed);
	for (int i = 0; i < HUGETMPFS_NR_REASONS; i++)
		answer_line(answer, "counter", "ended_%s %" PRIu64, names[i],
			    tally.ended[i]);
}

static void run_counters(const struct control_config *config, char *argument,
			 struct answer *answer, struct command_rest *rest)
{
	const char *end = argument;
	uint64_t ino = 0;

	(void) rest;
	if (*argument &&
	    (!number_parse(argument, false, &end, &ino) || *end || !ino)) {
		answer_error(answer, -EINVAL,
			     "counters takes the inode number of a file, not "
			     "'%.100s'", argument);
		return;
	}
	answer_ok(answer);
	if (ino)
		add_tally(config, ino, answer);
	else
		add_counters(config, answer);
	answer_end(answer);
}

/* False when that has failed, which was answered. */
static bool begin_scan(const struct control_config *config,
		       struct answer *answer, struct command_rest *rest)
{
	int ret = scan_create(&rest->scan, config->root_fd, config->recovery);

	if (ret)
		answer_error(answer, ret, "cannot look at the files");
	return !ret;
}

static void run_status(const struct control_config *config, char *argument,
		       struct answer *answer, struct command_rest *rest)
{
	if (*argument && strcmp(argument, PROTOCOL_NO_SCAN)) {
		answer_error(answer, -EINVAL, "status knows no \"%.100s\"",
			     argument);
		return;
	}
	if (!*argument && !begin_scan(config, answer, rest))
		return;
	answer_ok(answer);
	add_mount(config, answer);
	if (!rest->scan)
		answer_end(answer);
}

static void run_metrics(const struct control_config *config, char *argument,
			struct answer *answer, struct command_rest *rest)
{
	if (*argument && strcmp(argument, PROTOCOL_SCAN)) {
		answer_error(answer, -EINVAL, "metrics knows no \"%.100s\"",
			     argument);
		return;
	}
	if (*argument && !begin_scan(config, answer, rest))
		return;
	answer_ok(answer);
	add_mount(config, answer);
	add_meanings(config, answer);
	if (!rest->scan)
		answer_end(answer);
}

static void run_remount(const struct control_config *config, char *argument,
			struct answer *answer, struct command_rest *rest)
{
	char message[512] = "";
	int ret;

	(void) rest;
	ret = config->remount(config->options_arg, argument, message,
			      sizeof(message));
	if (ret) {
		answer_error(answer, ret, "%s", message);
		return;
	}
	answer_ok(answer);
	answer_end(answer);
}

/* Changes settings if there are any in the argument, and shows all. */
static void run_set(const struct control_config *config, char *argument,
		    struct answer *answer, struct command_rest *rest)
{
	char message[512] = "";
	int ret = 0;

	(void) rest;
	if (*argument)
		ret = config->set(config->options_arg, argument, message,
				  sizeof(message));
	if (ret) {
		answer_error(answer, ret, "%s", message);
		return;
	}
	answer_ok(answer);
	add_settings(config, answer);
	answer_end(answer);
}

static void run_trace(const struct control_config *config, char *argument,
		      struct answer *answer, struct command_rest *rest)
{
	int ret;

	if (*argument) {
		answer_error(answer, -EINVAL, "trace takes no argument");
		return;
	}
	ret = trace_create(&rest->trace, config);
	if (ret) {
		answer_error(answer, ret, ret == -EBUSY ?
						  "too many watch already" :
						  "cannot watch");
		return;
	}
	answer_ok(answer);
}

static void run_upgrade(const struct control_config *config, char *argument,
			struct answer *answer, struct command_rest *rest)
{
	(void) config;
	if (*argument)
		answer_error(answer, -EINVAL, "upgrade takes no argument");
	else
		rest->hand_over = true;
}

static const struct command commands[] = {
	{ PROTOCOL_ATTACH, run_attach },
	{ PROTOCOL_CANCEL, run_cancel },
	{ PROTOCOL_COUNTERS, run_counters },
	{ PROTOCOL_METRICS, run_metrics },
	{ PROTOCOL_PING, run_ping },
	{ PROTOCOL_REMOUNT, run_remount },
	{ PROTOCOL_SET, run_set },
	{ PROTOCOL_STATUS, run_status },
	{ PROTOCOL_TRACE, run_trace },
	{ PROTOCOL_UPGRADE, run_upgrade },
};

/* Undoes the escapes of an argument in place. False when one is not known. */
static bool unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text != '\\') {
			*out++ = *text;
			continue;
		}
		text++;
		if (*text != 'n' && *text != '\\')
			return false;
		*out++ = *text == 'n' ? '\n' : '\\';
	}
	*out = '\0';
	return true;
}

void command_run(const struct control_config *config, char *text,
		 size_t length, struct answer *answer, struct command_rest *rest)
{
	char *argument;

	answer_reserve(answer);
	if (answer->failed)
		return;
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	if (strlen(text) != length || strchr(text, '\n')) {
		answer_error(answer, -EINVAL, "a request is one line of text");
		return;
	}
	argument = strchr(text, ' ');
	if (argument)
		*argument++ = '\0';
	else
		argument = text + length;
	log_debug(CONTROL, "control: request %s %s", text, argument);
	if (!unescape(argument)) {
		answer_error(answer, -EINVAL, "unknown escape");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(text, commands[i].name)) {
			commands[i].run(config, argument, answer, rest);
			return;
		}
	}
	answer_error(answer, -EOPNOTSUPP, "unknown command \"%.100s\"", text);
}

void command_scanning(const struct scan *scan, struct answer *answer)
{
	answer_line(answer, "scanned", "%" PRIu64,
		    scan_totals(scan)->nr_extents);
}

/*
 * Bytes that are in use and were not found: files without a name that are
 * still open or mapped, long symbolic links, and changes during the scan.
 */
static void add_other_bytes(const struct control_config *config,
			    uint64_t found_bytes, struct answer *answer)
{
	struct statvfs st;
	uint64_t used_bytes;

	if (fstatvfs(config->root_fd, &st) || !st.f_blocks)
		return;
	used_bytes = (uint64_t) (st.f_blocks - st.f_bfree) * st.f_frsize;
	answer_line(answer, "other_bytes", "%" PRIu64,
		    used_bytes > found_bytes ? used_bytes - found_bytes : 0);
}

/* The nodes that something is on, and in any case the first. */
static void add_nodes(const struct scan_totals *totals, struct answer *answer)
{
	for (int nid = 0; nid < NODESET_NODES; nid++) {
		if (totals->node_pages[nid] || nid == 0)
			answer_line(answer, "node_bytes", "%d %" PRIu64, nid,
				    PAGE_BYTES * totals->node_pages[nid]);
	}
	answer_line(answer, "misplaced_bytes", "%" PRIu64,
		    PAGE_BYTES * totals->misplaced_pages);
}

void command_scanned(const struct control_config *config,
		     const struct scan *scan, int error,
		     struct answer *answer)
{
	const struct scan_totals *totals = scan_totals(scan);
	uint64_t data_pages = 0;

	if (error) {
		answer_error(answer, error, "cannot look at the files");
		return;
	}
	command_scanning(scan, answer);
	answer_line(answer, "files", "%" PRIu64, totals->nr_files);
	answer_line(answer, "unreadable", "%" PRIu64, totals->nr_unreadable);
	for (unsigned i = 0; i < NR_POLICIES; i++)
		answer_line(answer, "policy", "%s %" PRIu64, policy_names[i],
			    totals->nr_policies[i]);
	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++) {
		answer_line(answer, "extents", "%s %" PRIu64, state_names[i],
			    totals->extents[i]);
		/* what is in a hole takes no memory: count what is missing */
		answer_line(answer, "bytes", "%s %" PRIu64, state_names[i],
			    PAGE_BYTES * (i == HUGETMPFS_HOLE ?
						  totals->hole_pages :
						  totals->data_pages[i]));
		data_pages += totals->data_pages[i];
	}
	answer_line(answer, "swapped_bytes", "%" PRIu64,
		    PAGE_BYTES * totals->swapped_pages);
	add_nodes(totals, answer);
	add_other_bytes(config, PAGE_BYTES * data_pages, answer);
	answer_end(answer);
}

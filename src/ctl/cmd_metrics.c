/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl metrics: the state of a mount for a monitoring system. A mount
 * whose daemon is dead has metrics as well: that it is.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/message.h"
#include "ctl/metrics.h"
#include "ctl/mount.h"
#include "ctl/status.h"

/* Monitoring systems give up after 10 s or so, and learn nothing then. */
#define METRICS_TIMEOUT_MS 5000

static const char metrics_usage[] =
	"metrics [--prometheus] [--scan] MOUNT\n"
	"Writes the state of a mount as OpenMetrics text, for a monitoring\n"
	"system; hugetmpfsctl(8) explains it. Only root may. MOUNT is the\n"
	"mountpoint or any path on the mount.\n"
	"\n"
	"  --prometheus  write the older text format of Prometheus, for the\n"
	"                textfile collector of node_exporter\n"
	"  --scan        look at every file: bytes by state and by NUMA node\n"
	"  -h, --help    show this\n";

static bool is_down(int error)
{
	switch (error) {
	case -ENOTCONN: /* the keeper says so */
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ENODEV:
	case -EPIPE:
	case -ETIMEDOUT:
		return true;
	}
	return false;
}

static int metrics_ask(const char *path, const char *argument,
		       struct metrics *metrics, char *message,
		       size_t message_bytes)
{
	struct hugetmpfs_connection *connection;
	int ret = hugetmpfs_connect(&connection, path);

	if (ret)
		return ret;
	hugetmpfs_set_timeout(connection, METRICS_TIMEOUT_MS);
	ret = hugetmpfs_request(connection, PROTOCOL_METRICS, argument,
				metrics_line, metrics, message, message_bytes);
	hugetmpfs_close(connection);
	return ret;
}

static int metrics_show(const char *path, const char *argument,
			bool prometheus)
{
	struct metrics metrics = { .out = stdout, .prometheus = prometheus };
	char name[SHOW_NAME_BYTES], message[1024] = "";
	struct hugetmpfs_mount mount;
	int ret = hugetmpfs_mount_of(path, &mount);

	metrics.status = status_new();
	metrics.meanings = json_object();
	if (!ret) {
		ret = metrics_ask(path, argument, &metrics, message,
				  sizeof(message));
		/* as the system has it, in bytes that are UTF-8 */
		json_set_name(metrics.status, "mountpoint", mount.mountpoint);
		metrics.mountpoint = json_string_value(
			json_object_get(metrics.status, "mountpoint"));
	}
	if (!ret)
		metrics_write(&metrics);
	else if (metrics.mountpoint && is_down(ret))
		metrics_write_down(&metrics);
	else
		ctl_error("%s: %s", show_name(path, name),
			  *message ? message : mount_error_text(ret));
	if (metrics.mountpoint && is_down(ret))
		ret = 0;
	json_decref(metrics.meanings);
	json_decref(metrics.status);
	return ret ? CTL_ERROR : CTL_DONE;
}

static int metrics_run(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "prometheus", no_argument, NULL, 'p' },
		{ "scan", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *argument = NULL;
	bool prometheus = false;
	int c, code;

	while ((c = command_option(&command_metrics, argc, argv, longopts,
				   &code)) >= 0) {
		prometheus |= c == 'p';
		if (c == 's')
			argument = PROTOCOL_SCAN;
	}
	if (c == -2)
		return code;
	if (optind != argc - 1)
		return command_misused(&command_metrics,
				       "one mount has to be named");
	return metrics_show(argv[optind], argument, prometheus);
}

const struct command command_metrics = {
	.name = "metrics",
	.summary = "write the state of a mount for a monitoring system",
	.usage = metrics_usage,
	.run = metrics_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl trace: what recovery does, as it does it.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <hugetmpfs/protocol.h>

#include "ctl/command.h"
#include "ctl/message.h"
#include "ctl/mount.h"
#include "ctl/trace.h"

static const char trace_usage[] =
	"trace [--json] MOUNT\n"
	"Writes a line for each step of recovery as it happens, until it is\n"
	"interrupted or the mount ends; hugetmpfsctl(8) explains them. Only\n"
	"root may. MOUNT is the mountpoint or any path on the mount.\n"
	"\n"
	"  --json      write a JSON object on each line\n"
	"  -h, --help  show this\n";

/* Who reads what we write may go while there is nothing to write. */
static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

static int trace_line(void *arg, const char *key, const char *value)
{
	struct trace_output *output = arg;
	int ret = 0;

	if (!strcmp(key, "tracing"))
		trace_begin(output);
	else if (!strcmp(key, "lost"))
		ret = trace_lost(output, value);
	else if (!strcmp(key, "trace"))
		ret = trace_event(output, value);
	if (!ret && (fflush(stdout) || reader_is_gone()))
		ret = -EPIPE;
	return ret;
}

static int trace_show(const char *path, bool json)
{
	struct trace_output output = { .json = json };
	char name[SHOW_NAME_BYTES], message[1024] = "";
	struct hugetmpfs_connection *connection;
	int ret = hugetmpfs_connect(&connection, path);

	if (!ret) {
		/* with a time limit, a stop and a continue would interrupt it */
		hugetmpfs_set_timeout(connection, 0);
		ret = hugetmpfs_request(connection, PROTOCOL_TRACE, NULL,
					trace_line, &output, message,
					sizeof(message));
		hugetmpfs_close(connection);
	}
	if (ret == -EPIPE && reader_is_gone())
		return CTL_DONE;
	if (ret)
		ctl_error("%s: %s", show_name(path, name),
			  *message ? message : mount_error_text(ret));
	return ret ? CTL_ERROR : CTL_DONE;
}

static int trace_run(int argc, char **argv)
{
	bool json;
	int code;

	if (!command_json_option(&command_trace, argc, argv, &json, &code))
		return code;
	if (optind != argc - 1)
		return command_misused(&command_trace,
				       "one mount has to be named");
	return trace_show(argv[optind], json);
}

const struct command command_trace = {
	.name = "trace",
	.summary = "write what recovery does, as it does it",
	.usage = trace_usage,
	.run = trace_run,
};

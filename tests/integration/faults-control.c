/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the control socket among the operations that fail. */
#include "faults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include <hugetmpfs/hugetmpfs.h>

#define OPTIONS_BYTES 256

static struct hugetmpfs_connection *connect_or_fail(void)
{
	struct hugetmpfs_connection *connection;

	must(!hugetmpfs_connect(&connection, "."));
	return connection;
}

/* What is said to hold, and what does. */
struct settings {
	char options[OPTIONS_BYTES];
	char recoveries[16];
};

static int find_settings(void *arg, const char *key, const char *value)
{
	struct settings *settings = arg;

	if (!strcmp(key, "options"))
		snprintf(settings->options, OPTIONS_BYTES, "%s", value);
	else if (!strcmp(key, "recoveries"))
		snprintf(settings->recoveries, sizeof(settings->recoveries),
			 "%s", value);
	return 0;
}

size_t faults_control_state(char *text, size_t room)
{
	struct hugetmpfs_connection *connection = connect_or_fail();
	struct settings settings = { .options = "" };
	struct statvfs st;

	must(!hugetmpfs_status(connection, HUGETMPFS_STATUS_NO_SCAN,
			       find_settings, &settings));
	hugetmpfs_close(connection);
	must(!statvfs(".", &st));
	return (size_t) snprintf(text, room,
				 "options %s, recoveries %s, %llu blocks\n",
				 settings.options, settings.recoveries,
				 (unsigned long long) st.f_blocks);
}

/* A command of the control socket; one that is cut short has not been done. */
static int ask(const char *command, const char *argument,
	       hugetmpfs_line_fn *fn)
{
	struct hugetmpfs_connection *connection = connect_or_fail();
	int ret = hugetmpfs_request(connection, command, argument, fn, NULL,
				    NULL, 0);

	hugetmpfs_close(connection);
	return ret == -ECONNRESET || ret == -EPIPE ? -EIO : ret;
}

static int act_status(void)
{
	return ask("status", NULL, NULL);
}

static int act_counters(void)
{
	return ask("counters", NULL, NULL);
}

static int act_metrics(void)
{
	return ask("metrics", "scan", NULL);
}

static int act_settings(void)
{
	return ask("set", "max_holes=64,numa=bind:0", NULL);
}

static int act_remount(void)
{
	return ask("remount", "size=48M,max_holes=65", NULL);
}

/* The engine has no thread before, and none may be had. */
static int act_recover_on(void)
{
	int ret = ask("remount", "size=48M,recoveries=3,max_holes=65", NULL);

	return ret == -EAGAIN ? -ENOMEM : ret;
}

static int end_trace(void *arg, const char *key, const char *value)
{
	(void) arg;
	(void) key;
	(void) value;
	return 1;
}

static int act_trace(void)
{
	int ret = ask("trace", NULL, end_trace);

	return ret == 1 ? 0 : ret;
}

/* In this order, as status says them in that of their last change. */
void faults_control_prepare(const struct faults_operation *operation)
{
	struct hugetmpfs_connection *connection = connect_or_fail();

	must(!hugetmpfs_remount(connection, "numa=default,size=64M,max_holes=64",
				NULL, 0));
	must(!hugetmpfs_remount(connection,
				operation->act == act_recover_on
					? "recoveries=0" : "recoveries=8",
				NULL, 0));
	hugetmpfs_close(connection);
}

static const struct faults_operation operations[] = {
	{ "status", act_status },
	{ "counters", act_counters },
	{ "metrics", act_metrics },
	{ "settings", act_settings },
	{ "remount", act_remount },
	{ "remount that turns on", act_recover_on },
	{ "trace", act_trace },
};

const struct faults_operation *faults_control_operation(unsigned nth)
{
	if (nth >= sizeof(operations) / sizeof(*operations))
		return NULL;
	return &operations[nth];
}

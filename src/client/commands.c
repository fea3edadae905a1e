/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests that the daemon knows, each with the types that fit it.
 */
#include <hugetmpfs/hugetmpfs.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hugetmpfs/protocol.h>

int hugetmpfs_ping(struct hugetmpfs_connection *connection)
{
	return hugetmpfs_request(connection, PROTOCOL_PING, NULL, NULL, NULL,
				 NULL, 0);
}

int hugetmpfs_status(struct hugetmpfs_connection *connection, uint32_t flags,
		     hugetmpfs_line_fn *fn, void *arg)
{
	const char *argument = NULL;

	if (flags & ~HUGETMPFS_STATUS_NO_SCAN)
		return -EINVAL;
	if (flags & HUGETMPFS_STATUS_NO_SCAN)
		argument = PROTOCOL_NO_SCAN;
	return hugetmpfs_request(connection, PROTOCOL_STATUS, argument, fn, arg,
				 NULL, 0);
}

struct counters_call {
	hugetmpfs_counter_fn *fn;
	void *arg;
};

/* "counter NAME VALUE"; other keys are of a later version. */
static int counters_line(void *arg, const char *key, const char *value)
{
	struct counters_call *call = arg;
	const char *space = strchr(value, ' ');
	char name[64], *end;
	unsigned long long number;

	if (strcmp(key, "counter"))
		return 0;
	if (!space || (size_t) (space - value) >= sizeof(name))
		return -EPROTO;
	memcpy(name, value, (size_t) (space - value));
	name[space - value] = '\0';
	number = strtoull(space + 1, &end, 10);
	if (end == space + 1 || *end)
		return -EPROTO;
	return call->fn(call->arg, name, number);
}

int hugetmpfs_counters(struct hugetmpfs_connection *connection,
		       hugetmpfs_counter_fn *fn, void *arg)
{
	struct counters_call call = { .fn = fn, .arg = arg };

	return hugetmpfs_request(connection, PROTOCOL_COUNTERS, NULL,
				 counters_line, &call, NULL, 0);
}

int hugetmpfs_remount(struct hugetmpfs_connection *connection,
		      const char *options, char *message, size_t message_bytes)
{
	return hugetmpfs_request(connection, PROTOCOL_REMOUNT, options, NULL,
				 NULL, message, message_bytes);
}

static int cancelled_line(void *arg, const char *key, const char *value)
{
	uint64_t *nr_extents = arg;

	if (!strcmp(key, "cancelled"))
		*nr_extents = strtoull(value, NULL, 10);
	return 0;
}

int hugetmpfs_cancel_all(struct hugetmpfs_connection *connection,
			 uint64_t *nr_extents)
{
	uint64_t ignored;

	return hugetmpfs_request(connection, PROTOCOL_CANCEL, NULL,
				 cancelled_line,
				 nr_extents ? nr_extents : &ignored, NULL, 0);
}

int hugetmpfs_set(struct hugetmpfs_connection *connection, const char *settings,
		  char *message, size_t message_bytes)
{
	return hugetmpfs_request(connection, PROTOCOL_SET, settings, NULL, NULL,
				 message, message_bytes);
}

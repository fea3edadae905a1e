/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Before an upgrade the new program is tried: it looks whether it understands
 * the tables and the options of the daemon that it is to take over from, and
 * tells the keeper. Nothing is changed, and the daemon goes on meanwhile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/child.h"
#include "keeper/report.h"
#include "namespace/table.h"

int trial_of_table(int table_fd)
{
	uint32_t version;
	int ret = table_check(table_fd, &version);

	if (ret == -EPROTONOSUPPORT)
		log_error("the tables of the mount have version %u, this "
			  "program (hugetmpfs %s) knows version %u",
			  (unsigned) version, PACKAGE_VERSION, TABLE_VERSION);
	else if (ret)
		log_error("the tables of the mount are damaged: %s",
			  strerror(-ret));
	return ret;
}

/* The keeper alone hears of errors, and passes on the last one. */
static void sink_to_keeper(enum log_level level, const char *format, va_list ap)
{
	char *text;

	if (level != LOG_LEVEL_ERROR || vasprintf(&text, format, ap) < 0)
		return;
	report_send(CHILD_REPORT_FD, REPORT_ERROR, text);
	free(text);
}

int trial_command(char **argv)
{
	struct options options;
	int ret;

	log_set_sink(sink_to_keeper);
	options_init(&options);
	ret = options_parse_list(&options, argv[CHILD_ARG_OPTIONS]);
	if (!ret)
		ret = trial_of_table(CHILD_TABLE_FD);
	if (!ret)
		ret = report_send(CHILD_REPORT_FD, REPORT_READY,
				  PACKAGE_VERSION);
	options_free(&options);
	return ret ? EXIT_SYSTEM : EXIT_DONE;
}

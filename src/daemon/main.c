/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program hugetmpfs: which of its commands is meant.
 */
#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "keeper/child.h"
#include "keeper/process.h"

static const char usage[] =
	"usage: hugetmpfs [-f] [-d LIST] [-o OPTIONS] [SOURCE] MOUNTPOINT\n"
	"       hugetmpfs -o remount,OPTIONS MOUNTPOINT\n"
	"       hugetmpfs --attach MOUNTPOINT\n"
	"\n"
	"Mounts a tmpfs that keeps its huge pages.\n"
	"\n"
	"  -f               stay in the foreground, log to standard error\n"
	"  -d, --debug LIST debug messages of: all, fuse, namespace, recovery,\n"
	"                   mm, control, keeper (separated by commas)\n"
	"  -o OPTIONS       size=, nr_inodes=, nr_blocks=, mode=, uid=, gid=,\n"
	"                   huge=, mpol= as of tmpfs; ro, noexec, noatime and\n"
	"                   the like as of every mount; passthrough=on|off,\n"
	"                   recoveries=N, recover=mapped|all|off, numa=RULE,\n"
	"                   debug=LIST (separated by colons)\n"
	"      --attach     mount the files again whose daemon has died\n"
	"  -h, --help       this text\n"
	"      --version    the version\n"
	"\n"
	"Exit codes: 0 done, 1 wrong usage, 2 error; see hugetmpfs(8).\n";

int commands_exit_code(const struct options *options, int error)
{
	if (!options->helper)
		return error == -EINVAL ? EXIT_USAGE : EXIT_SYSTEM;
	switch (error) {
	case -EINVAL:
	case -EPERM:
		return EXIT_USAGE;
	case -ENOMEM:
		return EXIT_SYSTEM;
	default:
		return EXIT_MOUNT_FAILED;
	}
}

int commands_mountpoint(const char *given, char **path)
{
	int ret;

	*path = realpath(given, NULL);
	if (*path)
		return 0;
	ret = -errno;
	switch (ret) {
	case -ENOENT:
		log_error("mount point %s does not exist", given);
		break;
	case -ENOTDIR:
		log_error("mount point %s is not a directory", given);
		break;
	default:
		log_error("mount point %s: %s", given, strerror(-ret));
	}
	return ret;
}

void commands_close_fds_from(int first)
{
	close_range((unsigned) first, ~0U, 0);
}

static int run(const struct options *options)
{
	switch (options->action) {
	case OPTIONS_MOUNT:
		return mount_command(options);
	case OPTIONS_REMOUNT:
		return remount_command(options);
	case OPTIONS_ATTACH:
		return attach_command(options);
	case OPTIONS_HELP:
		fputs(usage, stdout);
		return EXIT_DONE;
	case OPTIONS_VERSION:
		printf("hugetmpfs %s\n", PACKAGE_VERSION);
		return EXIT_DONE;
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct options options;
	int code;

	process_init(argc, argv);
	if (argc >= CHILD_NR_ARGS && !strcmp(argv[CHILD_ARG_MODE], CHILD_MODE))
		return serve_command(argv);
	if (argc >= CHILD_NR_ARGS &&
	    !strcmp(argv[CHILD_ARG_MODE], CHILD_MODE_TRIAL))
		return trial_command(argv);
	switch (options_parse(&options, argc, argv)) {
	case 0:
		code = run(&options);
		break;
	case -ENOMEM:
		log_error("not enough memory");
		code = EXIT_SYSTEM;
		break;
	default:
		code = EXIT_USAGE;
	}
	options_free(&options);
	return code;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hugetmpfsctl cancel: ends recoveries that were asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/extents.h"
#include "ctl/json.h"
#include "ctl/message.h"

static const char cancel_usage[] =
	"cancel [--json] FILE|MOUNT...\n"
	"Ends the recoveries that were asked for by name, by whomever, of a file\n"
	"or of a whole mount, named by its mountpoint. What is done stays done.\n"
	"Needs permission to write to the file; for a mount only root may.\n"
	"\n"
	"  --json      write a JSON object\n"
	"  -h, --help  show this\n"
	"\n"
	"exit codes: 0 done, also when there was nothing to end; 2 an error;\n"
	"3 an error for some of the paths\n";

/* Whether it is the root of a mount, by what the kernel knows. */
static bool is_mountpoint(const char *path)
{
	struct statx stx;

	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &stx) &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int cancel_mount(const char *path, uint64_t *nr_extents)
{
	struct hugetmpfs_connection *connection;
	int ret = hugetmpfs_connect(&connection, path);

	if (ret)
		return ret;
	ret = hugetmpfs_cancel_all(connection, nr_extents);
	hugetmpfs_close(connection);
	return ret;
}

static int cancel_file(const char *path, uint64_t *nr_extents)
{
	int fd = extents_open(path, O_WRONLY), ret;

	if (fd < 0)
		return fd;
	ret = hugetmpfs_cancel(fd, nr_extents);
	close(fd);
	return ret;
}

/* Returns what is to be said of an error, NULL when there was none. */
static const char *cancel_path(const char *path, int *error,
			       uint64_t *nr_extents)
{
	struct stat st;

	*nr_extents = 0;
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		*error = is_mountpoint(path) ? cancel_mount(path, nr_extents)
					     : -EISDIR;
		if (*error == -EISDIR)
			return "is a directory; name files or the mountpoint";
		return *error ? mount_error_text(*error) : NULL;
	}
	*error = cancel_file(path, nr_extents);
	return *error ? file_error_text(*error) : NULL;
}

static void cancel_show(struct json_stream *stream, const char *path,
			const char *text, int error, uint64_t nr_extents)
{
	char name[SHOW_NAME_BYTES];
	json_t *object;

	show_name(path, name);
	if (text)
		ctl_error("%s: %s", name, text);
	if (stream) {
		object = json_object();
		json_set_name(object, "path", path);
		if (text)
			json_set_error(object, error, text);
		else
			json_set_integer(object, "cancelled_extents",
					 nr_extents);
		json_stream_add(stream, object);
	} else if (!text) {
		printf("%s: %" PRIu64 " extents cancelled\n", name, nr_extents);
	}
}

static int cancel_paths(char **paths, int nr, bool json)
{
	struct json_stream stream = { .array = nr > 1 };
	uint64_t nr_extents;
	int nr_failed = 0, error;
	const char *text;

	for (int i = 0; i < nr; i++) {
		text = cancel_path(paths[i], &error, &nr_extents);
		nr_failed += text != NULL;
		cancel_show(json ? &stream : NULL, paths[i], text, error,
			    nr_extents);
	}
	if (json)
		json_stream_end(&stream);
	if (!nr_failed)
		return CTL_DONE;
	return nr_failed == nr ? CTL_ERROR : CTL_PARTLY;
}

static int cancel_run(int argc, char **argv)
{
	bool json;
	int code;

	if (!command_json_option(&command_cancel, argc, argv, &json, &code))
		return code;
	if (optind == argc)
		return command_misused(&command_cancel,
				       "no file or mount is named");
	return cancel_paths(argv + optind, argc - optind, json);
}

const struct command command_cancel = {
	.name = "cancel",
	.summary = "end recoveries that were asked for",
	.usage = cancel_usage,
	.run = cancel_run,
};

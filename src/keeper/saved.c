/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines "KEY VALUE" and the line "end": a text is written by one call, and what
 * an earlier, longer one has left behind the end is not read.
 */
#include "keeper/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keeper/runtime.h"

#define MAX_BYTES 65536

static char *make_text(const struct saved *saved)
{
	char *mountpoint = runtime_escape(saved->mountpoint);
	char *source = runtime_escape(saved->source);
	char *options = runtime_escape(saved->options);
	char *text = NULL;

	if (mountpoint && source && options &&
	    asprintf(&text, "mountpoint %s\nsource %s\noptions %s\nflags %lu\n"
		     "dev %u:%u\nid %d\nunique %" PRIu64 "\nend\n", mountpoint,
		     source, options, saved->mount_flags, major(saved->dev),
		     minor(saved->dev), saved->mount_id, saved->unique_id) < 0)
		text = NULL;
	free(mountpoint);
	free(source);
	free(options);
	return text;
}

int saved_write(int fd, const struct saved *saved)
{
	char *text = make_text(saved);
	size_t length;
	ssize_t n;
	int ret;

	if (!text)
		return -ENOMEM;
	length = strlen(text);
	n = pwrite(fd, text, length, 0);
	ret = n < 0 ? -errno : 0;
	if (!ret && (size_t) n < length)
		ret = -ENOSPC;
	free(text);
	return ret;
}

static int take_text(char **out, const char *text)
{
	*out = runtime_unescape(text);
	return *out ? 0 : -ENOMEM;
}

static int take_line(struct saved *saved, char *line)
{
	unsigned major, minor;

	if (!strncmp(line, "mountpoint ", 11) && !saved->mountpoint)
		return take_text(&saved->mountpoint, line + 11);
	if (!strncmp(line, "source ", 7) && !saved->source)
		return take_text(&saved->source, line + 7);
	if (!strncmp(line, "options ", 8) && !saved->options)
		return take_text(&saved->options, line + 8);
	if (sscanf(line, "dev %u:%u", &major, &minor) == 2)
		saved->dev = makedev(major, minor);
	else if (sscanf(line, "flags %lu", &saved->mount_flags) != 1 &&
		 sscanf(line, "id %d", &saved->mount_id) != 1)
		sscanf(line, "unique %" SCNu64, &saved->unique_id);
	return 0;
}

int saved_read(int fd, struct saved *saved)
{
	char *text = malloc(MAX_BYTES + 1), *cursor = text, *line;
	int ret = 0;
	ssize_t n;

	*saved = (struct saved){ 0 };
	if (!text)
		return -ENOMEM;
	n = pread(fd, text, MAX_BYTES, 0);
	text[n > 0 ? n : 0] = '\0';
	while (!ret && (line = strsep(&cursor, "\n")) && strcmp(line, "end"))
		ret = take_line(saved, line);
	if (!ret && !(line && saved->mountpoint && saved->source &&
		      saved->options))
		ret = -EUCLEAN;
	free(text);
	if (ret)
		saved_free(saved);
	return ret;
}

void saved_free(struct saved *saved)
{
	free(saved->mountpoint);
	free(saved->source);
	free(saved->options);
	*saved = (struct saved){ 0 };
}

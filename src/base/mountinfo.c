/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reader of /proc/self/mountinfo; its format is in proc(5).
 */
#include "base/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

/* Turns "\040" into a blank, in place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		unsigned code;
		int length = 0;

		if (*text == '\\' &&
		    sscanf(text, "\\%3o%n", &code, &length) == 1 &&
		    length == 4) {
			*out++ = (char) code;
			text += length;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

static int copy_fields(struct mountinfo *out, const struct mountinfo *line)
{
	*out = *line;
	out->mountpoint = strdup(line->mountpoint);
	out->fstype = strdup(line->fstype);
	out->source = strdup(line->source);
	if (out->mountpoint && out->fstype && out->source)
		return 0;
	mountinfo_free(out);
	return -ENOMEM;
}

/* The flags that a list of options names. */
static unsigned long flags_of(char *list)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} words[] = {
		{ "dirsync", MS_DIRSYNC },	 { "lazytime", MS_LAZYTIME },
		{ "noatime", MS_NOATIME },	 { "nodev", MS_NODEV },
		{ "nodiratime", MS_NODIRATIME }, { "noexec", MS_NOEXEC },
		{ "nosuid", MS_NOSUID },	 { "nosymfollow", MS_NOSYMFOLLOW },
		{ "relatime", MS_RELATIME },	 { "ro", MS_RDONLY },
		{ "sync", MS_SYNCHRONOUS },
	};
	unsigned long flags = 0;
	char *word;

	while ((word = strsep(&list, ","))) {
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
			if (!strcmp(word, words[i].name))
				flags |= words[i].flag;
		}
	}
	return flags;
}

/* Fills info with pointers into line. False for a line we do not know. */
static bool parse_line(char *line, struct mountinfo *info)
{
	unsigned major, minor;
	int length = 0;
	char *rest, *options;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%d %*d %u:%u %*s %n", &info->id, &major, &minor,
		   &length) != 3 ||
	    !length)
		return false;
	info->dev = makedev(major, minor);
	rest = line + length;
	info->mountpoint = strsep(&rest, " ");
	options = strsep(&rest, " ");
	/* optional fields end with a lone dash */
	do {
		if (!rest)
			return false;
	} while (strcmp(strsep(&rest, " "), "-"));
	info->fstype = strsep(&rest, " ");
	info->source = strsep(&rest, " ");
	if (!rest)
		return false;
	info->flags = flags_of(options) | flags_of(rest);
	if (!(info->flags & (MS_NOATIME | MS_RELATIME)))
		info->flags |= MS_STRICTATIME; /* which has no word */
	unescape(info->mountpoint);
	unescape(info->source);
	return true;
}

/* The last line that fits: mounts come in the order they were made. */
static int find(const char *path, int id, struct mountinfo *out)
{
	struct mountinfo line;
	int ret = -ENOENT;
	size_t size = 0;
	char *text = NULL;
	FILE *stream;

	stream = fopen("/proc/self/mountinfo", "re");
	if (!stream)
		return -errno;
	while (getline(&text, &size, stream) > 0) {
		if (!parse_line(text, &line))
			continue;
		if (path ? strcmp(line.mountpoint, path) : line.id != id)
			continue;
		if (!ret)
			mountinfo_free(out);
		ret = copy_fields(out, &line);
		if (ret)
			break;
	}
	free(text);
	fclose(stream);
	return ret;
}

int mountinfo_at(const char *path, struct mountinfo *out)
{
	return find(path, 0, out);
}

int mountinfo_by_id(int id, struct mountinfo *out)
{
	return find(NULL, id, out);
}

void mountinfo_free(struct mountinfo *info)
{
	free(info->mountpoint);
	free(info->fstype);
	free(info->source);
	*info = (struct mountinfo){ 0 };
}

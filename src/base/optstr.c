/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Option strings: splitting and putting together.
 */
#include "base/optstr.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *optstr_next(char **cursor, char **value)
{
	char *name, *in, *out;
	bool quoted = false, nodes;

	in = *cursor + strspn(*cursor, ",");
	if (!*in)
		return NULL;
	name = out = in;
	nodes = !strncmp(name, "mpol=", strlen("mpol=")) ||
		!strncmp(name, "numa=", strlen("numa="));
	for (; *in; in++) {
		if (*in == '"') {
			quoted = !quoted;
			continue;
		}
		if (*in == ',' && !quoted &&
		    !(nodes && isdigit((unsigned char) in[1])))
			break;
		*out++ = *in;
	}
	*cursor = *in ? in + 1 : in;
	*out = '\0';
	*value = strchr(name, '=');
	if (*value)
		*(*value)++ = '\0';
	return name;
}

int optstr_is_one(const char *name, const char *value)
{
	char *text, *cursor, *again, *rest;
	bool is_one;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	cursor = text;
	again = optstr_next(&cursor, &rest);
	is_one = again && !*cursor && !strcmp(again, name) && rest &&
		 !strcmp(rest, value);
	free(text);
	return is_one;
}

bool optstr_has(const char *options, const char *name)
{
	size_t length = strlen(name);

	while (options && *options) {
		/* names have neither quotes nor commas in them */
		if (!strncmp(options, name, length) &&
		    (!options[length] || strchr(",=", options[length])))
			return true;
		options = strchr(options, ',');
		options = options ? options + 1 : NULL;
	}
	return false;
}

int optstr_value(const char *options, const char *name, char **out)
{
	char *copy, *cursor, *item, *value, *found = NULL;

	*out = NULL;
	if (!options)
		return 0;
	copy = cursor = strdup(options);
	if (!copy)
		return -ENOMEM;
	while ((item = optstr_next(&cursor, &value))) {
		if (!strcmp(item, name))
			found = value;
	}
	if (found)
		*out = strdup(found);
	free(copy);
	return found && !*out ? -ENOMEM : 0;
}

/* Writes the options that are not of that name. */
static void write_others(FILE *stream, char *copy, const char *name)
{
	char *item, *value;
	const char *comma = "";

	while ((item = optstr_next(&copy, &value))) {
		if (!strcmp(item, name))
			continue;
		fprintf(stream, "%s%s%s%s", comma, item, value ? "=" : "",
			value ? value : "");
		comma = ",";
	}
}

/* Replaces options of that name; add tells whether a new one is put in. */
static int replace(char **options, const char *name, const char *value,
		   bool add)
{
	char *text = NULL, *copy;
	size_t length = 0;
	FILE *stream;

	copy = strdup(*options ? *options : "");
	if (!copy)
		return -ENOMEM;
	stream = open_memstream(&text, &length);
	if (!stream) {
		free(copy);
		return -ENOMEM;
	}
	write_others(stream, copy, name);
	free(copy);
	if (add) {
		/* the stream's position is the length without a flush */
		fprintf(stream, "%s%s%s%s", ftell(stream) > 0 ? "," : "", name,
			value ? "=" : "", value ? value : "");
	}
	if (fclose(stream) || !text) {
		free(text);
		return -ENOMEM;
	}
	free(*options);
	*options = text;
	return 0;
}

int optstr_set(char **options, const char *name, const char *value)
{
	return replace(options, name, value, true);
}

int optstr_remove(char **options, const char *name)
{
	return replace(options, name, NULL, false);
}

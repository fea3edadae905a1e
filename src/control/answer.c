/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of an answer, growing as lines come.
 */
#include "control/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hugetmpfs/protocol.h>

/* Longest value: a path of PATH_MAX; with every byte escaped it fits a packet. */
#define VALUE_BYTES 4352

_Static_assert(2 * VALUE_BYTES + 64 < PROTOCOL_ANSWER_BYTES,
	       "a line fits in a packet");

static bool reserve(struct answer *answer, size_t more)
{
	size_t capacity = answer->capacity ? answer->capacity : 4096;
	char *text;

	while (capacity < answer->length + more)
		capacity *= 2;
	if (capacity > answer->capacity) {
		text = realloc(answer->text, capacity);
		if (!text) {
			answer->failed = true;
			return false;
		}
		answer->text = text;
		answer->capacity = capacity;
	}
	return true;
}

static void add_line(struct answer *answer, const char *key, const char *value)
{
	size_t length = strlen(key);
	char *out;

	if (!reserve(answer, length + 2 * strlen(value) + 2))
		return;
	out = answer->text + answer->length;
	memcpy(out, key, length);
	out += length;
	if (*value)
		*out++ = ' ';
	for (; *value; value++) {
		if (*value == '\n' || *value == '\\')
			*out++ = '\\';
		*out++ = *value == '\n' ? 'n' : *value;
	}
	*out++ = '\n';
	answer->length = (size_t) (out - answer->text);
}

void answer_line(struct answer *answer, const char *key, const char *format,
		 ...)
{
	char value[VALUE_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	add_line(answer, key, value);
}

void answer_reserve(struct answer *answer)
{
	reserve(answer, 1);
}

void answer_ok(struct answer *answer)
{
	add_line(answer, PROTOCOL_OK, "");
}

void answer_end(struct answer *answer)
{
	add_line(answer, PROTOCOL_END, "");
}

void answer_error(struct answer *answer, int error, const char *format, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	answer_line(answer, PROTOCOL_ERROR, "%d %s", -error, message);
}

const char *answer_packet(const struct answer *answer, size_t *length)
{
	size_t left = answer->length - answer->sent;
	const char *start;

	if (!left)
		return NULL;
	start = answer->text + answer->sent;
	if (left > PROTOCOL_ANSWER_BYTES) {
		left = PROTOCOL_ANSWER_BYTES;
		while (start[left - 1] != '\n')
			left--;
	}
	*length = left;
	return start;
}

void answer_clear(struct answer *answer)
{
	free(answer->text);
	*answer = (struct answer){ 0 };
}

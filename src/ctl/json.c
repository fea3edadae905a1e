/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON by jansson. It fails only for lack of memory; no honest output is
 * possible then, and the program ends.
 */
#include "ctl/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/message.h"

static void *checked(void *pointer)
{
	if (!pointer) {
		ctl_error("%s", strerror(ENOMEM));
		exit(CTL_ERROR);
	}
	return pointer;
}

void json_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, checked(value)))
		checked(NULL);
}

void json_set_integer(json_t *object, const char *key, uint64_t value)
{
	json_set(object, key, json_integer((json_int_t) value));
}

void json_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, checked(value)))
		checked(NULL);
}

/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* no overlong forms, no surrogates, nothing above U+10FFFF */
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return length;
}

static void set_hex(json_t *object, const char *key, const char *name)
{
	size_t length = strlen(name);
	char *hex = checked(malloc(2 * length + 1));
	char hex_key[64];

	for (size_t i = 0; i < length; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char) name[i]);
	snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	json_set(object, hex_key, json_string(hex));
	free(hex);
}

void json_set_name(json_t *object, const char *key, const char *name)
{
	/* a byte becomes three at most */
	char *text = checked(malloc(3 * strlen(name) + 1)), *out = text;
	bool valid = true;

	for (const char *in = name; *in;) {
		size_t length = utf8_length((const unsigned char *) in);

		if (length) {
			memcpy(out, in, length);
			out += length;
			in += length;
		} else {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
			in++;
			valid = false;
		}
	}
	*out = '\0';
	json_set(object, key, json_string(text));
	if (!valid)
		set_hex(object, key, name);
	free(text);
}

void json_set_error(json_t *object, int error, const char *message)
{
	const char *name = strerrorname_np(-error);
	json_t *member = checked(json_object());

	json_set(member, "errno", json_string(name ? name : "unknown"));
	json_set_name(member, "message", message);
	json_set(object, "error", member);
}

void json_set_policy(json_t *object, const struct hugetmpfs_policy *policy)
{
	const char *own = policy_word(policy->background_file);

	json_set(object, "recover",
		 json_string(policy_word(policy->background)));
	json_set(object, "recover_file", own ? json_string(own) : json_null());
}

void json_set_nodes(json_t *object, int nid, int target_nid,
		    unsigned misplaced_pages)
{
	json_set(object, "nid", nid < 0 ? json_null() : json_integer(nid));
	json_set(object, "target_nid",
		 target_nid < 0 ? json_null() : json_integer(target_nid));
	json_set_integer(object, "misplaced_pages", misplaced_pages);
}

json_t *json_extent(const struct hugetmpfs_extent *extent)
{
	json_t *object = checked(json_object());

	json_set_integer(object, "index", extent->index);
	json_set(object, "state",
		 json_string(hugetmpfs_state_name(extent->state)));
	json_set(object, "huge", json_boolean(extent->state == HUGETMPFS_HUGE));
	json_set_integer(object, "data_pages", extent->data_pages);
	json_set_integer(object, "hole_pages", extent->hole_pages);
	json_set_integer(object, "swapped_pages", extent->swapped_pages);
	json_set_nodes(object, extent->nid, extent->target_nid,
		       extent->misplaced_pages);
	json_set(object, "reason",
		 json_string(hugetmpfs_reason_name(extent->reason)));
	return object;
}

json_t *json_summary(const struct hugetmpfs_summary *summary)
{
	double coverage = hugetmpfs_coverage_percent(summary);
	json_t *object = checked(json_object());
	json_t *states = checked(json_object());
	json_t *reasons = checked(json_object());

	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++)
		json_set_integer(states, hugetmpfs_state_name(i),
				 summary->states[i]);
	for (unsigned i = 0; i < HUGETMPFS_NR_REASONS; i++) {
		if (summary->reasons[i])
			json_set_integer(reasons, hugetmpfs_reason_name(i),
					 summary->reasons[i]);
	}
	json_set_integer(object, "extents", summary->nr_extents);
	json_set_integer(object, "eligible", summary->nr_eligible);
	json_set_integer(object, "huge", summary->nr_huge);
	json_set(object, "coverage_percent",
		 coverage < 0 ? json_null() : json_real(coverage));
	json_set_integer(object, "data_pages", summary->data_pages);
	json_set_integer(object, "hole_pages", summary->hole_pages);
	json_set_integer(object, "swapped_pages", summary->swapped_pages);
	json_set_integer(object, "misplaced_pages", summary->misplaced_pages);
	json_set(object, "states", states);
	json_set(object, "reasons", reasons);
	return object;
}

static char *dump(json_t *object)
{
	char *text = checked(json_dumps(object, JSON_COMPACT |
						JSON_REAL_PRECISION(6)));

	json_decref(object);
	return text;
}

static void stream_separate(struct json_stream *stream)
{
	if (stream->array)
		fputs(stream->nr ? ",\n" : "[\n", stdout);
	stream->nr++;
}

void json_stream_add(struct json_stream *stream, json_t *object)
{
	char *text = dump(object);

	stream_separate(stream);
	fputs(text, stdout);
	free(text);
}

void json_stream_end(struct json_stream *stream)
{
	if (stream->array)
		fputs(stream->nr ? "\n]" : "[]", stdout);
	fputc('\n', stdout);
}

void json_stream_open(struct json_stream *stream, json_t *object,
		      const char *key)
{
	char *text = dump(object);

	stream_separate(stream);
	/* all but the closing brace */
	printf("%.*s,\"%s\":[", (int) strlen(text) - 1, text, key);
	free(text);
}

void json_item(json_t *item, bool first)
{
	char *text = dump(item);

	printf("%s\n%s", first ? "" : ",", text);
	free(text);
}

void json_close(json_t *object)
{
	char *text = dump(object);

	/* all but the opening brace */
	printf("\n],%s", text + 1);
	free(text);
}

void json_print(json_t *object)
{
	struct json_stream stream = { 0 };

	json_stream_add(&stream, object);
	json_stream_end(&stream);
}

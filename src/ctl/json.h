/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON that commands have in common; the schema is documented in
 * hugetmpfsctl(8). What is large is written piece by piece, so that memory
 * does not grow with the file.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <hugetmpfs/hugetmpfs.h>
#include <jansson.h>

/* Members of objects and arrays. The value is taken over. */
void json_set(json_t *object, const char *key, json_t *value);
void json_set_integer(json_t *object, const char *key, uint64_t value);
void json_append(json_t *array, json_t *value);

/*
 * A name, which may be any bytes: those that are not UTF-8 become U+FFFD, and
 * a member KEY_hex has all the bytes then.
 */
void json_set_name(json_t *object, const char *key, const char *name);

/* "error": an object with "errno" (a name, as "EACCES") and "message". */
void json_set_error(json_t *object, int error, const char *message);

/* "recover" and "recover_file": what holds, and the file's own or null. */
void json_set_policy(json_t *object, const struct hugetmpfs_policy *policy);

/* "nid" and "target_nid", null for -1, and "misplaced_pages". */
void json_set_nodes(json_t *object, int nid, int target_nid,
		    unsigned misplaced_pages);

json_t *json_extent(const struct hugetmpfs_extent *extent);
json_t *json_summary(const struct hugetmpfs_summary *summary);

/* Objects on their way to standard output, in an array or one alone. */
struct json_stream {
	bool array;
	uint64_t nr;
};

/* Writes an object, after what separates it from the one before; frees it. */
void json_stream_add(struct json_stream *stream, json_t *object);

/* Ends the output. */
void json_stream_end(struct json_stream *stream);

/*
 * An object with a long array in it: json_stream_open() writes the members of
 * object and begins the array named key; then come json_item()s; json_close()
 * ends the array and adds the members of its object. Objects are freed.
 */
void json_stream_open(struct json_stream *stream, json_t *object,
		      const char *key);
void json_item(json_t *item, bool first);
void json_close(json_t *object);

/* Writes one object and a newline; frees it. */
void json_print(json_t *object);

#endif

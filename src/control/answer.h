/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of an answer as it is put together: lines "KEY VALUE" as in
 * <hugetmpfs/protocol.h>. For one thread at a time.
 */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is an empty answer. */
struct answer {
	char *text;
	size_t length;
	size_t capacity;
	size_t sent;	/* bytes of text that have left */
	bool failed;	/* no memory: something is missing */
};

/*
 * Adds a line; the value is escaped. A failure for lack of memory is kept in
 * the answer, so that callers need not look at each line.
 */
void answer_line(struct answer *answer, const char *key, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));

/*
 * Gets the memory for a short answer, so that what is done after that does not
 * go unanswered. A failure is kept in the answer, too.
 */
void answer_reserve(struct answer *answer);

/* The first line of a good answer, and its last one. */
void answer_ok(struct answer *answer);
void answer_end(struct answer *answer);

/* The line that says what went wrong; error is a negative errno. */
void answer_error(struct answer *answer, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The next packet: whole lines, at most PROTOCOL_ANSWER_BYTES. NULL when
 * everything has been sent. The caller adds what it sent to answer->sent.
 */
const char *answer_packet(const struct answer *answer, size_t *length);

/* Makes the answer empty and frees its memory. */
void answer_clear(struct answer *answer);

#endif

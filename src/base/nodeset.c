/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of NUMA nodes.
 */
#include "base/nodeset.h"

#include <errno.h>
#include <stdio.h>

#define NODESET_WORDS (NODESET_NODES / NODESET_WORD_BITS)

void nodeset_add(struct nodeset *set, int node)
{
	unsigned bit = (unsigned) node;

	set->word[bit / NODESET_WORD_BITS] |= 1UL << bit % NODESET_WORD_BITS;
}

bool nodeset_has(const struct nodeset *set, int node)
{
	unsigned bit = (unsigned) node;

	if (node < 0 || node >= NODESET_NODES)
		return false;
	return set->word[bit / NODESET_WORD_BITS] >> bit % NODESET_WORD_BITS &
	       1;
}

unsigned nodeset_count(const struct nodeset *set)
{
	unsigned count = 0;

	for (size_t i = 0; i < NODESET_WORDS; i++)
		count += (unsigned) __builtin_popcountl(set->word[i]);
	return count;
}

int nodeset_next(const struct nodeset *set, int from)
{
	size_t first = (size_t) from / NODESET_WORD_BITS;

	for (size_t i = first; i < NODESET_WORDS; i++) {
		unsigned long word = set->word[i];

		if (i == first)
			word &= -1UL << (size_t) from % NODESET_WORD_BITS;
		if (word)
			return (int) (i * NODESET_WORD_BITS) +
			       __builtin_ctzl(word);
	}
	return -1;
}

void nodeset_intersect(struct nodeset *set, const struct nodeset *other)
{
	for (size_t i = 0; i < NODESET_WORDS; i++)
		set->word[i] &= other->word[i];
}

void nodeset_subtract(struct nodeset *set, const struct nodeset *other)
{
	for (size_t i = 0; i < NODESET_WORDS; i++)
		set->word[i] &= ~other->word[i];
}

static int nodeset_number(const char **at, const char *end, int *number)
{
	if (*at == end || **at < '0' || **at > '9')
		return -EINVAL;
	for (*number = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		*number = *number * 10 + (**at - '0');
		if (*number >= NODESET_NODES)
			return -ERANGE;
	}
	return 0;
}

/* Reads "N" or "N-M". */
static int nodeset_item(const char **at, const char *end, struct nodeset *set)
{
	int first, last, ret;

	ret = nodeset_number(at, end, &first);
	if (ret)
		return ret;
	last = first;
	if (*at < end && **at == '-') {
		++*at;
		ret = nodeset_number(at, end, &last);
		if (ret)
			return ret;
	}
	if (last < first)
		return -EDOM;
	for (int node = first; node <= last; node++)
		nodeset_add(set, node);
	return 0;
}

int nodeset_parse(const char *text, size_t length, struct nodeset *set)
{
	const char *at = text, *end = text + length;
	int ret;

	*set = (struct nodeset){ 0 };
	while (at < end) {
		ret = nodeset_item(&at, end, set);
		if (ret)
			return ret;
		if (at == end)
			return 0;
		if (*at++ != ',' || at == end)
			return -EINVAL;
	}
	return 0;
}

size_t nodeset_format(const struct nodeset *set, char *text, size_t size)
{
	size_t length = 0;
	int first, last;

	if (size)
		text[0] = '\0';
	for (first = nodeset_next(set, 0); first >= 0;
	     first = nodeset_next(set, last + 1)) {
		size_t left = length < size ? size - length : 0;
		char *to = left ? text + length : NULL;
		const char *comma = length ? "," : "";

		for (last = first; nodeset_has(set, last + 1); last++)
			;
		if (last == first)
			length += (size_t) snprintf(to, left, "%s%d", comma,
						    first);
		else
			length += (size_t) snprintf(to, left, "%s%d-%d", comma,
						    first, last);
	}
	return length;
}

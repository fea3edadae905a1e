/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fuzzer is one file fuzz_X.c with this function, which aborts when it sees
 * something wrong. libFuzzer calls it where there is clang (contrib/fuzz); with
 * any compiler main.c calls it with the inputs in corpus/X, so that what was
 * found stays fixed.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/* Takes so many bytes; those that are not there are zero. */
static inline void fuzz_take(struct fuzz_input *input, void *to, size_t size)
{
	size_t n = size < input->size ? size : input->size;

	memset(to, 0, size);
	if (n)
		memcpy(to, input->data, n);
	input->data += n;
	input->size -= n;
}

static inline uint8_t fuzz_take_byte(struct fuzz_input *input)
{
	uint8_t byte;

	fuzz_take(input, &byte, 1);
	return byte;
}

/* The data as a string of its own, so that reading beyond it is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static inline void fuzz_must(int holds)
{
	if (!holds)
		abort();
}

#endif

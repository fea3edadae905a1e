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

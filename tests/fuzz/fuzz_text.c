/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What users write: options of a mount, settings, policies in attributes. The
 * first byte says which. What was understood must be understood in the same
 * way when it is written again.
 */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/log.h"
#include "fuzz/fuzz.h"
#include "placement/policy.h"
#include "recovery/recovery.h"
#include "recovery/settings.h"

static void log_nothing(enum log_level level, const char *format, va_list ap)
{
	char line[256];

	(void) level;
	vsnprintf(line, sizeof(line), format, ap);
}

static void fuzz_options(const char *list)
{
	struct options options, again;
	char *text, *text_again;

	options_init(&options);
	if (!options_parse_list(&options, list)) {
		text = options_text(&options);
		options_init(&again);
		fuzz_must(text && !options_parse_list(&again, text));
		text_again = options_text(&again);
		fuzz_must(text_again && !strcmp(text, text_again));
		free(text);
		free(text_again);
		options_free(&again);
	}
	options_free(&options);
}

/* A command line of the words that newlines part. */
static void fuzz_arguments(char *text)
{
	char *argv[16] = { "hugetmpfs" };
	struct options options;
	int argc = 1;

	opterr = 0; /* getopt says nothing of its own */
	for (char *word = strtok(text, "\n"); word && argc < 15;
	     word = strtok(NULL, "\n"))
		argv[argc++] = word;
	options_init(&options);
	options_parse(&options, argc, argv);
	options_free(&options);
}

static void fuzz_settings(const char *text)
{
	struct recovery_settings settings, before;
	char error[64];

	recovery_settings_init(&settings);
	before = settings;
	if (recovery_settings_parse(&settings, text, error, sizeof(error)))
		fuzz_must(!memcmp(&settings, &before, sizeof(before)));
	fuzz_must(settings.recoveries <= 256 && settings.max_holes <= 511 &&
		  settings.pressure_percent <= 100);
}

static void fuzz_placement(const char *text, size_t size)
{
	struct placement_policy policy, again;
	char out[8192], out_again[8192], error[64];
	size_t length;

	if (placement_parse(text, size, &policy, error, sizeof(error)))
		return;
	length = placement_format(&policy, out, sizeof(out));
	if (length >= sizeof(out))
		return;
	fuzz_must(!placement_parse(out, length, &again, NULL, 0));
	fuzz_must(placement_format(&again, out_again, sizeof(out_again)) ==
		  length);
	fuzz_must(!memcmp(out, out_again, length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	log_set_sink(log_nothing);
	text = fuzz_text(data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		fuzz_options(text);
		break;
	case 1:
		fuzz_arguments(text);
		break;
	case 2:
		fuzz_settings(text);
		break;
	case 3:
		fuzz_placement(text, size - 1);
		break;
	case 4:
		recovery_policy_parse(text, size - 1);
		break;
	}
	free(text);
	return 0;
}

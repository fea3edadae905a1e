/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls a fuzzer with each input that was kept for it, or with the files that
 * are named: fuzz_X [FILE...].
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define MAX_BYTES (1 << 20)

static int run_file(const char *path)
{
	uint8_t *data = malloc(MAX_BYTES);
	FILE *file = fopen(path, "re");
	size_t size = 0;
	bool good = data && file;

	if (good) {
		size = fread(data, 1, MAX_BYTES, file);
		good = !ferror(file);
	}
	if (file)
		fclose(file);
	if (good)
		LLVMFuzzerTestOneInput(data, size);
	else
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	free(data);
	return good ? 0 : 1;
}

/* The inputs of the fuzzer that this program is: fuzz_X has corpus/X. */
static int run_corpus(const char *program)
{
	const char *name = strstr(program, "fuzz_");
	char path[4096], folder[2048];
	struct dirent *entry;
	unsigned nr = 0;
	int status = 0;
	DIR *stream;

	for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
		name = next;
	if (!name)
		return 2;
	snprintf(folder, sizeof(folder), "%s/%s", FUZZ_CORPUS, name + 5);
	stream = opendir(folder);
	while (stream && (entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		status |= run_file(path);
		nr++;
	}
	if (stream)
		closedir(stream);
	printf("%u inputs of %s\n", nr, folder);
	return nr ? status : 1;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2)
		return run_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		status |= run_file(argv[i]);
	return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls a fuzzer with each input that was kept for it, or with the files that
 * are named: fuzz_X [FILE...]. Kept are the files in corpus/X, and what covers
 * more than these, a line each of hexadecimal digits, in corpus/X.hex.
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

/* A line of digits, in place of which come the bytes; how many. */
static size_t decode(char *line)
{
	size_t size = 0;
	unsigned byte;

	while (sscanf(line + 2 * size, "%2x", &byte) == 1)
		line[size++] = (char) byte;
	return size;
}

static unsigned run_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t room = 0, size;
	char *line = NULL;
	unsigned nr = 0;

	while (file && getline(&line, &room, file) > 0) {
		size = decode(line);
		LLVMFuzzerTestOneInput((const uint8_t *) line, size);
		nr++;
	}
	free(line);
	if (file)
		fclose(file);
	return nr;
}

static unsigned run_folder(const char *folder, int *status)
{
	DIR *stream = opendir(folder);
	struct dirent *entry;
	unsigned nr = 0;
	char path[4096];

	while (stream && (entry = readdir(stream))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		*status |= run_file(path);
		nr++;
	}
	if (stream)
		closedir(stream);
	return nr;
}

/* The inputs of the fuzzer that this program is: fuzz_X has corpus/X. */
static int run_corpus(const char *program)
{
	const char *name = strstr(program, "fuzz_");
	char folder[2048], lines[2060];
	unsigned nr, more;
	int status = 0;

	for (const char *next = name; next; next = strstr(next + 1, "fuzz_"))
		name = next;
	if (!name)
		return 2;
	snprintf(folder, sizeof(folder), "%s/%s", FUZZ_CORPUS, name + 5);
	snprintf(lines, sizeof(lines), "%s.hex", folder);
	nr = run_folder(folder, &status);
	more = run_lines(lines);
	printf("%u inputs of %s, %u more\n", nr, folder, more);
	return nr && more ? status : 1;
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

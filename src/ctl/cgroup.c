/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory cgroups, of version 1 or 2, where they are mounted by custom.
 */
#include "ctl/cgroup.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper than anybody nests them. */
#define MAX_DEPTH 32

/* Version 1 counts its "no limit" in pages. */
#define NO_LIMIT (UINT64_C(1) << 62)

static bool read_bytes(const char *dir, const char *name, uint64_t *bytes)
{
	char path[CGROUP_PATH_BYTES + 64];
	unsigned long long number;
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	read = fscanf(file, "%llu", &number) == 1;
	fclose(file);
	*bytes = number;
	return read;
}

/* Looks for it below the directory in path, which is where it is left. */
static bool find_below(char path[CGROUP_PATH_BYTES], uint32_t number,
		       unsigned depth)
{
	size_t length = strlen(path);
	struct dirent *entry;
	bool found = false;
	struct stat st;
	DIR *dir;

	if (!stat(path, &st) && (uint32_t) st.st_ino == number)
		return true;
	dir = depth < MAX_DEPTH ? opendir(path) : NULL;
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    length + strlen(entry->d_name) + 2 > CGROUP_PATH_BYTES)
			continue;
		snprintf(path + length, CGROUP_PATH_BYTES - length, "/%s",
			 entry->d_name);
		found = find_below(path, number, depth + 1);
	}
	closedir(dir);
	if (!found)
		path[length] = '\0';
	return found;
}

/* Takes the limit of one directory if it is nearer than those before. */
static void take_limit(struct cgroup *cgroup, const char *dir)
{
	uint64_t limit, usage;

	if ((!read_bytes(dir, "memory.max", &limit) &&
	     !read_bytes(dir, "memory.limit_in_bytes", &limit)) ||
	    limit >= NO_LIMIT ||
	    (!read_bytes(dir, "memory.current", &usage) &&
	     !read_bytes(dir, "memory.usage_in_bytes", &usage)))
		return;
	if (cgroup->limited &&
	    (int64_t) (limit - usage) >=
		    (int64_t) (cgroup->limit_bytes - cgroup->usage_bytes))
		return;
	cgroup->limited = true;
	cgroup->limit_bytes = limit;
	cgroup->usage_bytes = usage;
}

bool cgroup_find(uint32_t number, struct cgroup *cgroup)
{
	static const char *const roots[] = { "/sys/fs/cgroup/memory",
					     "/sys/fs/cgroup" };
	char dir[CGROUP_PATH_BYTES];
	const char *root;
	bool found = false;

	*cgroup = (struct cgroup){ 0 };
	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots) && !found; i++) {
		root = roots[i];
		snprintf(cgroup->path, sizeof(cgroup->path), "%s", root);
		found = number && find_below(cgroup->path, number, 0);
	}
	if (!found)
		return false;
	snprintf(dir, sizeof(dir), "%s", cgroup->path);
	while (strlen(dir) >= strlen(root)) {
		take_limit(cgroup, dir);
		*strrchr(dir, '/') = '\0';
	}
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which NUMA nodes there are, how far they are from each other, and how much
 * room each has. Nodes come and go, and so does what a cpuset allows: nothing
 * is remembered but, for a second, whether there is more than one.
 */
#include "mm/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MM_NODES_DIR	  "/sys/devices/system/node/"
#define MM_NODES_FRESH_NS CLOCK_NS_PER_S

/* For lists of nodes and their distances: four digits and a blank each. */
#define MM_NODES_TEXT (NODESET_NODES * 6)

static int mm_nodes_read(const char *path, struct nodeset *nodes)
{
	char text[MM_NODES_TEXT];
	int ret = mm_read_text(path, text, sizeof(text));

	if (ret)
		return ret;
	return nodeset_parse(text, strcspn(text, "\n"), nodes);
}

/* Those with memory: only they can have pages. */
static int mm_nodes_with_memory(struct nodeset *nodes)
{
	return mm_nodes_read(MM_NODES_DIR "has_memory", nodes);
}

int mm_only_node(struct mm *mm)
{
	uint64_t now_ns = clock_now_ns();
	struct nodeset nodes;
	int only = 0;

	if (now_ns < atomic_load(&mm->nodes_fresh_ns))
		return atomic_load(&mm->only_node);
	/* a kernel without NUMA has no such file, and one node */
	if (!mm_nodes_with_memory(&nodes))
		only = nodeset_count(&nodes) > 1 ? -1 : nodeset_next(&nodes, 0);
	atomic_store(&mm->only_node, only);
	atomic_store(&mm->nodes_fresh_ns, now_ns + MM_NODES_FRESH_NS);
	return only;
}

bool mm_nodes_several(void *context)
{
	return mm_only_node(context) < 0;
}

void mm_nodes_present(struct nodeset *nodes)
{
	*nodes = (struct nodeset){0};
	if (mm_nodes_with_memory(nodes))
		nodeset_add(nodes, 0);
}

void mm_nodes_present_op(void *context, struct nodeset *nodes)
{
	(void) context;
	mm_nodes_present(nodes);
}

int mm_nodes_allowed(void *context, pid_t pid, struct nodeset *nodes)
{
	static const char key[] = "Mems_allowed_list:";
	char path[64] = "/proc/thread-self/status";
	char text[MM_NODES_TEXT], *line;
	struct nodeset there;
	int ret;

	(void) context;
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
	ret = mm_read_text(path, text, sizeof(text));
	if (ret == -ENOENT)
		return -ESRCH;
	if (!ret)
		ret = mm_nodes_with_memory(&there);
	if (ret)
		return ret;
	line = strstr(text, key);
	/* a kernel without cpusets allows all */
	if (!line) {
		*nodes = there;
		return 0;
	}
	line += strlen(key);
	line += strspn(line, " \t");
	ret = nodeset_parse(line, strcspn(line, "\n"), nodes);
	if (!ret)
		nodeset_intersect(nodes, &there);
	return ret;
}

/* Which of the CPUs are on a node with the list "0-3,8" of CPUs. */
static void mm_nodes_find_cpus(const char *list, int nid, const int *cpus,
			       unsigned nr, int *nids)
{
	long first, last;
	char *end;

	for (;; list = end + 1) {
		first = last = strtol(list, &end, 10);
		if (end == list)
			return;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (unsigned i = 0; i < nr; i++) {
			if (cpus[i] >= first && cpus[i] <= last)
				nids[i] = nid;
		}
		if (*end != ',')
			return;
	}
}

int mm_nodes_of_cpus(const int *cpus, unsigned nr, int *nids)
{
	char path[80], text[MM_NODES_TEXT];
	struct nodeset nodes;
	int nid, ret;

	for (unsigned i = 0; i < nr; i++)
		nids[i] = -1;
	ret = mm_nodes_read(MM_NODES_DIR "has_cpu", &nodes);
	for (nid = nodeset_next(&nodes, 0); !ret && nid >= 0;
	     nid = nodeset_next(&nodes, nid + 1)) {
		snprintf(path, sizeof(path), MM_NODES_DIR "node%d/cpulist",
			 nid);
		/* one that has gone meanwhile has none any more */
		if (!mm_read_text(path, text, sizeof(text)))
			mm_nodes_find_cpus(text, nid, cpus, nr, nids);
	}
	return ret;
}

int mm_node_distances(void *context, int nid, int *distances, int nr)
{
	char path[80], text[MM_NODES_TEXT], *at = text, *end;
	struct nodeset online;
	int ret;

	(void) context;
	memset(distances, 0, (size_t) nr * sizeof(*distances));
	snprintf(path, sizeof(path), MM_NODES_DIR "node%d/distance", nid);
	ret = mm_nodes_read(MM_NODES_DIR "online", &online);
	if (!ret)
		ret = mm_read_text(path, text, sizeof(text));
	if (ret)
		return ret;
	for (int to = nodeset_next(&online, 0); to >= 0 && to < nr;
	     to = nodeset_next(&online, to + 1)) {
		distances[to] = (int) strtol(at, &end, 10);
		if (end == at)
			return -EPROTO;
		at = end;
	}
	return 0;
}

/* A zone of /proc/zoneinfo, and the cache of its node, in pages. */
struct mm_zone {
	uint64_t free;
	uint64_t high;
	uint64_t kept; /* for those that can use no other zone */
	uint64_t cache;
};

static uint64_t mm_zone_room(const struct mm_zone *zone)
{
	uint64_t room = zone->cache / 2;

	if (zone->free > zone->high + zone->kept)
		room += zone->free - zone->high - zone->kept;
	return room;
}

static void mm_zone_line(const char *line, struct mm_zone *zone)
{
	unsigned long long value;
	const char *last;
	char name[32];

	last = strrchr(line, ',');
	if (strstr(line, " protection: (") && last) {
		zone->kept = strtoull(last + 1, NULL, 10);
		return;
	}
	if (sscanf(line, " pages free %llu", &value) == 1)
		zone->free = value;
	else if (sscanf(line, " %31s %llu", name, &value) != 2)
		return;
	else if (!strcmp(name, "high"))
		zone->high = value;
	else if (!strcmp(name, "nr_inactive_file") ||
		 !strcmp(name, "nr_active_file") ||
		 !strcmp(name, "nr_slab_reclaimable"))
		zone->cache += value;
}

/* -ENODEV where no zone is the node's. */
static int mm_zones_room(FILE *file, int nid, uint64_t *pages)
{
	struct mm_zone zone = {0};
	int node = -1, ret = -ENODEV;
	char line[512];

	*pages = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %d, zone", &node) == 1) {
			*pages += mm_zone_room(&zone);
			zone = (struct mm_zone){0};
			ret = node == nid ? 0 : ret;
		} else if (node == nid) {
			mm_zone_line(line, &zone);
		}
	}
	*pages += mm_zone_room(&zone);
	return ret;
}

int mm_node_room(void *context, int nid, uint64_t *bytes)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	int ret;

	(void) context;
	if (!file)
		return -errno;
	ret = mm_zones_room(file, nid, bytes);
	*bytes *= MM_PAGE_BYTES;
	fclose(file);
	return ret;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/buddyinfo.
 */
#include "base/buddyinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_ORDER 9

/*
 * On x86 the zone of DMA is 16 MiB kept for old devices; nothing else gets the
 * last of it. Elsewhere it is memory as any other: on arm64 all below 4 GiB,
 * which may be all there is.
 */
static bool is_kept(const char *zone)
{
#if defined(__x86_64__) || defined(__i386__)
	return !strcmp(zone, "DMA");
#else
	(void) zone;
	return false;
#endif
}

/*
 * "Node 0, zone   Normal   123 45 ...": free blocks by order, from 0 on.
 * Returns one more than the number of the node, 0 for another line.
 */
static unsigned add_line(char *line, uint32_t *blocks, unsigned nr_nodes)
{
	unsigned long long free_ones, huge = 0;
	char zone[32], *at, *end;
	unsigned node;
	int used;

	if (sscanf(line, "Node %u, zone %31s%n", &node, zone, &used) != 2 ||
	    node >= nr_nodes)
		return 0;
	if (is_kept(zone))
		return node + 1;
	at = line + used;
	for (unsigned order = 0;; order++, at = end) {
		free_ones = strtoull(at, &end, 10);
		if (end == at)
			break;
		if (order >= HUGE_ORDER)
			huge += free_ones << (order - HUGE_ORDER);
	}
	huge += blocks[node];
	blocks[node] = huge > UINT32_MAX ? UINT32_MAX : (uint32_t) huge;
	return node + 1;
}

int buddyinfo_read(uint32_t *blocks, unsigned nr_nodes)
{
	FILE *file = fopen("/proc/buddyinfo", "re");
	unsigned node, nodes = 0;
	char line[1024];

	if (!file)
		return -errno;
	memset(blocks, 0, nr_nodes * sizeof(*blocks));
	while (fgets(line, sizeof(line), file)) {
		node = add_line(line, blocks, nr_nodes);
		nodes = node > nodes ? node : nodes;
	}
	fclose(file);
	return (int) nodes;
}

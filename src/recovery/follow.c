/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who maps an extent may differ from its neighbour's, so a file is cut where a
 * mapping of it begins or ends, and the threads are counted for each piece. A
 * process counts once for a piece, with all its threads, however often it has
 * mapped it.
 */
#include "recovery/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "placement/follow.h"
#include "placement/policy.h"
#include "recovery/internal.h"

/* Nodes, from 0 on, that can be followed to: those with CPUs come first. */
#define FOLLOW_NODES 64

/* Mappings of one file that are counted; what has more is shared by many. */
#define FOLLOW_MAPPED 256

/* Where the threads of a process run. */
struct follow_process {
	pid_t pid;
	bool asked;
	bool unknown; /* it could not be asked */
	uint32_t all; /* 0: it is gone */
	uint32_t threads[FOLLOW_NODES];
};

/* One look. */
struct follow_round {
	struct recovery *recovery;
	uint64_t now;
	bool moved;
	struct follow_process *processes; /* by pid, each once */
	size_t nr_processes;
};

/* A file, and the places where mappings of it begin or end. */
struct follow_file {
	uint64_t ino;
	uint64_t nr; /* extents, of those that can be followed for */
	const struct mm_mapped *mapped;
	size_t nr_mapped;
	uint64_t cuts[2 * FOLLOW_MAPPED];
	size_t nr_cuts;
	struct placement_policy policy;
};

static int follow_compare_process(const void *a, const void *b)
{
	const struct follow_process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int follow_compare_pid(const void *a, const void *b)
{
	const pid_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int follow_compare_cut(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Lists the processes of a look, none of them asked yet. */
static int follow_round_list(struct follow_round *round,
			     const struct mm_mapped *mapped, size_t nr)
{
	pid_t *pids = calloc(nr, sizeof(*pids));
	size_t nr_pids = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++)
		pids[i] = mapped[i].pid;
	qsort(pids, nr, sizeof(*pids), follow_compare_pid);
	for (size_t i = 0; i < nr; i++) {
		if (!nr_pids || pids[nr_pids - 1] != pids[i])
			pids[nr_pids++] = pids[i];
	}
	round->processes = calloc(nr_pids, sizeof(*round->processes));
	for (size_t i = 0; round->processes && i < nr_pids; i++)
		round->processes[i].pid = pids[i];
	round->nr_processes = nr_pids;
	free(pids);
	return round->processes ? 0 : -ENOMEM;
}

static const struct follow_process *follow_process(struct follow_round *round,
						   pid_t pid)
{
	const struct mm_ops *mm = round->recovery->mm;
	struct follow_process key = {.pid = pid}, *process;
	int ret;

	process = bsearch(&key, round->processes, round->nr_processes,
			  sizeof(key), follow_compare_process);
	if (!process->asked) {
		ret = mm->mapper_nodes(mm->context, pid, process->threads,
				       FOLLOW_NODES);
		process->all = ret > 0 ? (uint32_t) ret : 0;
		process->unknown = ret < 0 && ret != -ESRCH;
		process->asked = true;
	}
	return process;
}

/*
 * The node that the mappers of a piece of the file run on, or -1, also when one
 * of them could not be asked.
 */
static int16_t follow_name(struct follow_round *round,
			   const struct follow_file *file, uint64_t index)
{
	uint32_t threads[FOLLOW_NODES] = {0};
	const struct follow_process *process;
	const struct mm_mapped *mapped = file->mapped;
	uint64_t all = 0;
	pid_t last = -1;

	for (size_t i = 0; i < file->nr_mapped; i++, mapped++) {
		if (mapped->pid == last || index < mapped->first ||
		    index - mapped->first >= mapped->nr)
			continue;
		last = mapped->pid;
		process = follow_process(round, last);
		if (process->unknown)
			return -1;
		all += process->all;
		for (int nid = 0; process->all && nid < FOLLOW_NODES; nid++)
			threads[nid] += process->threads[nid];
	}
	return placement_follow_named(threads, FOLLOW_NODES, all);
}

/* The look at the extents of a file from first to before end. */
static void follow_piece(struct follow_round *round,
			 const struct follow_file *file, uint64_t first,
			 uint64_t end)
{
	struct placement_follow *follow = round->recovery->follow;
	const struct placement_rule *rule;
	int16_t named, before;

	named = follow_name(round, file, first);
	for (uint64_t i = first; i < end; i++) {
		rule = placement_rule_of(&file->policy, i);
		if (!rule || rule->mode != HUGETMPFS_NUMA_FOLLOW)
			continue;
		before = placement_follow_home(follow, file->ino, i);
		round->moved |= placement_follow_look(follow, file->ino, i,
						      named, round->now) !=
				before;
	}
}

static void follow_cut_at(struct follow_file *file, uint64_t index)
{
	file->cuts[file->nr_cuts++] = index < file->nr ? index : file->nr;
}

static void follow_cut(struct follow_file *file)
{
	for (size_t i = 0; i < file->nr_mapped; i++) {
		follow_cut_at(file, file->mapped[i].first);
		follow_cut_at(file, file->mapped[i].first + file->mapped[i].nr);
	}
	qsort(file->cuts, file->nr_cuts, sizeof(*file->cuts),
	      follow_compare_cut);
}

/* Whether the file has the policy anywhere; how large it is. */
static bool follow_file_open(struct follow_round *round,
			     struct follow_file *file)
{
	struct recovery *recovery = round->recovery;
	struct recovery_config *config = &recovery->config;
	struct stat st = {0};
	bool follows = false;
	int fd;

	fd = config->open_ino(config->files_arg, file->ino, O_RDONLY);
	if (fd < 0)
		return false;
	if (!fstat(fd, &st))
		recovery_placement(recovery, fd, &file->policy);
	close(fd);
	file->nr = ((uint64_t) st.st_size + HUGETMPFS_EXTENT_BYTES - 1) >>
		   HUGETMPFS_EXTENT_SHIFT;
	if (file->nr > PLACEMENT_FOLLOW_EXTENTS)
		file->nr = PLACEMENT_FOLLOW_EXTENTS;
	for (unsigned i = 0; file->nr && i < file->policy.nr; i++)
		follows |= file->policy.rules[i].mode == HUGETMPFS_NUMA_FOLLOW;
	return follows;
}

static void follow_file(struct follow_round *round,
			const struct mm_mapped *mapped, size_t nr)
{
	struct follow_file file = {
		.ino = mapped->ino,
		.mapped = mapped,
		.nr_mapped = nr < FOLLOW_MAPPED ? nr : FOLLOW_MAPPED,
	};

	if (!follow_file_open(round, &file))
		return;
	follow_cut(&file);
	for (size_t i = 1; i < file.nr_cuts; i++)
		follow_piece(round, &file, file.cuts[i - 1], file.cuts[i]);
}

int16_t recovery_follow_home(struct recovery *recovery, uint64_t ino,
			     uint64_t index)
{
	return placement_follow_home(recovery->follow, ino, index);
}

bool recovery_follow_look(struct recovery *recovery,
			  const struct mm_mapped *mapped, size_t nr,
			  uint64_t now)
{
	struct follow_round round = {.recovery = recovery, .now = now};
	size_t begin = 0;

	if (!nr || follow_round_list(&round, mapped, nr))
		return false;
	for (size_t i = 1; i <= nr; i++) {
		if (i < nr && mapped[i].ino == mapped[begin].ino)
			continue;
		follow_file(&round, &mapped[begin], i - begin);
		begin = i;
	}
	free(round.processes);
	return round.moved;
}

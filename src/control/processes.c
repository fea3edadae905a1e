/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Told by the kernel at the moment of the question, where it can tell.
 */
#include "control/processes.h"

#include <stdio.h>
#include <unistd.h>

#include "base/memlock.h"
#include "base/oom.h"
#include "control/answer.h"
#include "control/server.h"

/* "VmLck: 1234 kB" of a process; 0 when it cannot be read. */
static unsigned long long locked_bytes(pid_t pid)
{
	unsigned long long kib = 0;
	char path[32], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %llu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

static void add_process(struct answer *answer, const char *name, pid_t pid)
{
	char key[40];
	int score;

	snprintf(key, sizeof(key), "%s_locked_bytes", name);
	answer_line(answer, key, "%llu", locked_bytes(pid));
	snprintf(key, sizeof(key), "%s_oom_score_adj", name);
	if (!oom_score_of(pid, &score))
		answer_line(answer, key, "%d", score);
}

void processes_add(const struct control_config *config, struct answer *answer)
{
	answer_line(answer, "seccomp", "%s", config->seccomp);
	if (config->capabilities)
		answer_line(answer, "capabilities", "%s", config->capabilities);
	answer_line(answer, "memory_lock", "%s", memlock_state());
	add_process(answer, "keeper", config->keeper_pid);
	add_process(answer, "daemon", getpid());
}

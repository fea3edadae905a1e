/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the engine does, step by step, for those who watch. Steps go into a ring
 * that exists while somebody watches; who reads too slowly loses the oldest and
 * is told how many. The engine never waits for a reader.
 */
#ifndef RECOVERY_TRACE_H
#define RECOVERY_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct recovery;

#define RECOVERY_TRACE_EVENTS 4096 /* that are kept */
#define RECOVERY_TRACE_READERS 8

/* One step on one extent; or the end of a work that no step has brought. */
struct recovery_trace_event {
	uint64_t time_ns; /* since 1970, when it was over */
	uint64_t ino;
	uint64_t index;
	uint64_t duration_ns; /* 0 for an end */
	const char *pass;     /* constant: a pass's name, or "end" */
	pid_t pid;	      /* process collapsed through, 0 for none */
	uint16_t pages;	      /* with data, after it */
	uint8_t before, after; /* enum hugetmpfs_state */
	uint8_t reason;	      /* NOT_ASKED while the work goes on */
	uint8_t error;	      /* errno, 0 for none */
};

/*
 * Begins to watch. *cursor is for recovery_trace_read(). Returns 0, -EBUSY when
 * RECOVERY_TRACE_READERS do already, or -ENOMEM.
 */
int recovery_trace_begin(struct recovery *recovery, uint64_t *cursor);
void recovery_trace_end(struct recovery *recovery);

/*
 * The next events, at most max; *lost gets how many are gone before them.
 * Never blocks for longer than a copy.
 */
size_t recovery_trace_read(struct recovery *recovery, uint64_t *cursor,
			   struct recovery_trace_event *events, size_t max,
			   uint64_t *lost);

/*
 * The path of a file below the root of the backing, "" if it has none any more
 * or is not known. Blocks for a look-up in the kernel.
 */
void recovery_trace_path(struct recovery *recovery, uint64_t ino, char *path,
			 size_t path_bytes);

#endif

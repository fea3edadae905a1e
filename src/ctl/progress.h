/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line on the terminal that says how far a long command is.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;		/* standard error is a terminal */
	bool shown;
	uint64_t total_bytes;	/* 0: not known */
	uint64_t done_bytes;
	uint64_t start_ns;
	uint64_t last_ns;	/* when it was drawn, 0: not yet */
};

/* Begins at nothing done. Is off, for all that follows, without a terminal. */
void progress_start(struct progress *progress, uint64_t total_bytes);

/* So much more is done. Draws a few times a second. */
void progress_add(struct progress *progress, uint64_t bytes, const char *path);

/* Takes the line away, before other output and at the end. */
void progress_clear(struct progress *progress);

/*
 * The text of the line, at most columns wide: how much of how much, the rate
 * since the start and the time that is left by it.
 */
void progress_format(const struct progress *progress, uint64_t now_ns,
		     const char *path, unsigned columns, char *out,
		     unsigned out_bytes);

#endif

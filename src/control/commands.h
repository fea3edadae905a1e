/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of the control socket: from the text of a request to the text
 * of its answer.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct answer;
struct control_config;
struct scan;
struct trace;

/* What an answer needs that goes on; at most one of them is set. */
struct command_rest {
	struct scan *scan;
	struct trace *trace;
	bool hand_over; /* somebody else answers, on this connection */
};

/*
 * Answers a request of length bytes; text has room for one more and is
 * changed. When something in *rest, which begins as all zero, is set, the answer
 * is not complete: the caller, who owns it now, steps a scan to its end and then
 * calls command_scanned(), runs a trace for as long as the client listens, or
 * hands the connection over.
 */
void command_run(const struct control_config *config, char *text,
		 size_t length, struct answer *answer, struct command_rest *rest);

/* Says how far a scan is: what keeps the client from losing patience. */
void command_scanning(const struct scan *scan, struct answer *answer);

/* Completes the answer; error is 0 or the negative errno the scan ended with. */
void command_scanned(const struct control_config *config,
		     const struct scan *scan, int error,
		     struct answer *answer);

#endif

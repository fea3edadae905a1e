/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of the control socket: from the text of a request to the text
 * of its answer.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include <stddef.h>

struct answer;
struct control_config;
struct scan;

/*
 * Answers a request of length bytes; text has room for one more and is
 * changed. When *scan is set, the answer is not complete: the caller steps the
 * scan, which it owns now, to its end and then calls command_scanned().
 */
void command_run(const struct control_config *config, char *text,
		 size_t length, struct answer *answer, struct scan **scan);

/* Says how far a scan is: what keeps the client from losing patience. */
void command_scanning(const struct scan *scan, struct answer *answer);

/* Completes the answer; error is 0 or the negative errno the scan ended with. */
void command_scanned(const struct control_config *config,
		     const struct scan *scan, int error,
		     struct answer *answer);

#endif

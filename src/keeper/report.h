/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon tells its keeper: packets on a SOCK_SEQPACKET pair, a kind
 * and a text that the keeper does not look into.
 */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include <stddef.h>

enum report_kind {
	REPORT_READY,	/* requests are served; no text */
	REPORT_OPTIONS,	/* the options that hold now, for a next daemon */
	REPORT_ERROR,	/* why it does not come up, for --attach */
};

/* Sends one. Returns 0 or a negative errno. Any thread may call it. */
int report_send(int fd, enum report_kind kind, const char *text);

/*
 * Receives one if there is one. *text is for the caller to free. Returns the
 * kind, -EAGAIN when there is none, -EPIPE when the daemon has closed its end,
 * or another negative errno.
 */
int report_receive(int fd, char **text);

#endif

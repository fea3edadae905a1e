/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon tells its keeper, and the one thing that the keeper tells the
 * daemon: packets on a SOCK_SEQPACKET pair, a kind and a text that the keeper
 * does not look into.
 */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include <stddef.h>
#include <sys/uio.h>

enum report_kind {
	REPORT_READY,	/* requests are served; the version of the program */
	REPORT_OPTIONS,	/* the options that hold now, for a next daemon; with the
			 * fd at which the daemon waits until they are written
			 * down, for a next keeper */
	REPORT_ERROR,	/* why it does not come up, for --attach */
	REPORT_UPGRADE,	/* with the connection of who asks for an upgrade; the
			 * keeper answers it */
	REPORT_STOP,	/* to the daemon: finish what is being worked on, take
			 * no more, and end; another one takes over */
};

/*
 * Sends one, with an fd if passed is not negative, which stays the caller's as
 * well. Returns 0 or a negative errno. Any thread may call it.
 */
int report_send_fd(int fd, enum report_kind kind, const char *text, int passed);
int report_send(int fd, enum report_kind kind, const char *text);

/* The same for a packet of any kind: its parts, one after the other. */
int report_send_parts(int fd, const struct iovec *parts, size_t nr, int passed);

/*
 * Receives one if there is one. *text is for the caller to free, *passed, -1
 * without one, to close. Returns the kind, -EAGAIN when there is none, -EPIPE
 * when the other end is closed, or another negative errno.
 */
int report_receive(int fd, char **text, int *passed);

/*
 * The answer to a report: an fd to be sent with it, for the caller to close.
 * Returns a negative errno without one.
 */
int report_answer_open(void);

/*
 * Waits for it: returns what the keeper has answered, or -ETIMEDOUT when that
 * has not answered in time.
 */
int report_answer_wait(int fd, int timeout_ms);

/*
 * Answers once, 0 or a negative errno; -1 as fd: nobody waits. The fd stays the
 * caller's.
 */
void report_answer(int fd, int error);

#endif

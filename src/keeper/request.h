/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both ends of the requests that concern keepers, in the protocol of
 * <hugetmpfs/protocol.h>: how hugetmpfs itself asks (attach, remount), and how
 * a keeper with a dead daemon answers.
 */
#ifndef KEEPER_REQUEST_H
#define KEEPER_REQUEST_H

#include <sys/types.h>

/*
 * Sends a request to the socket of a keeper and waits for the end of the
 * answer. argument may be NULL. Returns 0 or a negative errno; what the other
 * side says of an error is in *message, for the caller to free (NULL: nothing).
 */
int request_send(pid_t keeper_pid, const char *command, const char *argument,
		 char **message);

/*
 * Takes one connection of a listening socket and reads its request, waiting a
 * second at most. Returns the connection when it is an attach by root; answers
 * everything else itself and returns -EAGAIN.
 */
int request_accept_attach(int listen_fd, const char *mountpoint);

/* Answers "ok", or an error with a message, and closes the connection. */
void request_answer(int fd, int error, const char *message);

#endif

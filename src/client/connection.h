/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to the daemon, from the inside: made from a socket, so that
 * tests can stand at the other end.
 */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H

struct hugetmpfs_connection;

/*
 * Makes a connection of a connected socket, which it owns from then on, also
 * when it fails. Returns 0 or a negative errno.
 */
int connection_create(struct hugetmpfs_connection **out, int fd,
		      unsigned timeout_ms);

#endif

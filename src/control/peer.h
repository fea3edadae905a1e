/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client of the control socket. All of it is non-blocking: a client that
 * never reads, or sends rubbish, holds up nobody but itself.
 */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct control_config;
struct peer;

/* Takes the socket, also when it fails. Returns 0 or a negative errno. */
int peer_create(struct peer **out, int fd, const struct control_config *config);
void peer_destroy(struct peer *peer);

int peer_fd(const struct peer *peer);

/* The events of poll(2) it waits for. */
short peer_events(const struct peer *peer);

/* True while it has work to do that waits for nothing. */
bool peer_is_busy(const struct peer *peer);

/* When it was last heard, in ns, if it has no request under way; else 0. */
uint64_t peer_idle_since(const struct peer *peer);

/*
 * When it must be run, to be given up unless something happens, or to be told
 * what is new; UINT64_MAX for never.
 */
uint64_t peer_deadline(const struct peer *peer);

/*
 * Does what can be done now, given what poll(2) found. Returns false when the
 * peer is done with and must be destroyed.
 */
bool peer_run(struct peer *peer, short revents);

#endif

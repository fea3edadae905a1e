/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What status says of the two processes behind the mount.
 */
#ifndef CONTROL_PROCESSES_H
#define CONTROL_PROCESSES_H

struct answer;
struct control_config;

/* Lines on what they may do, what they have locked, and who is killed last. */
void processes_add(const struct control_config *config, struct answer *answer);

#endif

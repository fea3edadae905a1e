/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a long-lived process shows of itself and lets go of.
 */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

/*
 * For main(), first of all: makes up for what a caller may have done to
 * standard fds and SIGCHLD, and remembers where the command line lies in
 * memory. Moves the environment.
 */
void process_init(int argc, char **argv);

/*
 * Makes "hugetmpfs: ROLE MOUNTPOINT" the command line of this process that
 * ps(1) shows, and name its short name (15 bytes). The arguments of main() are
 * overwritten. Without process_init() only the short name changes.
 */
void process_set_title(const char *name, const char *role,
		       const char *mountpoint);

/* Replaces the three standard fds by /dev/null, so that no reader waits. */
void process_detach_terminal(void);

#endif

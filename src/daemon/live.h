/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of a living mount: those that hold now, and their change by
 * remount. Used by the control thread alone once it runs.
 */
#ifndef DAEMON_LIVE_H
#define DAEMON_LIVE_H

#include <stddef.h>

struct live;
struct recovery;

/*
 * options is what the daemon was started with (options_text()), root_fd the
 * root of the backing, report_fd the socket to the keeper, which is told of
 * every change, for a next daemon. Fds and recovery are borrowed. Returns 0 or
 * -ENOMEM.
 */
int live_open(struct live **out, const char *options, int root_fd,
	      int report_fd, struct recovery *recovery);
void live_close(struct live *live);

/* The options that hold, for the caller to free; NULL: no memory. */
char *live_options(void *live);

/*
 * Changes those in the list: all, or with an error nothing. Then it waits until
 * the keeper has written the change down, so what returned 0 holds with any next
 * daemon and keeper; when the keeper cannot, the error says that it is changed
 * all the same. Threads for more recoveries than one are started as memory
 * allows. An option that cannot change is no error when its value is the one that
 * holds: mount(8) repeats what stands in fstab. Returns 0 or a negative errno
 * with a message.
 */
int live_remount(void *live, const char *list, char *error, size_t error_size);

/* The same for settings of recovery alone, in their own words. */
int live_set(void *live, const char *list, char *error, size_t error_size);

/* Gives the connection of who asks for an upgrade to the keeper. */
int live_hand_over(void *live, int fd);

#endif

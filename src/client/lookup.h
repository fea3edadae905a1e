/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folders of the mounts under /run/hugetmpfs: from a mount's device number
 * to its socket.
 */
#ifndef CLIENT_LOOKUP_H
#define CLIENT_LOOKUP_H

#include <stdio.h>
#include <sys/types.h>

/*
 * Reads the device number of a mount from the "mount" file of its folder.
 * Returns 0, or -EPROTO when it has none.
 */
int lookup_parse(FILE *file, dev_t *dev);

/*
 * Connects to the socket of the mount with this device number, whose folder is
 * one of those in dir; leftovers of mounts past are passed over. Returns the
 * socket, -ENODEV, -ECONNREFUSED, -EACCES or another negative errno.
 */
int lookup_connect(const char *dir, dev_t dev, unsigned timeout_ms);

#endif

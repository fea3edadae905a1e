/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hugetmpfsctl says when something is wrong, and how it shows names and
 * numbers to people.
 */
#ifndef CTL_MESSAGE_H
#define CTL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/* One line to standard error, after the name of the program. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Words for what went wrong with a file (error is a negative errno) or with
 * the daemon of a mount. The string is constant or strerror(3)'s.
 */
const char *file_error_text(int error);
const char *mount_error_text(int error);

/* The word for an enum hugetmpfs_background, NULL for one that is not set. */
const char *policy_word(unsigned background);

/* Room that every name which a path may have fits in. */
#define SHOW_NAME_BYTES (4 * 4096 + 1)

/*
 * A name as it can be shown in a line of text: control characters as \ooo, a
 * backslash as \\. Returns out; a name too long for it is cut off.
 */
const char *show_name(const char *name, char out[SHOW_NAME_BYTES]);

/* Room for a size. */
#define SHOW_SIZE_BYTES 16

/* "512.0 MiB" */
const char *show_size(double bytes, char out[SHOW_SIZE_BYTES]);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What commands that ask the daemon of a mount have in common.
 */
#ifndef CTL_MOUNT_H
#define CTL_MOUNT_H

#include <hugetmpfs/hugetmpfs.h>
#include <jansson.h>

/*
 * Connects to the daemon of the mount that path lies on and asks; says what
 * went wrong. fn gets the lines. Returns an enum ctl_exit.
 */
int mount_ask(const char *path, const char *command, const char *argument,
	      hugetmpfs_line_fn *fn, void *arg);

/* The same; returns 0 or the negative errno. */
int mount_request(const char *path, const char *command, const char *argument,
		  hugetmpfs_line_fn *fn, void *arg);

/*
 * Takes "NAME NUMBER" apart, in place. Returns 0 or -EPROTO.
 */
int mount_number(const char *value, char *name, size_t name_bytes,
		 uint64_t *number);

/*
 * Puts a "NAME VALUE" of a setting into an object: numbers, on and off as
 * booleans, other words as strings. Returns 0 or -EPROTO.
 */
int mount_setting(json_t *settings, const char *value);

/* Writes the object of settings as text, one a line. */
void mount_print_settings(const json_t *settings);

#endif

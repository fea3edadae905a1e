/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Comma-separated option strings as mount(8) has them: "size=4G,noatime".
 * Pure string work; blocks nowhere.
 */
#ifndef BASE_OPTSTR_H
#define BASE_OPTSTR_H

#include <stdbool.h>

/*
 * Takes the next option off *cursor, a writable string, in the manner of
 * strsep(3). Returns its name and sets *value, NULL when there is no '='.
 * Returns NULL at the end. Empty options are passed over. A comma does not end
 * an option inside double quotes, which are taken away, and not in mpol= and
 * numa= where a digit follows (a list of nodes, "mpol=bind:0,2").
 */
char *optstr_next(char **cursor, char **value);

/*
 * Whether name=value is one option when it is read again, without the quotes
 * that it may have had: 1 or 0, or -ENOMEM.
 */
int optstr_is_one(const char *name, const char *value);

/* Whether there is an option of that name. options may be NULL: none. */
bool optstr_has(const char *options, const char *name);

/*
 * The value of the last option of that name, for the caller to free; *value is
 * NULL when there is none or it has no value. options may be NULL: none. Returns
 * 0 or -ENOMEM.
 */
int optstr_value(const char *options, const char *name, char **value);

/*
 * Puts an option at the end of *options (malloc'd, or NULL for an empty one)
 * and takes earlier ones of that name away. value may be NULL. Returns 0 or
 * -ENOMEM, changing nothing.
 */
int optstr_set(char **options, const char *name, const char *value);

/* Takes every option of that name away. Returns 0 or -ENOMEM. */
int optstr_remove(char **options, const char *name);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a mount as the documented JSON object, from which all else that
 * is shown of it is written.
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include <jansson.h>

/* With all members, those null or empty that status_line() fills. */
json_t *status_new(void);

/*
 * A hugetmpfs_line_fn for the answer to PROTOCOL_STATUS; status is the object.
 * Says on a terminal how far a scan is.
 */
int status_line(void *status, const char *key, const char *value);

#endif

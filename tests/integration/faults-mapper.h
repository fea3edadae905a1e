/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client of faults-background.c. */
#ifndef FAULTS_MAPPER_H
#define FAULTS_MAPPER_H

#include <stdbool.h>

/*
 * Has a file mapped by small pages, partly swapped out where there is swap, until
 * all of it is huge, with nobody asked for that; asks the daemon for its status
 * before and after, whose answer may fail once. Returns 0, or an exit code after
 * saying what is wrong.
 */
int faults_mapper(bool status_may_fail);

#endif

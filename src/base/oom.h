/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is killed when memory has run out.
 */
#ifndef BASE_OOM_H
#define BASE_OOM_H

#include <sys/types.h>

#define OOM_SCORE_FIRST	   1000
#define OOM_SCORE_NEVER	   (-1000)
#define OOM_SCORE_SELDOM   (-900) /* only who has nine tenths of the memory */

/*
 * Makes the calling process that unlikely to be chosen, if it is not less
 * likely already, and keeps in mind what it was. Returns 0 or a negative errno.
 */
int oom_protect(int score);

/*
 * Makes it as likely as it was before oom_protect(), or as anybody if it was
 * less likely even then. For what is started by such a process; makes only system calls, so it may run in a copy of a process
 * with threads.
 */
void oom_unprotect(void);

/*
 * Makes the calling process the first to be chosen, which takes no privilege:
 * for one that allocates for somebody else, and whose end undoes what it has
 * done. Makes only system calls.
 */
void oom_offer(void);

/* oom_score_adj of a process, 0: of the calling one. Returns 0 or a negative errno. */
int oom_score_of(pid_t pid, int *score);

#endif

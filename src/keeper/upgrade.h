/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An upgrade of the program behind a mount, as far as it can be told apart from
 * the keeper's other work: who asked, the new program, and the trial in which it
 * must show, before anything stops, that it can go on with these tables and
 * options.
 */
#ifndef KEEPER_UPGRADE_H
#define KEEPER_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper/child.h"

enum upgrade_state {
	UPGRADE_NONE,
	UPGRADE_TRIAL,	  /* the new program looks whether it could */
	UPGRADE_STOPPING, /* the daemon was told to end */
	UPGRADE_STARTING, /* the first daemon of the new program comes up */
};

struct upgrade {
	enum upgrade_state state;
	const char *mountpoint; /* of whose program it is, for messages */
	const char *path;	/* where the new program was found */
	int client_fd;		/* who asked */
	int program_fd;		/* the new program; while it starts, the old */
	struct child trial;
	bool passed;		/* the trial has said so */
	char *error;		/* what it said else */
	uint64_t deadline_ms;	/* of the state */
	bool expired;		/* the deadline has passed */
};

void upgrade_init(struct upgrade *upgrade, const char *mountpoint,
		  const char *path);

/*
 * Begins one for the client, whose fd is taken: opens the program and starts
 * the trial with config, in which all but the program and the mode are as for a
 * daemon. Failing is answered.
 */
void upgrade_begin(struct upgrade *upgrade, int client_fd,
		   const struct child_config *config);

/* Takes a report of the trial. False when there is none. */
bool upgrade_take_report(struct upgrade *upgrade);

/*
 * The trial has ended. True when the program has passed; else that is answered,
 * and the upgrade is over.
 */
bool upgrade_end_trial(struct upgrade *upgrade);

/* Goes to the next state, which may last for some time. */
void upgrade_set_state(struct upgrade *upgrade, enum upgrade_state state);

/* Milliseconds to the deadline, for poll(2); -1 when there is none ahead. */
int upgrade_timeout(const struct upgrade *upgrade);

/*
 * The deadline may have passed: then a trial is ended, and true is returned once
 * in a state in which the caller has somebody to end.
 */
bool upgrade_expire(struct upgrade *upgrade);

/* Answers who asked, 0 or a negative errno with the reason: it is over. */
void upgrade_answer(struct upgrade *upgrade, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The keeper ends: whatever is under way is ended and answered. */
void upgrade_abandon(struct upgrade *upgrade);

#endif

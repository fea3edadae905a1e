/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations that faults.c makes fail, and how a directory is then. */
#ifndef FAULTS_H
#define FAULTS_H

#define FAULTS_STATE_BYTES 4096

enum {
	FAULTS_DONE,
	FAULTS_NOT_DONE, /* an error of those that are made on purpose */
	FAULTS_DONE_NOT_SEEN, /* done, then such an error when looking at it */
	FAULTS_WRONG, /* something else, which was said */
};

/* The name of an operation, NULL after the last one. */
const char *faults_name(unsigned operation);

/* Makes a directory t with what the operations need. Exits on errors. */
void faults_prepare(void);

/* Carries the operation out in t. */
int faults_act(unsigned operation);

/* Writes down what is in t: names, attributes, content. Exits on errors. */
void faults_state(char *text);

/* Removes t with all that is in it. Exits on errors. */
void faults_clear(void);

#endif

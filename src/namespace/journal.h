/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal: what the next daemon has to know of the requests that a dead one
 * was working on. It lies in the memfd of the tables, a slot for each serving
 * thread.
 *
 * A request is received into the slot itself, so nothing of it is lost with the
 * daemon, not even a FORGET, which comes only once. What it changes in the
 * tables is changed together with words of the slot that say so. Its reply is
 * kept before it is sent. So a dead daemon has left each slot in one of these
 * states:
 *
 *	nothing received
 *	received   and not replied: what it has changed in the tables is taken
 *	           back, and then it is carried out again. Whoever carries out
 *	           what cannot be done twice asks journal_is_resumed() and looks
 *	           whether it has happened; the kernel keeps everybody else away
 *	           from the names in question until it is replied
 *	replying   the reply that was kept is sent. When it had been sent before
 *	           the kernel knows no such request any more, and says so
 *	replied    nothing is left to do
 *
 * Requests that change nothing and count nothing are no matter of the journal:
 * the kernel sends them again.
 *
 * A change of several words is a transaction: the words and their new values
 * are written down, then how many they are, then they are carried out. The next
 * daemon carries them out again. The locks that protect the words are held
 * meanwhile, so no two transactions with the same word are ever left behind.
 */
#ifndef NAMESPACE_JOURNAL_H
#define NAMESPACE_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_NR_SLOTS   64
#define JOURNAL_NR_CHANGES 8
#define JOURNAL_NR_COUNTS  2048 /* entries of a listing in one reply */
#define JOURNAL_BYTES	   (256 * 1024 + 4096) /* of a request, of a reply */

enum { JOURNAL_RECEIVED, JOURNAL_REPLYING, JOURNAL_REPLIED };

struct journal_slot {
	_Atomic uint64_t state;
	_Atomic uint64_t nr_changes; /* of a transaction, when it counts */
	struct {
		int64_t at; /* where the word is, in bytes from the slot */
		uint64_t value;
	} changes[JOURNAL_NR_CHANGES];
	_Atomic uint64_t done;	 /* steps of the request that are done */
	_Atomic uint64_t before; /* what was before it, as it likes */
	_Atomic uint64_t opened; /* nodeid of the open that it has accounted */
	_Atomic uint64_t opened_flags;
	_Atomic uint64_t registering; /* 1 + the highest backing id when it began
					 to register one; 0: it does not */
	_Atomic uint64_t closing; /* backing id that is in no record any more */
	_Atomic uint64_t reply_bytes;
	_Atomic uint64_t nr_counts; /* lookups that it has counted, of nodeids: */
	_Atomic uint64_t counts[JOURNAL_NR_COUNTS];
	_Alignas(4096) unsigned char request[JOURNAL_BYTES];
	_Alignas(4096) unsigned char reply[JOURNAL_BYTES];
};

/*
 * The slot of the calling thread from here on, NULL for none: then changes are
 * made at once and nothing is written down. resumed: it is being looked after
 * for a dead daemon.
 */
void journal_use(struct journal_slot *slot, bool resumed);
struct journal_slot *journal_slot(void);
bool journal_is_resumed(void);

/*
 * Makes sure that the slot's memory is there: a thread that is being killed is
 * given no more, and the kernel would lose what it copies there.
 */
void journal_prepare(struct journal_slot *slot);

/* Adds to the calling thread's transaction; journal_commit() carries it out. */
void journal_set(_Atomic uint64_t *word, uint64_t value);
void journal_commit(void);

/*
 * Words of the slot, to be set in the transaction that makes them true; without
 * a slot nothing happens.
 */
void journal_set_done(uint64_t steps);
void journal_set_before(uint64_t value);
void journal_set_opened(uint64_t nodeid, int flags); /* 0: not any more */
void journal_set_closing(uint64_t backing_id);
void journal_set_registering(uint64_t value);
void journal_count(uint64_t nodeid);
void journal_uncount(uint64_t nodeid);
bool journal_has_room(void); /* for one more journal_count() */

/* The same words read; 0 without a slot. */
uint64_t journal_last_count(void);
uint64_t journal_done(void);
uint64_t journal_before(void);

/* Ends what a slot is about: it is empty and may receive. */
void journal_clear(struct journal_slot *slot);

/*
 * Whether slots can be what a daemon has left: no more in them than has room,
 * and no change of a word outside the bytes that begin with them. Returns 0 or
 * -EUCLEAN.
 */
int journal_check(struct journal_slot *slots, size_t nr, size_t bytes);

/* Carries out again what transactions a dead daemon has left in the slots. */
void journal_redo(struct journal_slot *slots, size_t nr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the scan has found, on its way to the engine: windows of neighbouring
 * extents, offered as many at a time as the engine can do with, and what came
 * of each remembered, so that what cannot be recovered is left alone.
 *
 * One thread finds and offers; answers come from the engine's.
 */
#ifndef RECOVERY_OFFERS_H
#define RECOVERY_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

struct recovery;
struct recovery_backoff;
struct recovery_offers;

/* Which extents of a window are to be recovered. */
enum recovery_wanted {
	RECOVERY_WANTED_USED, /* those that somebody uses by small entries */
	RECOVERY_WANTED_ALL,  /* also those that nobody has mapped */
	/* those that are not where they belong, huge or in use, or all */
	RECOVERY_WANTED_MISPLACED,
};

/* Extents of one file, at most RECOVERY_WINDOW_EXTENTS. */
struct recovery_offer {
	uint64_t ino;
	uint64_t first;
	uint32_t nr;
	enum recovery_wanted wanted;
};

/*
 * answered is called from a worker, without locks, whenever there may be room
 * for more. backoff is borrowed. Returns 0 or -ENOMEM.
 */
int recovery_offers_open(struct recovery_offers **out,
			 struct recovery *recovery,
			 struct recovery_backoff *backoff,
			 void (*answered)(void *arg), void *arg);

/* When nothing is left that was offered. */
void recovery_offers_close(struct recovery_offers *offers);

/* Says what time it is, in ticks. */
void recovery_offers_set_time(struct recovery_offers *offers, uint64_t now);

/* Both return 0 or -ENOMEM. An extent joins the last window if it is near. */
int recovery_offers_add(struct recovery_offers *offers,
			const struct recovery_offer *offer);
int recovery_offers_add_extent(struct recovery_offers *offers, uint64_t ino,
			       uint64_t index);

/* Whether something waits to be offered, and whether there is room for it. */
bool recovery_offers_has_waiting(const struct recovery_offers *offers);
bool recovery_offers_has_room(struct recovery_offers *offers);

/* Whether what ended with this error may come to another end some time later. */
bool recovery_offers_may_succeed(int error);

/*
 * Whether it is time to offer once more what nobody uses, and so no look finds
 * again: some of it was not offered or not recovered, for a reason that passes.
 * Says so once.
 */
bool recovery_offers_take_again(struct recovery_offers *offers);

/* Extents that were offered and not answered. */
uint32_t recovery_offers_underway(struct recovery_offers *offers);

/* Offers what waits, as far as there is room. */
void recovery_offers_make(struct recovery_offers *offers);

/* Has that end soon, and offers no more; from any thread. */
void recovery_offers_stop(struct recovery_offers *offers);

/* Forgets what waits. */
void recovery_offers_drop(struct recovery_offers *offers);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was found is a belief: the worker that takes a window up looks anew,
 * and only extents that are wanted by what they are then are recovered. A
 * file's own policy is looked at when it is offered, and comes before that of
 * the mount.
 */
#include "recovery/offers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "placement/follow.h"
#include "recovery/backoff.h"
#include "recovery/internal.h"

/* Extents offered and not answered: enough to keep all workers busy. */
#define OFFERS_UNDERWAY 4096

struct recovery_offers {
	struct recovery *recovery;
	struct recovery_backoff *backoff;
	void (*answered)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	uint32_t underway; /* lock; extents */
	bool stopping;	   /* lock */
	uint64_t now;	   /* lock; in ticks */
	uint64_t again;	   /* lock; recovery_offers_take_again(), 0: never */

	/* the finder's */
	size_t nr, next, capacity;
	struct recovery_offer *waiting;
};

/* What was offered, until it is answered. */
struct recovery_offered {
	struct recovery_offers *offers;
	struct recovery_offer offer;
	enum recovery_recover recover; /* of the file */
};

int recovery_offers_open(struct recovery_offers **out,
			 struct recovery *recovery,
			 struct recovery_backoff *backoff,
			 void (*answered)(void *arg), void *arg)
{
	struct recovery_offers *offers = calloc(1, sizeof(*offers));

	if (!offers)
		return -ENOMEM;
	offers->recovery = recovery;
	offers->backoff = backoff;
	offers->answered = answered;
	offers->arg = arg;
	pthread_mutex_init(&offers->lock, NULL);
	*out = offers;
	return 0;
}

void recovery_offers_close(struct recovery_offers *offers)
{
	recovery_offers_drop(offers);
	pthread_mutex_destroy(&offers->lock);
	free(offers);
}

void recovery_offers_set_time(struct recovery_offers *offers, uint64_t now)
{
	pthread_mutex_lock(&offers->lock);
	offers->now = now;
	pthread_mutex_unlock(&offers->lock);
}

static uint64_t recovery_offers_time(struct recovery_offers *offers)
{
	uint64_t now;

	pthread_mutex_lock(&offers->lock);
	now = offers->now;
	pthread_mutex_unlock(&offers->lock);
	return now;
}

uint32_t recovery_offers_underway(struct recovery_offers *offers)
{
	uint32_t underway;

	pthread_mutex_lock(&offers->lock);
	underway = offers->underway;
	pthread_mutex_unlock(&offers->lock);
	return underway;
}

static void recovery_offers_begin(struct recovery_offers *offers, uint32_t nr)
{
	pthread_mutex_lock(&offers->lock);
	offers->underway += nr;
	pthread_mutex_unlock(&offers->lock);
}

static void recovery_offers_end(struct recovery_offers *offers, uint32_t nr)
{
	pthread_mutex_lock(&offers->lock);
	offers->underway -= nr;
	pthread_mutex_unlock(&offers->lock);
}

bool recovery_offers_may_succeed(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE ||
	       error == -EAGAIN || error == -EINTR;
}

/* What nobody uses is to be offered once more, 0: not for this. */
static void recovery_offers_again_at(struct recovery_offers *offers,
				     const struct recovery_offer *offer,
				     uint64_t at)
{
	if (offer->wanted != RECOVERY_WANTED_ALL || !at)
		return;
	pthread_mutex_lock(&offers->lock);
	if (!offers->again || at < offers->again)
		offers->again = at;
	pthread_mutex_unlock(&offers->lock);
}

/* It has ended with an error before any of its extents was looked at. */
static void recovery_offers_miss(struct recovery_offers *offers,
				 const struct recovery_offer *offer, int error)
{
	if (recovery_offers_may_succeed(error))
		recovery_offers_again_at(offers, offer,
					 recovery_offers_time(offers) + 1);
}

bool recovery_offers_take_again(struct recovery_offers *offers)
{
	bool take;

	pthread_mutex_lock(&offers->lock);
	take = offers->again && offers->now >= offers->again;
	if (take)
		offers->again = 0;
	pthread_mutex_unlock(&offers->lock);
	return take;
}

/* Whether an extent of a window is to be recovered, by what it is now. */
static bool recovery_offers_want(void *arg, uint64_t index,
				 const struct team_facts *facts)
{
	const struct recovery_offered *offered = arg;
	const struct recovery_offer *offer = &offered->offer;
	struct recovery_offers *offers = offered->offers;
	bool wanted = facts->by_pte;

	/* nobody uses it, which is all right only where all are wanted */
	if (offered->recover == RECOVERY_RECOVER_ALL && facts->resident &&
	    !facts->huge)
		wanted |= offer->wanted != RECOVERY_WANTED_USED;
	if (offer->wanted == RECOVERY_WANTED_MISPLACED)
		wanted = facts->misplaced_pages && (wanted || facts->huge);
	if (!wanted)
		return false;
	if (!recovery_backoff_holds_still(offers->backoff, offer->ino, index,
					  recovery_offers_time(offers)))
		return true;
	recovery_offers_again_at(offers, offer,
				 recovery_backoff_until(offers->backoff,
							offer->ino, index));
	return false;
}

/* What the policy follow is to know of it. */
static void recovery_offers_follow(struct recovery_offers *offers, uint64_t ino,
				   uint64_t now,
				   const struct hugetmpfs_extent *extent)
{
	struct placement_follow *follow = offers->recovery->follow;

	if (extent->misplaced_pages)
		placement_follow_failed(follow, ino, extent->index,
					extent->target_nid, now);
	else
		placement_follow_moved(follow, ino, extent->index,
				       extent->target_nid);
}

/*
 * An extent that is huge and was so before, or was only mapped so again, is
 * one that somebody cannot have mapped huge: left alone as well.
 */
static void recovery_offers_remember(struct recovery_offers *offers,
				     const struct recovery_offer *offer,
				     uint64_t now,
				     const struct hugetmpfs_extent *extent)
{
	struct recovery_backoff *backoff = offers->backoff;
	uint64_t ino = offer->ino, again;

	switch (extent->reason) {
	case HUGETMPFS_REASON_NOT_ASKED:
	case HUGETMPFS_REASON_TOO_LATE:
	case HUGETMPFS_REASON_CANCELLED:
	case HUGETMPFS_REASON_POLICY:
		return;
	case HUGETMPFS_REASON_DONE:
		if (extent->passes &
		    (HUGETMPFS_PASS_COLLAPSE | HUGETMPFS_PASS_MIGRATE)) {
			recovery_backoff_forget(backoff, ino, extent->index);
			break;
		}
		/* fall through */
	default:
		again = recovery_backoff_store(backoff, ino, extent->index,
					       extent->reason, now);
		recovery_offers_again_at(offers, offer, again);
	}
	if (extent->target_nid >= 0)
		recovery_offers_follow(offers, ino, now, extent);
}

static void recovery_offers_done(void *arg,
				 const struct recovery_result *result)
{
	struct recovery_offered *offered = arg;
	struct recovery_offers *offers = offered->offers;
	uint64_t now = recovery_offers_time(offers);

	for (uint32_t i = 0; !result->error && i < result->nr; i++)
		recovery_offers_remember(offers, &offered->offer, now,
					 &result->extents[i]);
	recovery_offers_miss(offers, &offered->offer, result->error);
	recovery_offers_end(offers, offered->offer.nr);
	offers->answered(offers->arg);
	free(offered);
}

static enum recovery_recover recovery_offers_recover(struct recovery *recovery,
						     int fd)
{
	struct recovery_settings settings;

	recovery_settings_get(recovery, &settings);
	return recovery_policy_background(recovery, &settings, fd);
}

static int recovery_offers_submit(struct recovery_offers *offers,
				  const struct recovery_offer *offer,
				  const struct recovery_file *file,
				  enum recovery_recover recover)
{
	struct recovery_offered *offered = malloc(sizeof(*offered));
	int ret;

	if (!offered)
		return -ENOMEM;
	*offered = (struct recovery_offered){offers, *offer, recover};
	recovery_offers_begin(offers, offer->nr);
	ret = recovery_offer_if(offers->recovery, file, offer->first, offer->nr,
				recovery_offers_want, recovery_offers_done,
				offered);
	if (!ret)
		return 0;
	recovery_offers_end(offers, offer->nr);
	free(offered);
	return ret;
}

/* Returns -EAGAIN when it should be offered later. */
static int recovery_offers_make_one(struct recovery_offers *offers,
				    const struct recovery_offer *offer)
{
	struct recovery *recovery = offers->recovery;
	struct recovery_config *config = &recovery->config;
	struct recovery_file file = {.ino = offer->ino};
	enum recovery_recover recover;
	int ret = 0;

	file.fd = config->open_ino(config->files_arg, offer->ino, O_RDWR);
	if (file.fd < 0) {
		/* it is gone, or nothing to be written now */
		recovery_offers_miss(offers, offer, file.fd);
		return 0;
	}
	recover = recovery_offers_recover(recovery, file.fd);
	if (recover == RECOVERY_RECOVER_ALL ||
	    (recover == RECOVERY_RECOVER_MAPPED &&
	     offer->wanted != RECOVERY_WANTED_ALL))
		ret = recovery_offers_submit(offers, offer, &file, recover);
	close(file.fd);
	return ret;
}

bool recovery_offers_has_waiting(const struct recovery_offers *offers)
{
	return offers->next < offers->nr;
}

bool recovery_offers_has_room(struct recovery_offers *offers)
{
	return recovery_offers_underway(offers) < OFFERS_UNDERWAY / 2;
}

static bool recovery_offers_is_full(struct recovery_offers *offers)
{
	bool full;

	pthread_mutex_lock(&offers->lock);
	full = offers->underway >= OFFERS_UNDERWAY || offers->stopping;
	pthread_mutex_unlock(&offers->lock);
	return full;
}

void recovery_offers_stop(struct recovery_offers *offers)
{
	pthread_mutex_lock(&offers->lock);
	offers->stopping = true;
	pthread_mutex_unlock(&offers->lock);
}

void recovery_offers_drop(struct recovery_offers *offers)
{
	offers->nr = offers->next = 0;
	offers->capacity = 0;
	free(offers->waiting);
	offers->waiting = NULL;
}

void recovery_offers_make(struct recovery_offers *offers)
{
	const struct recovery_offer *offer;
	int ret;

	for (; recovery_offers_has_waiting(offers); offers->next++) {
		offer = &offers->waiting[offers->next];
		if (recovery_offers_is_full(offers))
			return;
		ret = recovery_offers_make_one(offers, offer);
		if (ret == -EAGAIN)
			return;
		recovery_offers_miss(offers, offer, ret);
	}
	recovery_offers_drop(offers);
}

int recovery_offers_add(struct recovery_offers *offers,
			const struct recovery_offer *offer)
{
	size_t capacity = offers->capacity * 2 + 16;
	struct recovery_offer *bigger;

	if (offers->nr == offers->capacity) {
		bigger = realloc(offers->waiting, capacity * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		offers->waiting = bigger;
		offers->capacity = capacity;
	}
	offers->waiting[offers->nr++] = *offer;
	return 0;
}

int recovery_offers_add_extent(struct recovery_offers *offers, uint64_t ino,
			       uint64_t index)
{
	struct recovery_offer *last, offer = {
		.ino = ino,
		.first = index,
		.nr = 1,
		.wanted = RECOVERY_WANTED_USED,
	};

	if (offers->nr) {
		last = &offers->waiting[offers->nr - 1];
		if (last->wanted == offer.wanted && last->ino == ino &&
		    index - last->first < RECOVERY_WINDOW_EXTENTS) {
			last->nr = (uint32_t) (index - last->first + 1);
			return 0;
		}
	}
	return recovery_offers_add(offers, &offer);
}

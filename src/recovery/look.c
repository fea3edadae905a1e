/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look must not wait for a process whose address space is locked, which may
 * last for minutes. No call tells beforehand, and none can be taken back. So
 * each look is a round with a thread that goes from process to process, while
 * the caller watches that it goes on. When it does not, another thread goes on
 * with the next process; the first one is left where it is, and finds when it
 * returns that its round is closed. mm/ sees to it that no later round gets
 * stuck at the same process again. A thread holds its round and a round the
 * look, which so outlives its closing, and the mm that it was opened with.
 *
 * What a process that is stuck uses is not known, but what it had mapped when
 * it was last looked at is, and taken to be so still.
 */
#include "recovery/look.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECOVERY_LOOK_THREADS 4	 /* in one round */
#define RECOVERY_LOOK_STUCK   16 /* in all rounds */

struct recovery_list {
	void *items;
	size_t nr, capacity;
};

struct recovery_round {
	struct recovery_round *next; /* the look's; among those not ended */
	struct recovery_look *look;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t news;
	unsigned refs;	  /* of the look and its threads */
	unsigned threads; /* that have not returned */
	bool closed;
	unsigned at, nr;  /* the next process, and how many there are */
	uint64_t steps;	  /* processes that were looked at */
	unsigned mappers;
	unsigned stuck;
	int error;
	bool wants_mapped; /* constant */
	bool is_whole;	   /* the caller's; it has ended, with a result */
	struct recovery_list uses, mapped;
};

struct recovery_look {
	struct mm_ops mm;
	struct mm_watch *watch;
	struct recovery_round *stuck;	/* rounds with threads that are */
	struct recovery_round *current; /* whose result the caller has */
	struct recovery_list mapped;	/* by the result before it */
	pthread_mutex_t lock;
	struct recovery_round *running; /* lock */
	bool stopping;			/* lock */
	unsigned refs;			/* lock; of the owner and rounds */
};

int recovery_look_open(struct recovery_look **out, const struct mm_ops *mm,
		       dev_t dev)
{
	struct recovery_look *look = calloc(1, sizeof(*look));
	int ret;

	if (!look)
		return -ENOMEM;
	look->mm = *mm;
	look->refs = 1;
	ret = mm->watch_open(mm->context, dev, &look->watch);
	if (ret) {
		free(look);
		return ret;
	}
	pthread_mutex_init(&look->lock, NULL);
	*out = look;
	return 0;
}

static void recovery_look_put(struct recovery_look *look)
{
	bool last;

	pthread_mutex_lock(&look->lock);
	last = --look->refs == 0;
	pthread_mutex_unlock(&look->lock);
	if (!last)
		return;
	look->mm.watch_close(look->mm.context, look->watch);
	pthread_mutex_destroy(&look->lock);
	free(look);
}

static struct recovery_round *recovery_round_new(struct recovery_look *look,
						 unsigned nr, bool mapped)
{
	struct recovery_round *round = calloc(1, sizeof(*round));
	pthread_condattr_t attr;

	if (!round)
		return NULL;
	pthread_mutex_lock(&look->lock);
	look->refs++;
	pthread_mutex_unlock(&look->lock);
	round->look = look;
	round->nr = nr;
	round->wants_mapped = mapped;
	round->refs = 1;
	pthread_mutex_init(&round->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&round->news, &attr);
	pthread_condattr_destroy(&attr);
	return round;
}

/* Gives up a hold on it; the lock is held on entry and released. */
static void recovery_round_put_locked(struct recovery_round *round)
{
	struct recovery_look *look = round->look;
	bool last = --round->refs == 0;

	pthread_mutex_unlock(&round->lock);
	if (!last)
		return;
	pthread_cond_destroy(&round->news);
	pthread_mutex_destroy(&round->lock);
	free(round->uses.items);
	free(round->mapped.items);
	free(round);
	recovery_look_put(look);
}

static int recovery_list_add(struct recovery_list *list, const void *item,
			     size_t size)
{
	size_t capacity = list->capacity * 2 + 64;
	char *bigger;

	if (list->nr == list->capacity) {
		bigger = realloc(list->items, capacity * size);
		if (!bigger)
			return -ENOMEM;
		list->items = bigger;
		list->capacity = capacity;
	}
	memcpy((char *) list->items + list->nr++ * size, item, size);
	return 0;
}

static int recovery_round_add(struct recovery_round *round,
			      struct recovery_list *list, const void *item,
			      size_t size)
{
	int ret = -ECANCELED;

	pthread_mutex_lock(&round->lock);
	if (!round->closed)
		ret = recovery_list_add(list, item, size);
	if (ret == -ENOMEM)
		round->error = ret;
	pthread_mutex_unlock(&round->lock);
	return ret;
}

static int recovery_round_use(void *arg, const struct mm_use *use)
{
	struct recovery_round *round = arg;

	return recovery_round_add(round, &round->uses, use, sizeof(*use));
}

static int recovery_round_mapped(void *arg, const struct mm_mapped *mapped)
{
	struct recovery_round *round = arg;

	return recovery_round_add(round, &round->mapped, mapped,
				  sizeof(*mapped));
}

static void *recovery_round_thread(void *arg)
{
	struct recovery_round *round = arg;
	const struct mm_ops *mm = &round->look->mm;
	const struct mm_seen seen = {
		.use = recovery_round_use,
		.mapped = round->wants_mapped ? recovery_round_mapped : NULL,
		.arg = round,
	};
	unsigned i;
	int ret;

	pthread_setname_np(pthread_self(), "recovery-look");
	pthread_mutex_lock(&round->lock);
	while (!round->closed && !round->error && round->at < round->nr) {
		i = round->at++;
		pthread_mutex_unlock(&round->lock);
		ret = mm->watch_look(mm->context, round->look->watch, i, &seen);
		pthread_mutex_lock(&round->lock);
		round->steps++;
		round->mappers += ret > 0;
		round->stuck += ret == -EBUSY;
	}
	round->threads--;
	pthread_cond_signal(&round->news);
	recovery_round_put_locked(round);
	return NULL;
}

static int recovery_round_start_locked(struct recovery_round *round)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, recovery_round_thread, round);
	pthread_attr_destroy(&attr);
	if (!ret) {
		round->refs++;
		round->threads++;
	}
	return ret;
}

static bool recovery_round_timedwait(struct recovery_round *round,
				     unsigned patience_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += patience_ms / 1000;
	until.tv_nsec += patience_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !pthread_cond_timedwait(&round->news, &round->lock, &until);
}

/* Watches over the round until all was looked at but for what is stuck. */
static int recovery_round_watch_locked(struct recovery_round *round,
				       unsigned patience_ms)
{
	uint64_t steps;
	bool over;
	int ret = recovery_round_start_locked(round);

	while (!ret && round->threads && !round->closed) {
		steps = round->steps;
		if (recovery_round_timedwait(round, patience_ms) ||
		    round->steps != steps)
			continue;
		over = round->at >= round->nr ||
		       round->threads >= RECOVERY_LOOK_THREADS;
		if (over)
			break;
		ret = recovery_round_start_locked(round);
	}
	round->stuck += round->threads;
	if (!ret)
		ret = round->closed ? -EINTR : round->error;
	round->closed = true;
	return ret;
}

static int recovery_look_compare(const void *a, const void *b)
{
	const struct mm_use *left = a, *right = b;

	if (left->ino != right->ino)
		return left->ino < right->ino ? -1 : 1;
	return (left->index > right->index) - (left->index < right->index);
}

static int recovery_mapped_compare(const void *a, const void *b)
{
	const struct mm_mapped *left = a, *right = b;

	if (left->ino != right->ino)
		return left->ino < right->ino ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Sorts, and makes one of what several processes use. */
static void recovery_round_merge(struct recovery_round *round)
{
	struct mm_use *uses = round->uses.items;
	size_t nr = 0;

	if (!round->uses.nr)
		return;
	qsort(uses, round->uses.nr, sizeof(*uses), recovery_look_compare);
	for (size_t i = 1; i < round->uses.nr; i++) {
		if (recovery_look_compare(&uses[nr], &uses[i]))
			uses[++nr] = uses[i];
		else
			uses[nr].pages += uses[i].pages;
	}
	round->uses.nr = nr + 1;
}

static int recovery_mapped_compare_pid(const void *a, const void *b)
{
	const struct mm_mapped *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* What cannot be told of a process is no reason to forget it. */
static bool recovery_look_is_gone(const struct recovery_look *look, pid_t pid)
{
	uint32_t threads[NODESET_NODES];

	return look->mm.mapper_nodes(look->mm.context, pid, threads,
				     NODESET_NODES) == -ESRCH;
}

/*
 * Adds what processes had mapped before that were not seen now, but are there:
 * some of them are stuck, and others may have unmapped it.
 */
static int recovery_round_carry(struct recovery_round *round,
				struct recovery_list *before)
{
	const struct mm_mapped *mapped = before->items;
	struct recovery_list *list = &round->mapped;
	size_t nr = list->nr;
	bool carry = false;
	int ret = 0;

	if (nr)
		qsort(list->items, nr, sizeof(*mapped),
		      recovery_mapped_compare_pid);
	if (before->nr)
		qsort(before->items, before->nr, sizeof(*mapped),
		      recovery_mapped_compare_pid);
	for (size_t i = 0; i < before->nr && !ret; i++, mapped++) {
		/* each process is asked for once */
		if (!i || mapped->pid != mapped[-1].pid)
			carry = (!nr || !bsearch(mapped, list->items, nr,
						 sizeof(*mapped),
						 recovery_mapped_compare_pid)) &&
				!recovery_look_is_gone(round->look,
						       mapped->pid);
		if (carry)
			ret = recovery_list_add(list, mapped, sizeof(*mapped));
	}
	return ret;
}

/* Lets go of rounds that have ended; returns how many threads are stuck. */
static unsigned recovery_look_reap(struct recovery_look *look)
{
	struct recovery_round **at = &look->stuck, *round;
	unsigned stuck = 0;

	while ((round = *at)) {
		pthread_mutex_lock(&round->lock);
		if (!round->threads) {
			*at = round->next;
			recovery_round_put_locked(round);
			continue;
		}
		stuck += round->threads;
		at = &round->next;
		pthread_mutex_unlock(&round->lock);
	}
	return stuck;
}

/* Of the last look's result only what is mapped is needed any more. */
static void recovery_look_drop(struct recovery_look *look)
{
	struct recovery_round *round = look->current;

	if (!round)
		return;
	if (round->is_whole) {
		free(look->mapped.items);
		look->mapped = round->mapped;
		round->mapped = (struct recovery_list){0};
	}
	look->current = NULL;
	round->next = look->stuck;
	look->stuck = round;
}

static int recovery_look_round(struct recovery_look *look,
			       struct recovery_round *round,
			       unsigned patience_ms)
{
	bool stopping;
	int ret = -EINTR;

	pthread_mutex_lock(&look->lock);
	stopping = look->stopping;
	look->running = stopping ? NULL : round;
	pthread_mutex_unlock(&look->lock);
	if (stopping)
		return ret;
	pthread_mutex_lock(&round->lock);
	ret = recovery_round_watch_locked(round, patience_ms);
	pthread_mutex_unlock(&round->lock);
	pthread_mutex_lock(&look->lock);
	look->running = NULL;
	pthread_mutex_unlock(&look->lock);
	return ret;
}

int recovery_look_run(struct recovery_look *look, unsigned patience_ms,
		      bool mapped, struct recovery_look_result *result)
{
	const struct mm_ops *mm = &look->mm;
	struct recovery_round *round;
	int ret;

	recovery_look_drop(look);
	if (recovery_look_reap(look) >= RECOVERY_LOOK_STUCK)
		return -EBUSY;
	ret = mm->watch_list(mm->context, look->watch);
	if (ret < 0)
		return ret;
	round = recovery_round_new(look, (unsigned) ret, mapped);
	if (!round)
		return -ENOMEM;
	look->current = round;
	ret = recovery_look_round(look, round, patience_ms);
	/* closed: no thread of it writes there any more */
	if (!ret && round->stuck && mapped)
		ret = recovery_round_carry(round, &look->mapped);
	if (ret)
		return ret;
	round->is_whole = true;
	recovery_round_merge(round);
	if (round->mapped.nr)
		qsort(round->mapped.items, round->mapped.nr,
		      sizeof(struct mm_mapped), recovery_mapped_compare);
	*result = (struct recovery_look_result){
		.uses = round->uses.items,
		.nr = round->uses.nr,
		.mapped = round->mapped.items,
		.nr_mapped = round->mapped.nr,
		.processes = round->nr,
		.mappers = round->mappers,
		.stuck = round->stuck,
	};
	return 0;
}

void recovery_look_stop(struct recovery_look *look)
{
	struct recovery_round *round;

	pthread_mutex_lock(&look->lock);
	look->stopping = true;
	round = look->running;
	if (round) {
		pthread_mutex_lock(&round->lock);
		round->closed = true;
		pthread_cond_broadcast(&round->news);
		pthread_mutex_unlock(&round->lock);
	}
	pthread_mutex_unlock(&look->lock);
}

void recovery_look_close(struct recovery_look *look)
{
	struct recovery_round *round;

	recovery_look_drop(look);
	while ((round = look->stuck)) {
		look->stuck = round->next;
		pthread_mutex_lock(&round->lock);
		recovery_round_put_locked(round);
	}
	free(look->mapped.items);
	recovery_look_put(look);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watches of the model: what processes use, as it says of its mappers.
 */
#include "fake/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct mm_watch {
	bool busy[FAKE_MAPPERS];
	unsigned nr;
	pid_t pids[FAKE_MAPPERS];
};

int fake_watch_open(void *context, dev_t dev, struct mm_watch **out)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_WATCH_OPEN, 0);

	(void) dev;
	if (!ret) {
		*out = calloc(1, sizeof(**out));
		ret = *out ? 0 : -ENOMEM;
		fake->watches += *out != NULL;
	}
	return fake_leave(fake, ret);
}

void fake_watch_close(void *context, struct mm_watch *watch)
{
	struct fake_mm *fake = context;

	pthread_mutex_lock(&fake->lock);
	fake->watches--;
	pthread_mutex_unlock(&fake->lock);
	for (int i = 0; i < FAKE_MAPPERS; i++)
		assert(!watch->busy[i]);
	free(watch);
}

int fake_watch_list(void *context, struct mm_watch *watch)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_WATCH_LIST, 0);

	if (!ret) {
		watch->nr = 0;
		for (int i = 0; i < FAKE_MAPPERS; i++) {
			if (fake->mappers[i].present)
				watch->pids[watch->nr++] = i;
		}
		ret = (int) watch->nr;
	}
	return fake_leave(fake, ret);
}

/* All of the file, by one mapping. */
static int fake_watch_mapped(struct fake_mm *fake,
			     const struct fake_mapper *from,
			     const struct mm_seen *seen)
{
	struct mm_mapped mapped = {
		.ino = FAKE_INO,
		.nr = fake->nr,
		.pid = (pid_t) (from - fake->mappers),
	};

	if (!seen->mapped || from->unmapped)
		return 0;
	return seen->mapped(seen->arg, &mapped);
}

/* What the mapper uses by small entries; half of each extent. */
static int fake_watch_uses(struct fake_mm *fake, struct fake_mapper *from,
			   const struct mm_seen *seen)
{
	struct mm_use use = {.ino = FAKE_INO, .pages = 256};
	bool used;
	int ret = 0;

	for (use.index = 0; use.index < fake->nr && !ret; use.index++) {
		pthread_mutex_lock(&fake->lock);
		used = from->by_pte[use.index] && !from->misaligned;
		pthread_mutex_unlock(&fake->lock);
		if (used)
			ret = seen->use(seen->arg, &use);
	}
	return ret ? ret : !from->unmapped;
}

int fake_watch_look(void *context, struct mm_watch *watch, unsigned i,
		    const struct mm_seen *seen)
{
	struct fake_mm *fake = context;
	struct fake_mapper *from;
	pid_t pid;
	bool busy;
	int ret;

	pthread_mutex_lock(&fake->lock);
	assert(i < watch->nr);
	pid = watch->pids[i];
	busy = watch->busy[pid];
	watch->busy[pid] = true;
	from = &fake->mappers[pid];
	pthread_mutex_unlock(&fake->lock);
	if (busy)
		return -EBUSY;
	ret = fake_enter(fake, FAKE_WATCH_LOOK, (uint64_t) pid);
	if (from->dead && !ret)
		ret = -ESRCH;
	fake_leave(fake, 0);
	if (!ret)
		ret = fake_watch_mapped(fake, from, seen);
	if (!ret)
		ret = fake_watch_uses(fake, from, seen);
	pthread_mutex_lock(&fake->lock);
	watch->busy[pid] = false;
	pthread_mutex_unlock(&fake->lock);
	return ret;
}

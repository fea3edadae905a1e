/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages that are on the wrong node give no sign of it: no fault, no small
 * entries, and no counter of the machine tells them. So all known files that
 * have a policy are looked at from time to time, for a slice of time in each
 * tick, which goes on where the one before has ended. A sweep that has found
 * nothing doubles the time until the next one; one that has, and whatever says
 * that the next one may, makes it the shortest again.
 *
 * What is found is a belief, as all that is offered. What could not be moved is
 * left alone for a time (backoff.h), and not counted as found.
 */
#include "recovery/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "recovery/backoff.h"
#include "recovery/internal.h"
#include "recovery/offers.h"

/* Ticks between sweeps, and how often they double. */
#define SWEEP_FIRST_TICKS 5
#define SWEEP_DOUBLINGS	  5 /* 160 ticks */

/* A sweep waits for what the last one has found, but not for longer. */
#define SWEEP_LATE_TICKS 60

/* Extents that are looked at together. */
#define SWEEP_EXTENTS 64

struct recovery_sweep {
	struct recovery *recovery;
	struct recovery_offers *offers;
	struct recovery_backoff *backoff;
	uint64_t now;	   /* in ticks */
	uint64_t begin_at; /* the next one */
	unsigned doubled;  /* how often the time until the next one is */
	bool under_way;
	bool found;	 /* something, by this one */
	uint64_t cursor; /* among the files that are known */
	uint64_t ino;	 /* the file at hand, 0: none */
	uint64_t next;	 /* extent of it */
	bool all;	 /* also of it what is small and nobody uses */
};

int recovery_sweep_open(struct recovery_sweep **out, struct recovery *recovery,
			struct recovery_offers *offers,
			struct recovery_backoff *backoff)
{
	struct recovery_sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		return -ENOMEM;
	sweep->recovery = recovery;
	sweep->offers = offers;
	sweep->backoff = backoff;
	*out = sweep;
	return 0;
}

void recovery_sweep_close(struct recovery_sweep *sweep)
{
	free(sweep);
}

bool recovery_sweep_matters(struct recovery *recovery)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_settings settings;

	if (!mm->nodes_several(mm->context))
		return false;
	recovery_settings_get(recovery, &settings);
	return settings.numa.mode != HUGETMPFS_NUMA_DEFAULT ||
	       recovery_has_own_policies(recovery);
}

void recovery_sweep_hurry(struct recovery_sweep *sweep)
{
	sweep->doubled = 0;
	if (sweep->begin_at > sweep->now + SWEEP_FIRST_TICKS)
		sweep->begin_at = sweep->now + SWEEP_FIRST_TICKS;
}

/*
 * Whether an extent is to be offered. Small ones that somebody uses are found by
 * the look at who does, and moved then.
 */
static bool recovery_sweep_wants(const struct recovery_sweep *sweep,
				 uint64_t index, const struct team_facts *facts)
{
	return facts->misplaced_pages && (facts->huge || sweep->all) &&
	       !recovery_backoff_holds_still(sweep->backoff, sweep->ino, index,
					     sweep->now);
}

/* Offers those that are misplaced of the extents that were looked at. */
static int recovery_sweep_offer(struct recovery_sweep *sweep,
				const struct recovery_survey *survey)
{
	struct recovery_offer offer = {
		.ino = sweep->ino,
		.wanted = RECOVERY_WANTED_MISPLACED,
	};
	uint32_t misplaced = 0;
	uint64_t index;

	for (uint32_t i = 0; i < survey->found; i++) {
		index = survey->first + i;
		misplaced += survey->facts[i].misplaced_pages != 0;
		if (!recovery_sweep_wants(sweep, index, &survey->facts[i]))
			continue;
		if (!offer.nr)
			offer.first = index;
		offer.nr = (uint32_t) (index - offer.first + 1);
	}
	recovery_count(sweep->recovery, RECOVERY_COUNT_scan_swept,
		       survey->found);
	recovery_count(sweep->recovery, RECOVERY_COUNT_scan_misplaced,
		       misplaced);
	if (!offer.nr)
		return 0;
	sweep->found = true;
	return recovery_offers_add(sweep->offers, &offer);
}

static int recovery_sweep_look(struct recovery_sweep *sweep, int fd,
			       struct recovery_homes *homes, uint64_t first,
			       uint32_t nr)
{
	struct recovery *recovery = sweep->recovery;
	const struct mm_ops *mm = recovery->mm;
	struct recovery_survey survey;
	struct mm_window *window;
	int ret;

	ret = recovery_survey_new(&survey, first, nr);
	if (ret)
		return ret;
	ret = recovery_window_get(recovery, &window);
	if (!ret) {
		mm->window_attach(mm->context, window, fd, first, nr);
		ret = recovery_survey_look(recovery, window, homes, &survey);
		recovery_window_put(recovery, window);
	}
	if (!ret)
		ret = recovery_sweep_offer(sweep, &survey);
	recovery_survey_free(&survey);
	return ret;
}

/* Looks at the next extents that have data; -ENODATA when there are none. */
static int recovery_sweep_extents(struct recovery_sweep *sweep, int fd,
				  struct recovery_homes *homes)
{
	uint64_t first, end, start = sweep->next << HUGETMPFS_EXTENT_SHIFT;
	struct stat st;
	off_t data;

	if (fstat(fd, &st) || (uint64_t) st.st_size <= start)
		return -ENODATA;
	data = lseek(fd, (off_t) start, SEEK_DATA);
	if (data < 0)
		return -ENODATA;
	first = (uint64_t) data >> HUGETMPFS_EXTENT_SHIFT;
	end = ((uint64_t) st.st_size + HUGETMPFS_EXTENT_BYTES - 1) >>
	      HUGETMPFS_EXTENT_SHIFT;
	if (end - first > SWEEP_EXTENTS)
		end = first + SWEEP_EXTENTS;
	sweep->next = end;
	return recovery_sweep_look(sweep, fd, homes, first,
				   (uint32_t) (end - first));
}

static int recovery_sweep_open_file(struct recovery_sweep *sweep, int fd)
{
	struct recovery *recovery = sweep->recovery;
	struct recovery_settings settings;
	enum recovery_recover recover;
	struct recovery_homes homes;
	int ret;

	recovery_settings_get(recovery, &settings);
	recover = recovery_policy_background(recovery, &settings, fd);
	if (recover == RECOVERY_RECOVER_OFF)
		return -ENODATA;
	sweep->all = recover == RECOVERY_RECOVER_ALL;
	ret = recovery_homes_open(recovery, fd, sweep->ino, &homes);
	if (ret)
		return ret;
	ret = -ENODATA;
	if (homes.policy)
		ret = recovery_sweep_extents(sweep, fd, &homes);
	recovery_homes_close(&homes);
	return ret;
}

/* Goes on in the file at hand. An error: there is nothing more to see there. */
static int recovery_sweep_file(struct recovery_sweep *sweep)
{
	struct recovery_config *config = &sweep->recovery->config;
	int fd, ret;

	fd = config->open_ino(config->files_arg, sweep->ino, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = recovery_sweep_open_file(sweep, fd);
	close(fd);
	return ret;
}

static void recovery_sweep_end(struct recovery_sweep *sweep)
{
	sweep->under_way = false;
	if (sweep->found)
		sweep->doubled = 0;
	sweep->begin_at = sweep->now + (SWEEP_FIRST_TICKS << sweep->doubled);
	sweep->doubled += sweep->doubled < SWEEP_DOUBLINGS;
}

static void recovery_sweep_step(struct recovery_sweep *sweep)
{
	struct recovery_config *config = &sweep->recovery->config;

	if (sweep->ino) {
		if (recovery_sweep_file(sweep))
			sweep->ino = 0;
		return;
	}
	sweep->next = 0;
	if (config->next_ino(config->files_arg, &sweep->cursor, &sweep->ino)) {
		sweep->ino = 0;
		recovery_sweep_end(sweep);
	}
}

/* What is under way would be found again; but it may take its time. */
static bool recovery_sweep_is_due(const struct recovery_sweep *sweep)
{
	if (sweep->now < sweep->begin_at)
		return false;
	return !recovery_offers_underway(sweep->offers) ||
	       sweep->now - sweep->begin_at >= SWEEP_LATE_TICKS;
}

void recovery_sweep_tick(struct recovery_sweep *sweep, uint64_t now,
			 uint64_t slice_ns)
{
	uint64_t until_ns = clock_now_ns() + slice_ns;

	sweep->now = now;
	if (!sweep->under_way && recovery_sweep_is_due(sweep)) {
		sweep->under_way = true;
		sweep->found = false;
		sweep->cursor = 0;
	}
	if (!sweep->under_way)
		return;
	do
		recovery_sweep_step(sweep);
	while (sweep->under_way && clock_now_ns() < until_ns);
}

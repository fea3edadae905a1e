/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The survey of a run of extents: what each is, through which mapper it would
 * be collapsed, and which other mappers use it by small entries.
 *
 * The recovery mm is a mapper that can map the extent huge; one that uses it
 * by small entries comes before one that only could, as in the kernel series
 * the process whose fault found the small pages was the one to recover for.
 * What small entries there are must be seen before the collapse: it removes
 * them all. They are seen first of all, as they tell more cheaply than a look
 * what is in memory.
 */
#include "recovery/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

int recovery_survey_new(struct recovery_survey *survey, uint64_t first,
			uint32_t nr)
{
	*survey = (struct recovery_survey){.first = first, .nr = nr};
	survey->extents = calloc(nr, sizeof(*survey->extents));
	survey->facts = calloc(nr, sizeof(*survey->facts));
	survey->mms = calloc(nr, sizeof(*survey->mms));
	survey->misaligned = calloc(nr, sizeof(*survey->misaligned));
	survey->by_pte = calloc(nr, sizeof(*survey->by_pte));
	survey->known = calloc(nr, sizeof(*survey->known));
	if (survey->extents && survey->facts && survey->mms &&
	    survey->misaligned && survey->by_pte && survey->known)
		return 0;
	recovery_survey_free(survey);
	return -ENOMEM;
}

void recovery_survey_free(struct recovery_survey *survey)
{
	free(survey->extents);
	free(survey->facts);
	free(survey->mms);
	free(survey->misaligned);
	free(survey->by_pte);
	free(survey->known);
	free(survey->remaps);
	*survey = (struct recovery_survey){0};
}

int recovery_survey_add_remap(struct recovery_survey *survey, uint64_t index,
			      const struct recovery_mm *mm)
{
	size_t nr = survey->nr_remaps, capacity;
	struct recovery_remap *bigger;

	if ((nr & (nr - 1)) == 0) {
		capacity = nr ? nr * 2 : 1;
		bigger = realloc(survey->remaps, capacity * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		survey->remaps = bigger;
	}
	survey->remaps[nr].index = index;
	survey->remaps[nr].mm = *mm;
	survey->nr_remaps++;
	return 0;
}

/* What entries that are there prove, of a file's page or of all of them. */
static enum mm_known recovery_survey_known(const struct mm_view *view)
{
	if (view->by_pmd)
		return MM_KNOWN_HUGE;
	return view->small == HUGETMPFS_EXTENT_PAGES ? MM_KNOWN_RESIDENT
						     : MM_KNOWN_NOTHING;
}

/* Takes in how one mapper has the extents. */
static int recovery_survey_mapper(struct recovery_survey *survey,
				  const struct mm_mapper *mapper,
				  uint64_t group, const struct mm_view *views)
{
	struct recovery_mm mm = {.mapper = mapper, .group = group};
	enum mm_known known;
	int ret = 0;

	for (uint32_t i = 0; i < survey->nr && !ret; i++) {
		survey->misaligned[i] += views[i].misaligned;
		if (!views[i].addr)
			continue;
		known = recovery_survey_known(&views[i]);
		if (known > survey->known[i])
			survey->known[i] = known;
		mm.addr = views[i].addr;
		mm.by_pte = views[i].small != 0;
		survey->by_pte[i] |= mm.by_pte;
		if (!survey->mms[i].addr ||
		    (mm.by_pte && !survey->mms[i].by_pte))
			survey->mms[i] = mm;
		else if (mm.by_pte)
			ret = recovery_survey_add_remap(survey,
							survey->first + i, &mm);
	}
	return ret;
}

int recovery_survey_mappers(struct recovery_thread *thread, uint64_t ino,
			    const struct mm_mappers *mappers,
			    struct recovery_survey *survey)
{
	const struct mm_ops *mm = thread->recovery->mm;
	const struct mm_mapper *mapper = mappers->mapper;
	struct mm_view *views;
	int ret = 0;

	if (mappers->nr == 0)
		return 0;
	views = calloc(survey->nr, sizeof(*views));
	if (!views)
		return -ENOMEM;
	for (size_t i = 0; i < mappers->nr && !ret; i++, mapper++) {
		/* one that is gone or not to be seen is no mapper any more */
		if (recovery_mapper_view(thread, mapper, ino, survey->first,
					 survey->nr, views))
			continue;
		ret = recovery_survey_mapper(
			survey, mapper, mm->mapper_group(mm->context, mapper),
			views);
	}
	free(views);
	return ret;
}

int recovery_survey_find(struct recovery *recovery, struct mm_window *window,
			 struct recovery_homes *homes,
			 struct recovery_survey *survey)
{
	const struct mm_ops *mm = recovery->mm;
	int ret;

	ret = mm->look(mm->context, window, survey->first, survey->nr,
		       survey->known, survey->extents, &survey->size_bytes);
	if (ret < 0)
		return ret;
	survey->found = (uint32_t) ret;
	for (uint32_t i = 0; i < survey->found; i++) {
		recovery_facts(homes, survey->first + i, &survey->extents[i],
			       NULL, &survey->facts[i]);
		survey->facts[i].by_pte = survey->by_pte[i];
	}
	return 0;
}

int recovery_survey_look(struct recovery *recovery, struct mm_window *window,
			 struct recovery_homes *homes,
			 struct recovery_survey *survey)
{
	uint64_t begun_ns = clock_now_ns();
	int ret = recovery_survey_find(recovery, window, homes, survey);

	recovery_latency_add(recovery->config.latencies, RECOVERY_LATENCY_look,
			     clock_now_ns() - begun_ns);
	return ret;
}

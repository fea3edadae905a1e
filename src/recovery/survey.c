/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The survey of a run of extents: what each is, through which mapper it would
 * be collapsed, and which other mappers use it by small entries.
 *
 * The recovery mm is a mapper that can map the extent huge; one that uses it
 * by small entries comes before one that only could, as in the kernel series
 * the process whose fault found the small pages was the one to recover for.
 * What small entries there are must be seen before the collapse: it removes
 * them all.
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
	if (survey->extents && survey->facts && survey->mms &&
	    survey->misaligned)
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

/* Takes in how one mapper has the extents. */
static int recovery_survey_mapper(struct recovery_survey *survey,
				  const struct mm_mapper *mapper,
				  uint64_t group, const struct mm_view *views)
{
	struct recovery_mm mm = {.mapper = mapper, .group = group};
	int ret = 0;

	for (uint32_t i = 0; i < survey->found && !ret; i++) {
		survey->misaligned[i] += views[i].misaligned;
		if (!views[i].addr)
			continue;
		mm.addr = views[i].addr;
		mm.by_pte = views[i].by_pte;
		if (mm.by_pte)
			survey->facts[i].by_pte = true;
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

	if (mappers->nr == 0 || survey->found == 0)
		return 0;
	views = calloc(survey->found, sizeof(*views));
	if (!views)
		return -ENOMEM;
	for (size_t i = 0; i < mappers->nr && !ret; i++, mapper++) {
		/* one that is gone or not to be seen is no mapper any more */
		if (recovery_mapper_view(thread, mapper, ino, survey->first,
					 survey->found, views))
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
		       survey->extents, &survey->size_bytes);
	if (ret < 0)
		return ret;
	survey->found = (uint32_t) ret;
	for (uint32_t i = 0; i < survey->found; i++)
		recovery_facts(homes, survey->first + i, &survey->extents[i],
			       NULL, &survey->facts[i]);
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

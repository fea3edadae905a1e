/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict on an extent and the machine of its recovery.
 *
 * The machine has one state a pass and an end. It knows nothing of how a pass
 * is done; it is told what came of it:
 *
 *              DID         BUSY          RACED  LOST   ERROR
 *   SWAPIN     next        again         REMAP  END    END
 *   COLLAPSE   next        again         REMAP  END    END
 *   REMAP      next        next          next   next   next
 *   END        END         END           END    END    END
 *
 * "next" is the next pass that is left to do, "again" the same one until its
 * tries are used up. Whoever made it huge has taken the small entries from all
 * mappers, so a race that was lost to somebody leads to REMAP, if there were
 * any. A remap that fails costs the mapper a page fault and nothing else, so
 * nothing that comes of it makes the recovery fail.
 */
#include "team/team.h"

#include <string.h>

enum team_move { TEAM_GO_NEXT, TEAM_GO_AGAIN, TEAM_GO_REMAP, TEAM_GO_END };

static const uint8_t team_moves[TEAM_NR_STEPS][TEAM_NR_EVENTS] = {
	[TEAM_SWAPIN] = {TEAM_GO_NEXT, TEAM_GO_AGAIN, TEAM_GO_REMAP,
			 TEAM_GO_END, TEAM_GO_END},
	[TEAM_COLLAPSE] = {TEAM_GO_NEXT, TEAM_GO_AGAIN, TEAM_GO_REMAP,
			   TEAM_GO_END, TEAM_GO_END},
	[TEAM_REMAP] = {TEAM_GO_NEXT, TEAM_GO_NEXT, TEAM_GO_NEXT, TEAM_GO_NEXT,
			TEAM_GO_NEXT},
	[TEAM_END] = {TEAM_GO_END, TEAM_GO_END, TEAM_GO_END, TEAM_GO_END,
		      TEAM_GO_END},
};

static const uint8_t team_step_pass[TEAM_NR_STEPS] = {
	[TEAM_SWAPIN] = HUGETMPFS_PASS_SWAPIN,
	[TEAM_COLLAPSE] = HUGETMPFS_PASS_COLLAPSE,
	[TEAM_REMAP] = HUGETMPFS_PASS_REMAP,
};

uint16_t team_holes(const struct team_facts *facts)
{
	uint16_t data = facts->resident + facts->swapped;

	if (facts->huge || data >= facts->pages)
		return 0;
	return facts->pages - data;
}

uint16_t team_new_pages(const struct team_facts *facts)
{
	uint16_t have = facts->resident + facts->swapped + facts->above;

	if (facts->huge || have >= HUGETMPFS_EXTENT_PAGES)
		return 0;
	return HUGETMPFS_EXTENT_PAGES - have;
}

enum hugetmpfs_state team_state(const struct team_facts *facts)
{
	if (facts->huge)
		return HUGETMPFS_HUGE;
	if (facts->resident + facts->swapped == 0)
		return HUGETMPFS_HOLE;
	if (facts->swapped)
		return HUGETMPFS_SWAPPED;
	return team_holes(facts) ? HUGETMPFS_PARTIAL : HUGETMPFS_SMALL;
}

struct team_verdict team_judge(const struct team_facts *facts,
			       const struct team_policy *policy)
{
	struct team_verdict none = {0, HUGETMPFS_REASON_DONE};
	struct team_verdict work = {HUGETMPFS_PASS_COLLAPSE,
				    HUGETMPFS_REASON_NOT_ASKED};

	if (facts->huge) {
		if (facts->by_pte && policy->recoverable && policy->enabled)
			none.passes = HUGETMPFS_PASS_REMAP;
		return none;
	}
	if (facts->pages == 0)
		none.reason = HUGETMPFS_REASON_BEYOND_EOF;
	else if (facts->resident + facts->swapped == 0)
		none.reason = HUGETMPFS_REASON_EMPTY;
	else if (!policy->recoverable)
		none.reason = HUGETMPFS_REASON_UNSUPPORTED;
	else if (!policy->enabled)
		none.reason = HUGETMPFS_REASON_POLICY;
	else if (team_new_pages(facts) > policy->max_holes)
		none.reason = HUGETMPFS_REASON_TOO_MANY_HOLES;
	if (none.reason != HUGETMPFS_REASON_DONE)
		return none;
	if (facts->swapped)
		work.passes |= HUGETMPFS_PASS_SWAPIN;
	if (facts->by_pte)
		work.passes |= HUGETMPFS_PASS_REMAP;
	return work;
}

/* To the first step from the given one on that is left to do. */
static void team_step_from(struct team *team, enum team_step step)
{
	while (step < TEAM_END && !(team->todo & team_step_pass[step]))
		step++;
	team->step = step;
	team->tries = 0;
}

static void team_start(struct team *team, const struct team_facts *facts,
		       const struct team_policy *policy)
{
	struct team_verdict verdict = team_judge(facts, policy);

	team->now = *facts;
	team->todo = verdict.passes;
	team->reason = verdict.reason;
	team->error = 0;
	team_step_from(team, TEAM_SWAPIN);
}

void team_begin(struct team *team, uint64_t index,
		const struct team_facts *facts,
		const struct team_policy *policy)
{
	memset(team, 0, sizeof(*team));
	team->index = index;
	team->begin = *facts;
	team_start(team, facts, policy);
}

void team_advance(struct team *team, enum team_event event)
{
	uint8_t pass = team_step_pass[team->step];

	if (event == TEAM_DID)
		team->done |= pass;
	switch (team_moves[team->step][event]) {
	case TEAM_GO_AGAIN:
		if (++team->tries < TEAM_TRIES)
			return;
		team->step = TEAM_END;
		break;
	case TEAM_GO_NEXT:
		team->todo &= ~pass;
		if (pass == HUGETMPFS_PASS_COLLAPSE)
			team->reason = HUGETMPFS_REASON_DONE;
		team_step_from(team, team->step + 1);
		break;
	case TEAM_GO_REMAP:
		team->todo &= HUGETMPFS_PASS_REMAP;
		team->reason = HUGETMPFS_REASON_DONE;
		team_step_from(team, TEAM_REMAP);
		break;
	default:
		team->step = TEAM_END;
		break;
	}
}

bool team_retry(struct team *team, const struct team_facts *facts,
		const struct team_policy *policy)
{
	if (team->retried || team->step != TEAM_END || team->tries < TEAM_TRIES)
		return false;
	team->retried = true;
	team_start(team, facts, policy);
	return true;
}

void team_give_up(struct team *team, enum hugetmpfs_reason reason, int error)
{
	team->step = TEAM_END;
	team->reason = reason;
	team->error = (uint8_t) (error < 0 ? -error : error);
}

enum team_outcome team_outcome(const struct team *team)
{
	bool collapsed = team->done & HUGETMPFS_PASS_COLLAPSE;

	switch (team->reason) {
	case HUGETMPFS_REASON_DONE:
		return collapsed ? TEAM_COMPLETED : TEAM_QUIET;
	case HUGETMPFS_REASON_TOO_LATE:
	case HUGETMPFS_REASON_EMPTY:
	case HUGETMPFS_REASON_BEYOND_EOF:
	case HUGETMPFS_REASON_CANCELLED:
	case HUGETMPFS_REASON_NOT_ASKED:
		return TEAM_QUIET;
	case HUGETMPFS_REASON_AGAIN:
	case HUGETMPFS_REASON_PINNED:
	case HUGETMPFS_REASON_NO_HUGE_PAGE:
	case HUGETMPFS_REASON_OVER_LIMIT:
		/* what was swapped in stays in: the rest may come later */
		return team->done ? TEAM_PARTIAL : TEAM_FAILED;
	default:
		return TEAM_FAILED;
	}
}

void team_show(uint64_t index, const struct team_facts *facts,
	       struct hugetmpfs_extent *extent)
{
	memset(extent, 0, sizeof(*extent));
	extent->index = index;
	extent->state = (uint8_t) team_state(facts);
	extent->nid = facts->nid;
	extent->target_nid = -1;
	if (facts->huge) {
		extent->data_pages = HUGETMPFS_EXTENT_PAGES;
		return;
	}
	extent->data_pages = facts->resident + facts->swapped;
	extent->hole_pages = team_holes(facts);
	extent->swapped_pages = facts->swapped;
}

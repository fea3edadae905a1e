/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict on an extent and the machine of its recovery.
 *
 * The machine has one state a pass and an end; migrate has two. It knows
 * nothing of how a pass is done; it is told what came of it:
 *
 *              DID     BUSY       RACED  LOST   ERROR  LEFT
 *   SWAPIN     next    again      PLACE  END    END    next
 *   MIGRATE    next    some more  PLACE  END    END    next
 *   COLLAPSE   next    again      PLACE  END    END    END
 *   PLACE      next    some more  next   next   next   next
 *   REMAP      next    next       next   next   next   next
 *   END        END     END        END    END    END    END
 *
 * "next" is the next pass that is left to do, "again" the same one until its
 * tries are used up, which is the end; "some more" is the same, but then
 * comes the next one: a page that cannot be moved may let itself be collapsed,
 * and a huge page that cannot is to be mapped where it is. Whoever made it huge
 * has taken the small entries from all mappers, so a race that was lost to
 * somebody leads to PLACE and REMAP, if there is something to do there. A remap
 * that fails costs the mapper a page fault and nothing else, so nothing that
 * comes of it makes the recovery fail.
 */
#include "team/team.h"

#include <string.h>

enum team_move {
	TEAM_GO_NEXT,
	TEAM_GO_AGAIN,
	TEAM_GO_MORE,
	TEAM_GO_PLACE,
	TEAM_GO_END
};

static const uint8_t team_moves[TEAM_NR_STEPS][TEAM_NR_EVENTS] = {
	[TEAM_SWAPIN] = {TEAM_GO_NEXT, TEAM_GO_AGAIN, TEAM_GO_PLACE,
			 TEAM_GO_END, TEAM_GO_END, TEAM_GO_NEXT},
	[TEAM_MIGRATE] = {TEAM_GO_NEXT, TEAM_GO_MORE, TEAM_GO_PLACE,
			  TEAM_GO_END, TEAM_GO_END, TEAM_GO_NEXT},
	[TEAM_COLLAPSE] = {TEAM_GO_NEXT, TEAM_GO_AGAIN, TEAM_GO_PLACE,
			   TEAM_GO_END, TEAM_GO_END, TEAM_GO_END},
	[TEAM_PLACE] = {TEAM_GO_NEXT, TEAM_GO_MORE, TEAM_GO_NEXT, TEAM_GO_NEXT,
			TEAM_GO_NEXT, TEAM_GO_NEXT},
	[TEAM_REMAP] = {TEAM_GO_NEXT, TEAM_GO_NEXT, TEAM_GO_NEXT, TEAM_GO_NEXT,
			TEAM_GO_NEXT, TEAM_GO_NEXT},
	[TEAM_END] = {TEAM_GO_END, TEAM_GO_END, TEAM_GO_END, TEAM_GO_END,
		      TEAM_GO_END, TEAM_GO_END},
};

static const uint8_t team_step_pass[TEAM_NR_STEPS] = {
	[TEAM_SWAPIN] = HUGETMPFS_PASS_SWAPIN,
	[TEAM_MIGRATE] = HUGETMPFS_PASS_MIGRATE,
	[TEAM_COLLAPSE] = HUGETMPFS_PASS_COLLAPSE,
	[TEAM_PLACE] = HUGETMPFS_PASS_MIGRATE,
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

static struct team_verdict team_judge_huge(const struct team_facts *facts,
					   const struct team_policy *policy)
{
	struct team_verdict verdict = {0, HUGETMPFS_REASON_DONE};

	if (facts->no_node && facts->misplaced_pages) {
		verdict.reason = HUGETMPFS_REASON_NO_NODE;
	} else if (facts->misplaced_pages) {
		verdict.passes = HUGETMPFS_PASS_MIGRATE;
		verdict.reason = HUGETMPFS_REASON_MISPLACED;
	}
	if (facts->by_pte)
		verdict.passes |= HUGETMPFS_PASS_REMAP;
	if (!policy->recoverable || !policy->enabled)
		verdict.passes = 0;
	return verdict;
}

struct team_verdict team_judge(const struct team_facts *facts,
			       const struct team_policy *policy)
{
	struct team_verdict none = {0, HUGETMPFS_REASON_DONE};
	struct team_verdict work = {HUGETMPFS_PASS_COLLAPSE,
				    HUGETMPFS_REASON_NOT_ASKED};

	if (facts->huge)
		return team_judge_huge(facts, policy);
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
	else if (facts->no_node)
		none.reason = HUGETMPFS_REASON_NO_NODE;
	if (none.reason != HUGETMPFS_REASON_DONE)
		return none;
	if (facts->swapped)
		work.passes |= HUGETMPFS_PASS_SWAPIN;
	if (facts->misplaced_pages)
		work.passes |= HUGETMPFS_PASS_MIGRATE;
	if (facts->by_pte)
		work.passes |= HUGETMPFS_PASS_REMAP;
	return work;
}

/* Whether a step is left to do; what is misplaced may change on the way. */
static bool team_wants(const struct team *team, enum team_step step)
{
	const struct team_facts *now = &team->now;

	if (!(team->todo & team_step_pass[step]))
		return false;
	switch (step) {
	case TEAM_MIGRATE:
		return now->misplaced_pages;
	case TEAM_COLLAPSE:
		return !now->huge;
	case TEAM_PLACE:
		/* if not, it is as it was before, and could not be moved */
		return now->misplaced_pages && now->huge &&
		       team->reason == HUGETMPFS_REASON_DONE;
	default:
		return true;
	}
}

/* To the first step from the given one on that is left to do. */
static void team_step_from(struct team *team, enum team_step step)
{
	while (step < TEAM_END && !team_wants(team, step))
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
	if (verdict.passes && verdict.reason == HUGETMPFS_REASON_MISPLACED) {
		/* it may come to be in pieces */
		team->todo |= HUGETMPFS_PASS_COLLAPSE;
		team->reason = HUGETMPFS_REASON_NOT_ASKED;
	}
	/* what is still on swap, or made by others, may come to be elsewhere */
	if (verdict.passes && facts->target_nid >= 0)
		team->todo |= HUGETMPFS_PASS_MIGRATE;
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

/* To the next step. It is done once it is huge, by the pass that made it so. */
static void team_go_next(struct team *team)
{
	enum team_step step = team->step;

	if (step == TEAM_COLLAPSE ||
	    (step == TEAM_MIGRATE && team->now.huge && !team->now.misplaced_pages))
		team->reason = HUGETMPFS_REASON_DONE;
	/* that of migrate is for its other step as well */
	if (step != TEAM_MIGRATE)
		team->todo &= ~team_step_pass[step];
	team_step_from(team, step + 1);
}

void team_advance(struct team *team, enum team_event event)
{
	if (event == TEAM_DID)
		team->done |= team_step_pass[team->step];
	switch (team_moves[team->step][event]) {
	case TEAM_GO_AGAIN:
		if (++team->tries >= TEAM_TRIES)
			team->step = TEAM_END;
		break;
	case TEAM_GO_MORE:
		if (++team->tries >= TEAM_TRIES)
			team_go_next(team);
		break;
	case TEAM_GO_NEXT:
		team_go_next(team);
		break;
	case TEAM_GO_PLACE:
		team->todo &= HUGETMPFS_PASS_REMAP | HUGETMPFS_PASS_MIGRATE;
		team->reason = HUGETMPFS_REASON_DONE;
		team_step_from(team, TEAM_PLACE);
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
	uint8_t completing = HUGETMPFS_PASS_COLLAPSE;

	/* what was moved in pieces is not huge by that */
	if (team->begin.huge)
		completing |= HUGETMPFS_PASS_MIGRATE;
	switch (team->reason) {
	case HUGETMPFS_REASON_DONE:
		return team->done & completing ? TEAM_COMPLETED : TEAM_QUIET;
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
	case HUGETMPFS_REASON_NODE_FULL:
	case HUGETMPFS_REASON_MISPLACED:
		/* what was brought in or moved stays: the rest may come later */
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
	extent->target_nid = facts->target_nid;
	extent->misplaced_pages = facts->misplaced_pages;
	if (facts->huge) {
		extent->data_pages = HUGETMPFS_EXTENT_PAGES;
		return;
	}
	extent->data_pages = facts->resident + facts->swapped;
	extent->hole_pages = team_holes(facts);
	extent->swapped_pages = facts->swapped;
}

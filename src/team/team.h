/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Teams: the pages of one extent on their way to one huge page. Pure state: no
 * threads, no system calls, no allocation. Who calls owns the team.
 */
#ifndef TEAM_TEAM_H
#define TEAM_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include <hugetmpfs/types.h>

/* The most often that one pass is tried on a team in a row. */
#define TEAM_TRIES 10

/* What is known of an extent, as the kernel showed it at one moment. */
struct team_facts {
	uint16_t pages;	   /* below the end of the file; 0: it lies beyond */
	uint16_t resident; /* of those, in memory */
	uint16_t swapped;  /* of those, on swap */
	uint16_t above;	   /* pages above the end of the file */
	int16_t nid;	   /* node of most resident pages, -1 unknown */
	/* node that they belong on, -1: where they are */
	int16_t target_nid;
	uint16_t misplaced_pages; /* of the resident, elsewhere */
	bool no_node; /* they belong on nodes of which none is there */
	bool huge;
	bool by_pte; /* a mapper that could have it by PMD has it by PTEs */
};

/* What may be done for an extent. */
struct team_policy {
	uint16_t max_holes; /* that may be filled, above the end as well */
	bool recoverable;   /* this kernel can collapse */
	bool enabled;	    /* recovery is not turned off */
};

struct team_verdict {
	uint8_t passes; /* HUGETMPFS_PASS_* to run, 0 for none */
	enum hugetmpfs_reason reason;
};

/* The steps of a recovery, in order. */
enum team_step {
	TEAM_SWAPIN,
	TEAM_MIGRATE, /* what it was before, small pages or huge */
	TEAM_COLLAPSE,
	TEAM_PLACE, /* the huge page that has come of it */
	TEAM_REMAP,
	TEAM_END,
	TEAM_NR_STEPS
};

/* What a step came to. */
enum team_event {
	TEAM_DID,   /* what the step is for is so now */
	TEAM_BUSY,  /* refused for the moment: EAGAIN, EBUSY */
	TEAM_RACED, /* another was first: it is huge, by somebody else's doing */
	TEAM_LOST,  /* released: nothing to do any more */
	TEAM_ERROR, /* any other error */
	TEAM_LEFT,  /* no error, and nothing to do, or not to be done */
	TEAM_NR_EVENTS
};

/* How a recovery ended, for the counters. */
enum team_outcome {
	TEAM_COMPLETED, /* huge by our doing, or by it where it belongs */
	TEAM_PARTIAL,	/* not so, but nearer to it: worth a later try */
	TEAM_FAILED,	/* nothing gained, or an error */
	TEAM_QUIET,	/* there was nothing to do, or a race was lost */
};

struct team {
	uint64_t index;
	struct team_facts begin; /* at the first look */
	struct team_facts now;	 /* at the last one */
	enum team_step step;
	uint8_t todo;		      /* HUGETMPFS_PASS_* left */
	uint8_t done;		      /* HUGETMPFS_PASS_* that did something */
	uint8_t tries;		      /* of the step */
	bool retried;		      /* the whole was tried a second time */
	enum hugetmpfs_reason reason; /* NOT_ASKED while under way */
	uint8_t error;		      /* the errno behind the reason */
};

uint16_t team_holes(const struct team_facts *facts);
/* Pages that making it huge would add, those above the end of the file too. */
uint16_t team_new_pages(const struct team_facts *facts);
enum hugetmpfs_state team_state(const struct team_facts *facts);

/* What an extent needs, or why nothing is to be done for it. */
struct team_verdict team_judge(const struct team_facts *facts,
			       const struct team_policy *policy);

/* Begins a recovery at the first step of what the verdict asks for. */
void team_begin(struct team *team, uint64_t index,
		const struct team_facts *facts,
		const struct team_policy *policy);

/*
 * Takes in what the present step came to. BUSY keeps the team at the step
 * until TEAM_TRIES are used up, then ends it. The caller sets reason and
 * error for whatever ends it before it is done.
 */
void team_advance(struct team *team, enum team_event event);

/*
 * Starts once more from the first step, with new facts. Allowed once, for a
 * team that ended as busy. Returns whether it was allowed.
 */
bool team_retry(struct team *team, const struct team_facts *facts,
		const struct team_policy *policy);

/* Ends it. */
void team_give_up(struct team *team, enum hugetmpfs_reason reason, int error);

enum team_outcome team_outcome(const struct team *team);

/* The public view of an extent. The reason is left to the caller. */
void team_show(uint64_t index, const struct team_facts *facts,
	       struct hugetmpfs_extent *extent);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of recovery/ share.
 *
 * A request is what a caller asked for: a run of extents of a file. It is
 * prepared by a worker: looked at, the file's mappers searched, and for each
 * extent that needs it a work is queued. A work is one extent; when it is
 * queued or under way already, the request only waits for it too. A worker
 * takes a batch of works, neighbours in one file, runs the passes over it and
 * answers the requests that wait. What requests and works have in common, the
 * open file and its mappers, is the target.
 *
 * One mutex guards all of it, and is never held over a system call: workers
 * take things out, work on them alone, and put them back. What says
 * "worker's" belongs to the worker that took the thing out.
 */
#ifndef RECOVERY_INTERNAL_H
#define RECOVERY_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include <hugetmpfs/ioctl.h>

#include "mm/mm.h"
#include "recovery/budget.h"
#include "recovery/counters.h"
#include "recovery/homes.h"
#include "recovery/latency.h"
#include "recovery/recovery.h"
#include "recovery/trace.h"
#include "team/team.h"

#define RECOVERY_QUEUE_EXTENTS	65536 /* that may be asked for at a time */
#define RECOVERY_OFFER_EXTENTS	16384 /* the same, in the background */
/* The same, with nobody waiting: the rest is for those that do. */
#define RECOVERY_NO_WAIT_EXTENTS  (RECOVERY_QUEUE_EXTENTS / 2)
#define RECOVERY_NO_WAIT_REQUESTS 512 /* each has a file open */
#define RECOVERY_WINDOW_EXTENTS HUGETMPFS_IOC_EXTENTS
#define RECOVERY_BATCH_EXTENTS	32
#define RECOVERY_BATCH_LEAST	4
#define RECOVERY_HASH_BUCKETS	4096
#define RECOVERY_PAST_ENTRIES	4096
#define RECOVERY_CANCEL_FILES	64
/* No number that somebody may make up. */
#define RECOVERY_FIRST_TICKET	(UINT64_C(1) << 32)
/* one for each work, one that waits, those in place of stuck and resting ones */
#define RECOVERY_MAX_THREADS	(3 * RECOVERY_MAX_RECOVERIES + 1)

/* Works by what they are worth: those of the first rank are taken first. */
enum recovery_rank {
	RECOVERY_ASKED,		/* for by name: no budget holds it up */
	RECOVERY_MAPPED_RESUME, /* used by small pages, brought nearer before */
	RECOVERY_MAPPED,
	RECOVERY_RESUME,
	RECOVERY_OTHER,
	RECOVERY_NR_RANKS
};

/*
 * Whether an extent that was offered is to be recovered, as a worker found it,
 * without a lock. arg is that of recovery_done_fn.
 */
typedef bool recovery_wants_fn(void *arg, uint64_t index,
			       const struct team_facts *facts);

struct recovery_target {
	unsigned refs;		      /* lock */
	struct recovery_target *next; /* lock; among all */
	struct recovery_work *works;  /* lock; queued or under way */
	int fd;
	uint64_t ino;
	struct mm_mappers mappers; /* constant once works are queued */
};

/* A request's wait for one work; one for each of its extents. */
struct recovery_wait {
	struct recovery_request *request;
	struct recovery_work *work; /* lock; NULL when it does not wait */
	struct recovery_wait *next; /* lock; others that wait for the work */
	bool by_pte;		    /* worker's; a process uses small pages */
};

struct recovery_request {
	struct recovery_request *next; /* lock; among the live, or completed */
	STAILQ_ENTRY(recovery_request) prepare_entry; /* lock */
	struct recovery_target *target;
	uint64_t first;
	uint32_t nr;
	uint32_t flags;
	uint64_t payer;
	recovery_done_fn *done; /* NULL: nobody waits for it */
	void *arg;
	bool background;  /* it was offered, not asked for */
	recovery_wants_fn *wants; /* NULL: whatever can be recovered */
	bool preparing;	  /* lock; not yet prepared */
	bool listed;	  /* lock; to be prepared, by whoever comes */
	bool cancelled;	  /* lock; while preparing */
	bool called_off;  /* lock; the same, and what it gets is CANCELLED */
	uint32_t pending; /* lock; works it waits for */
	uint32_t filled;  /* worker's while preparing, then constant */
	int error;
	uint64_t size_bytes;
	struct hugetmpfs_extent *extents; /* worker's, then lock */
	struct recovery_wait *waits;
};

struct recovery_work {
	struct recovery_work *hash_next;      /* lock; or among spare ones */
	TAILQ_ENTRY(recovery_work) queue_entry; /* lock */
	struct recovery_work *target_next;    /* lock */
	struct recovery_work **target_at;  /* lock; what points at it there */
	struct recovery_target *target;
	uint64_t index;
	struct recovery_wait *waits; /* lock */
	uint64_t payer;		     /* lock; of recovery_file, 0 if one is 0 */
	enum recovery_rank rank;     /* lock; constant once it is taken */
	bool asked;		     /* lock; for by name: payer is theirs */
	bool bounded; /* lock; max_holes holds: all that wait want it so */
	bool taken;		     /* lock; by a worker */
	bool hashed;		     /* lock; new requests can join it */
	atomic_bool released;	     /* its pages are about to be taken */
	atomic_bool unwanted;	     /* no request waits for it any more */
};

/* The mapper through which an extent is collapsed; addr 0: none. */
struct recovery_mm {
	const struct mm_mapper *mapper;
	uint64_t addr;
	uint64_t group; /* memory cgroup, 0: not known */
	bool by_pte;
	bool tried; /* and could not be the recovery mm */
};

/* A mapper that uses an extent by small entries. */
struct recovery_remap {
	uint64_t index;
	struct recovery_mm mm;
};

/* What was found out about a run of extents. */
struct recovery_survey {
	uint64_t first;
	uint32_t nr;
	uint32_t found; /* below the end of the file */
	uint64_t size_bytes;
	struct mm_extent *extents;
	struct team_facts *facts;
	struct recovery_mm *mms;
	uint16_t *misaligned; /* mappers that cannot have the extent huge */
	bool *by_pte;	      /* a mapper uses it by small entries */
	enum mm_known *known; /* from all their page tables */
	struct recovery_remap *remaps;
	size_t nr_remaps;
};

/* A work in a worker's hands. */
struct recovery_item {
	struct recovery_work *work;
	struct team team;
	struct mm_extent extent; /* behind the facts of the team now */
	struct recovery_reach reach;
	enum hugetmpfs_reason stays; /* why it is still misplaced */
	struct recovery_mm mm;
	uint64_t payer; /* memory cgroup to charge, 0: the daemon's */
	uint16_t misaligned;
	bool ahead;	   /* it was tried together with others ... */
	bool ahead_did;	   /* ... which made all of them huge */
	uint64_t ahead_ns; /* its share of what that took */
	bool moved;	   /* ahead, huge: its next try has been made ... */
	bool move_tried;   /* ... or was made and has failed */
	int error;	   /* of the last try */
	enum hugetmpfs_reason told; /* to who watches; NOT_ASKED: no end yet */
};

struct recovery_batch {
	struct recovery *recovery;
	struct recovery_thread *thread;
	struct recovery_target *target;
	struct mm_window *window;
	struct recovery_survey survey;
	struct recovery_homes homes;
	uint64_t room_group;   /* the last that was asked for room ... */
	uint32_t room_extents; /* ... and for how many more that does */
	bool background; /* nobody asked for it by name */
	uint64_t gap_ns; /* when steps began to follow each other */
	uint32_t nr;
	struct recovery_item items[RECOVERY_BATCH_EXTENTS];
};

/* One pass over the items of a batch that are at its step. */
struct recovery_pass {
	const char *name;
	enum team_step step;
	void (*run)(struct recovery_batch *batch);
};

/* What the last work on an extent left behind. */
struct recovery_past {
	uint64_t ino;
	uint64_t index;
	uint16_t resident;
	uint16_t swapped;
	uint32_t group; /* of hugetmpfs_extent */
	uint8_t reason;
	uint8_t error;
	bool used;
	bool partial;
};

struct recovery_thread {
	struct recovery *recovery;
	pthread_t id;
	bool used;	/* lock; somebody starts it, or it is not joined yet */
	bool started;	/* lock; id is valid */
	bool exited;	/* lock; it can be joined without a wait */
	bool left;	/* lock; the engine ended without it */
	/* since when it may wait for another process, 0: it does not */
	uint64_t inside_ns; /* lock */
	bool stuck;	    /* lock; it does for long, and is replaced */
	bool handed_over;   /* lock; what it had is for others */
	struct recovery_request *request; /* lock; that it prepares */
	struct recovery_batch *batch;	  /* lock; that it has */
};

/* Works of one rank. */
struct recovery_queue {
	TAILQ_HEAD(, recovery_work) works;
	unsigned nr;
};

STAILQ_HEAD(recovery_prepare, recovery_request);

/* When requests were cancelled; files that were last, and all. */
struct recovery_cancels {
	uint64_t last; /* ticket */
	uint64_t all;  /* the last of all files */
	unsigned next;
	struct {
		uint64_t ino;
		uint64_t at;
	} files[RECOVERY_CANCEL_FILES];
};

/* A window that nobody uses. */
struct recovery_window {
	struct recovery_window *next;
	struct mm_window *window;
};

/* See trace.h. */
struct recovery_trace {
	atomic_uint readers; /* changed with the lock held */
	pthread_mutex_t lock;
	uint64_t next; /* lock; number of the next event */
	struct recovery_trace_event *events; /* lock; NULL without readers */
};

struct recovery {
	struct recovery_config config;
	const struct mm_ops *mm;
	struct recovery_counters *counters;

	pthread_mutex_t lock;
	pthread_cond_t wake;  /* there is something to take */
	pthread_cond_t pause; /* a pause should end early */
	pthread_cond_t place; /* one that has rested may go on */
	pthread_cond_t gone;  /* a thread has ended */
	unsigned refs;	      /* the owner's, and of threads left behind */
	bool stopping;
	struct recovery_settings settings;
	struct recovery_budget budget;
	struct recovery_pressure pressure;
	bool looks_at_pressure;	 /* a thread does, without the lock */
	uint64_t compacted_ns;	 /* when that was last begun, 0: never */
	unsigned reading;	 /* workers that wait for swap */
	uint64_t reading_ns;	 /* since when there are some */
	uint64_t read_ns;	 /* how long there were some before */
	struct recovery_request *requests; /* not completed */
	struct recovery_prepare asked_for, offered_ones; /* to prepare */
	struct recovery_request *completed; /* their callers not told yet */
	struct recovery_target *targets;
	struct recovery_queue queue[RECOVERY_NR_RANKS];
	struct recovery_work *hash[RECOVERY_HASH_BUCKETS];
	struct recovery_past past[RECOVERY_PAST_ENTRIES];
	struct recovery_tally tallies[RECOVERY_TALLIES];
	uint64_t tallied; /* works that were counted there */
	unsigned asked;	  /* extents of requests not completed */
	unsigned offered; /* the same of the background */
	unsigned no_wait; /* requests that nobody waits for, of those asked */
	struct recovery_cancels cancels;
	unsigned running; /* works in batches */
	unsigned batches; /* workers that have one */
	unsigned busy;	  /* threads that have a batch or a request */
	unsigned idle;	  /* threads that wait */
	unsigned watching; /* of those, ones that wake up for who is inside */
	unsigned inside;  /* threads that may wait for another process */
	unsigned stuck;	  /* of those, ones that do for long */
	unsigned resting; /* of those, ones whose works pause before a try */
	unsigned returning; /* ones that have rested and want a place */
	unsigned nr_threads;
	unsigned kept; /* how many want one to stay, with nothing to do */
	struct recovery_thread threads[RECOVERY_MAX_THREADS];
	struct recovery_window *windows;
	struct recovery_scan *scan; /* NULL without */
	atomic_bool own_policies;   /* files may have one */
	atomic_uint policy_changes; /* of any file, and of the settings */
	struct placement_follow *follow;
	struct recovery_trace trace;
};

/* Whether max_holes holds for it. */
static inline bool
recovery_request_is_bounded(const struct recovery_request *request)
{
	return request->background ||
	       request->flags & HUGETMPFS_RECOVER_BOUNDED;
}

static inline void recovery_count(struct recovery *recovery,
				  enum recovery_counter which, uint64_t n)
{
	recovery_count_add(recovery->counters, which, n);
}

/*
 * recovery_offer() of those extents that are wanted. When it returns 0, done
 * is called as for recovery_submit(); extents that are not wanted have the
 * reason NOT_ASKED then.
 */
int recovery_offer_if(struct recovery *recovery,
		      const struct recovery_file *file, uint64_t first,
		      uint32_t nr, recovery_wants_fn *wants,
		      recovery_done_fn *done, void *arg);

/* What may be done to an extent; bounded by max_holes. Takes the lock. */
struct team_policy recovery_policy(struct recovery *recovery, bool bounded);

/* policy.c: what holds for an open file of the backing. */
enum recovery_recover
recovery_policy_background(struct recovery *recovery,
			   const struct recovery_settings *settings, int fd);

/* window.c */
int recovery_window_get(struct recovery *recovery, struct mm_window **out);
void recovery_window_put(struct recovery *recovery, struct mm_window *window);
void recovery_windows_free(struct recovery *recovery);

/* request.c; those ending in _locked want the lock. */
int recovery_request_new(struct recovery *recovery,
			 const struct recovery_file *file, uint64_t first,
			 uint32_t nr, struct recovery_request **out);
/* By a worker; another thread, NULL, leaves out who maps the file. */
void recovery_request_prepare(struct recovery *recovery,
			      struct recovery_request *request,
			      struct recovery_thread *thread);
void recovery_request_list_locked(struct recovery *recovery,
				  struct recovery_request *request);
/* The next to prepare, taken off the list; NULL when there is none. */
struct recovery_request *
recovery_request_next_locked(struct recovery_prepare *prepare);
/*
 * Whether the thread may go on with a request that it prepares: not when
 * another one was first. From then on it is nobody else's.
 */
bool recovery_request_claim_locked(struct recovery *recovery,
				   struct recovery_request *request,
				   const struct recovery_thread *thread);
/* Ends it with the error. Returns for how many works it waited. */
uint32_t recovery_request_cancel_locked(struct recovery *recovery,
					struct recovery_request *request,
					int error);
void recovery_request_answer_locked(struct recovery *recovery,
				    struct recovery_wait *wait,
				    const struct hugetmpfs_extent *extent);
/* Tells the callers of completed requests, without the lock. */
void recovery_requests_deliver(struct recovery *recovery);
void recovery_request_free(struct recovery *recovery,
			   struct recovery_request *request);
/* Refuses all that waits, as recovery has been turned off. */
void recovery_requests_refuse(struct recovery *recovery);
void recovery_target_put(struct recovery *recovery,
			 struct recovery_target *target);

/* queue.c */
bool recovery_queue_add_locked(struct recovery *recovery,
			       struct recovery_target *target, uint64_t index,
			       struct recovery_wait *wait,
			       enum recovery_rank rank,
			       struct recovery_work **spare);
/* The first that is not empty, RECOVERY_NR_RANKS when all are. */
enum recovery_rank recovery_queue_rank_locked(const struct recovery *recovery);
unsigned recovery_queue_nr_locked(const struct recovery *recovery);
/* Takes at most most works of the rank; 0 when it is empty. */
uint32_t recovery_queue_take_locked(struct recovery *recovery,
				    enum recovery_rank rank, uint32_t most,
				    struct recovery_item *items);
void recovery_queue_unhash_locked(struct recovery *recovery,
				  struct recovery_work *work);
void recovery_queue_finish_locked(struct recovery *recovery,
				  struct recovery_work *work,
				  const struct hugetmpfs_extent *extent);
/* Moves those that wait for one that is stuck with its worker to a new one. */
void recovery_queue_renew_locked(struct recovery *recovery,
				 struct recovery_work *old);
/* Ends one that was taken and not begun; who waits is told the reason. */
void recovery_queue_refuse_locked(struct recovery *recovery,
				  struct recovery_work *work,
				  enum hugetmpfs_reason reason);

/* Whether the extent waits or is under way because it was asked for. */
bool recovery_queue_has_asked_locked(struct recovery *recovery, uint64_t ino,
				     uint64_t index);

/* cancel.c; both want the lock. */
bool recovery_ticket_is_valid_locked(const struct recovery *recovery,
				     uint64_t ticket);
/* Whether requests for the file were cancelled since. */
bool recovery_is_called_off_locked(const struct recovery *recovery,
				   uint64_t ino, uint64_t ticket);

/* past.c; all want the lock. */
void recovery_past_store(struct recovery *recovery, uint64_t ino,
			 const struct team *team, uint32_t group);
/* Whether an earlier work has brought the extent nearer to huge. */
bool recovery_past_is_partial(struct recovery *recovery, uint64_t ino,
			      uint64_t index);
/* Counts a work that takes up what an earlier one left, and forgets that. */
void recovery_past_resume(struct recovery *recovery, uint64_t ino,
			  const struct team *team);
/* Gives an extent the reason that the last work on it came to, if it fits. */
void recovery_past_show(struct recovery *recovery, uint64_t ino,
			struct hugetmpfs_extent *extent);

/* tally.c: a work on the file has ended. */
void recovery_tally_add_locked(struct recovery *recovery, uint64_t ino,
			       enum hugetmpfs_reason reason, bool completed);

/* survey.c */
int recovery_survey_new(struct recovery_survey *survey, uint64_t first,
			uint32_t nr);
void recovery_survey_free(struct recovery_survey *survey);
/*
 * First, if they are known, at how the mappers of the file have the extents:
 * that saves much of the look.
 */
int recovery_survey_mappers(struct recovery_thread *thread, uint64_t ino,
			    const struct mm_mappers *mappers,
			    struct recovery_survey *survey);
/* Looks at the extents; timed, for what is going to be worked on. */
int recovery_survey_find(struct recovery *recovery, struct mm_window *window,
			 struct recovery_homes *homes,
			 struct recovery_survey *survey);
int recovery_survey_look(struct recovery *recovery, struct mm_window *window,
			 struct recovery_homes *homes,
			 struct recovery_survey *survey);
/* One more mapper that uses an extent of the survey by small entries. */
int recovery_survey_add_remap(struct recovery_survey *survey, uint64_t index,
			      const struct recovery_mm *mm);

/* batch.c */
void recovery_batch_run(struct recovery_batch *batch);
/* Whether the work should go on; if not, its team is given up. */
bool recovery_item_check(struct recovery_batch *batch,
			 struct recovery_item *item);
/* Looks again. Returns 0 or a negative errno; then the facts are old. */
int recovery_item_look(struct recovery_batch *batch,
		       struct recovery_item *item);
/*
 * Points the window at the batch's extents, with none of them mapped: entries
 * of our own would have to be removed one extent at a time by each collapse,
 * disturbing all CPUs that workers run on.
 */
void recovery_batch_unmap(struct recovery_batch *batch);
/*
 * Before the next round of tries: whether an item is still at the step, and
 * then waits the longer the more often it was tried.
 */
bool recovery_batch_again(struct recovery_batch *batch, enum team_step step);

/*
 * Waits until ns are over or a work that is under way was released or given
 * up; the engine stopping or being turned off ends it, too.
 */
void recovery_batch_wait(struct recovery_batch *batch, uint64_t ns);

/*
 * step.c: one step of a pass on one extent, which is at it. Timed, and told to
 * who watches; so is the end of a work.
 */
typedef void recovery_step_fn(struct recovery_batch *batch,
			      struct recovery_item *item);
void recovery_step_run(struct recovery_batch *batch, struct recovery_item *item,
		       recovery_step_fn *step);
void recovery_step_end(struct recovery_batch *batch,
		       struct recovery_item *item);

/* trace.c */
static inline bool recovery_is_traced(struct recovery *recovery)
{
	return atomic_load_explicit(&recovery->trace.readers,
				    memory_order_relaxed);
}
/* Gives the event its time. */
void recovery_trace_add(struct recovery *recovery,
			struct recovery_trace_event *event);

/* throttle.c: what holds up the background, but for the budgets. */
/*
 * When the pressure on memory allows to begin: 0 for now. Gives the lock up in
 * between if it has to look; then *looked is set.
 */
uint64_t recovery_pressure_until_locked(struct recovery *recovery,
					bool *looked);
/* Around waits for swap, which are pressure of our own making. */
void recovery_read_begin(struct recovery *recovery);
void recovery_read_end(struct recovery *recovery);
/* Gives up those for which no huge page is free. */
void recovery_batch_find_blocks(struct recovery_batch *batch);
/* How many extents may be tried ahead by one call that others wait for. */
uint32_t recovery_batch_ahead(const struct recovery_batch *batch);
/* After a step: lets others in when too many have followed each other. */
void recovery_batch_gap(struct recovery_batch *batch);

/*
 * stuck.c: the calls that want the address space of another process, as those
 * of mm_ops; -EINTR when the engine is ending or turned off.
 */
int recovery_mappers_find(struct recovery_thread *thread, uint64_t ino,
			  struct mm_mappers *mappers);
int recovery_mapper_view(struct recovery_thread *thread,
			 const struct mm_mapper *mapper, uint64_t ino,
			 uint64_t first, uint32_t nr, struct mm_view *views);
int recovery_mapper_collapse(struct recovery_thread *thread,
			     const struct mm_mapper *mapper, uint64_t addr,
			     uint32_t nr);
int recovery_mapper_migrate(struct recovery_batch *batch,
			    const struct recovery_item *item,
			    uint32_t latency_us, uint16_t *there);
/* Whether the thread has been inside for long; if not, until when it is not. */
bool recovery_thread_is_stuck_locked(const struct recovery_thread *thread,
				     uint64_t now_ns, uint64_t *until_ns);
/* When threads are to be looked at next, 0: there is none to look at. */
uint64_t recovery_stuck_next_locked(const struct recovery *recovery);
/* Finds those that are stuck, and takes from them what they have. */
void recovery_stuck_find_locked(struct recovery *recovery);
/* Takes from all that are inside, however long, what they have. */
void recovery_stuck_empty_locked(struct recovery *recovery);
/* Threads that do not count as they are replaced. */
unsigned recovery_stuck_nr_locked(const struct recovery *recovery);

/* reason.c */
enum hugetmpfs_reason recovery_reason(struct recovery_batch *batch,
				      const struct recovery_item *item);

/* pass_migrate.c: gives up those for which their nodes have no room. */
void recovery_batch_find_room(struct recovery_batch *batch);

/* passes.c */
extern const struct recovery_pass *const recovery_passes[];
extern const struct recovery_pass recovery_pass_swapin;
extern const struct recovery_pass recovery_pass_migrate;
extern const struct recovery_pass recovery_pass_collapse;
extern const struct recovery_pass recovery_pass_place;
extern const struct recovery_pass recovery_pass_remap;

/* worker.c */
/*
 * Has a thread that is not stuck, and keeps it whatever is set, until the
 * release, which makes the number of threads fit what is set and what waits.
 * Returns a negative errno when none could be started.
 */
int recovery_workers_keep(struct recovery *recovery);
void recovery_workers_release(struct recovery *recovery);
/*
 * Around the pause of a worker whose works wait for busy pages: until it is
 * over another works in its place. Both want the lock, and give it up.
 */
void recovery_worker_rest_locked(struct recovery *recovery);
void recovery_worker_resume_locked(struct recovery *recovery);
/* Returns how many threads were left behind. */
unsigned recovery_workers_stop(struct recovery *recovery);
/* Frees the engine with its last reference. */
void recovery_put(struct recovery *recovery);
/* Ends all works that were not begun. */
void recovery_works_drop(struct recovery *recovery,
			 enum hugetmpfs_reason reason);

#endif

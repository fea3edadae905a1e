/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When to look, and what of what is seen to offer.
 *
 * In the kernel series the page fault that met small pages queued their
 * recovery. Here nobody calls: so the scan looks at all processes, for extents
 * that they use by small entries (FACTS S3). Pages become small by what the
 * machine counts, swapping, splitting and migration, so a look follows within
 * a tick of a second when those counters move, or when a file was closed that
 * had been written. Whatever else may happen, a look comes every ten ticks. It
 * never takes more than a small share of the time.
 *
 * What a look finds is offered (offers.h), but for extents that could not be
 * recovered, which are left alone for some time (backoff.h). recover=all also
 * offers what is in memory by small pages and nobody has mapped, a file when it
 * was closed, and all files after the machine has moved pages, or when some of
 * this was missed or failed for a reason that passes. What is wholly swapped
 * out and untouched stays so, for its owner has shown no interest.
 *
 * Where there are several NUMA nodes, and policies that say where pages belong,
 * the look also tells where the mappers of each file run (follow.h), and what
 * is on the wrong node is looked for apart from it (sweep.h).
 */
#include "recovery/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memlock.h"
#include "base/log.h"
#include "recovery/backoff.h"
#include "recovery/follow.h"
#include "recovery/internal.h"
#include "recovery/look.h"
#include "recovery/offers.h"
#include "recovery/sweep.h"

#define SCAN_TICK_MS	1000
#define SCAN_LOOK_TICKS 10 /* between looks, at the most */
#define SCAN_ALL_TICKS	60 /* between looks at all files, at the least */

/* A look is followed by so many times the time it took without one. */
#define SCAN_REST	32
#define SCAN_FORGET_TICKS 60

/* The part of a tick in which to look for what is misplaced: 1 / 64. */
#define SCAN_SWEEP_PART 64

/* Files that were closed since the last tick; with more all are looked at. */
#define SCAN_CLOSED 64

/* The part of a tick that tasks waited for memory that is pressure: 1 / 64. */
#define SCAN_PRESSURE_SHIFT 6

struct recovery_scan {
	struct recovery *recovery;
	struct recovery_look *look;
	struct recovery_backoff *backoff;
	struct recovery_offers *offers;
	struct recovery_sweep *sweep;
	pthread_t thread;
	bool is_started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;	     /* lock */
	bool closed_any;     /* lock; a written file was closed */
	bool closed_more;    /* lock; more than are named */
	unsigned nr_closed;  /* lock */
	uint64_t closed[SCAN_CLOSED]; /* lock */

	/* the thread's */
	uint64_t now; /* in ticks */
	uint64_t tick_ns;
	uint64_t next_tick_ns;
	uint64_t rest_until_ns;
	uint64_t looked_at; /* in ticks */
	uint64_t all_at;
	struct mm_machine machine;
	bool moved;	/* counters did, since the last look */
	bool all_due;	/* the same, or some files were missed: look at all */
	bool pressed;	/* there was pressure in the last tick */
	bool due;	/* for another reason */
	unsigned policy_changes; /* that were seen */
};

void recovery_closed(struct recovery *recovery, uint64_t ino)
{
	struct recovery_scan *scan = recovery->scan;
	unsigned i = 0;

	if (!scan)
		return;
	pthread_mutex_lock(&scan->lock);
	scan->closed_any = true;
	while (i < scan->nr_closed && scan->closed[i] != ino)
		i++;
	if (i == SCAN_CLOSED)
		scan->closed_more = true;
	else if (i == scan->nr_closed)
		scan->closed[scan->nr_closed++] = ino;
	pthread_mutex_unlock(&scan->lock);
}

static void recovery_scan_rest(struct recovery_scan *scan, uint64_t since_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t rest_ns = (now_ns - since_ns) * SCAN_REST;
	uint64_t most_ns = scan->tick_ns * SCAN_LOOK_TICKS;

	scan->rest_until_ns = now_ns + (rest_ns < most_ns ? rest_ns : most_ns);
}

static void recovery_scan_count_look(struct recovery_scan *scan,
			    const struct recovery_look_result *result,
			    uint64_t took_ns)
{
	struct recovery *recovery = scan->recovery;

	recovery_count(recovery, RECOVERY_COUNT_scan_looks, 1);
	recovery_count(recovery, RECOVERY_COUNT_scan_processes,
		       result->processes);
	recovery_count(recovery, RECOVERY_COUNT_scan_mappers, result->mappers);
	recovery_count(recovery, RECOVERY_COUNT_scan_stuck, result->stuck);
	recovery_count(recovery, RECOVERY_COUNT_scan_evidence, result->nr);
	recovery_latency_add(recovery->config.latencies, RECOVERY_LATENCY_scan,
			     took_ns);
}

/* Looks at all processes and takes down what there is to offer. */
static void recovery_scan_look(struct recovery_scan *scan)
{
	bool follow = recovery_sweep_matters(scan->recovery);
	struct recovery_look_result result;
	uint64_t since_ns = clock_now_ns(), took_ns;
	int ret;

	scan->moved = false;
	scan->due = false;
	scan->looked_at = scan->now;
	ret = recovery_look_run(scan->look, (unsigned) (scan->tick_ns / 1000000),
				follow, &result);
	took_ns = clock_now_ns() - since_ns;
	for (size_t i = 0; !ret && i < result.nr; i++) {
		const struct mm_use *use = &result.uses[i];

		if (!recovery_backoff_holds(scan->backoff, use->ino, use->index,
					    use->pages, scan->now))
			ret = recovery_offers_add_extent(scan->offers,
							 use->ino, use->index);
	}
	if (!ret && recovery_follow_look(scan->recovery, result.mapped,
					 result.nr_mapped, scan->now))
		recovery_sweep_hurry(scan->sweep);
	recovery_scan_rest(scan, since_ns);
	if (ret && ret != -EINTR)
		log_debug(RECOVERY, "no look at processes: %d", ret);
	else if (!ret)
		recovery_scan_count_look(scan, &result, took_ns);
}

/*
 * Adds the extents of a file that have data, if there can be enough of it. What
 * is missed for want of memory or files is looked for again with all files.
 */
static void recovery_scan_add_file(struct recovery_scan *scan, uint64_t ino)
{
	struct recovery_config *config = &scan->recovery->config;
	struct recovery_offer offer = {.ino = ino,
				       .wanted = RECOVERY_WANTED_ALL};
	uint64_t start = 0, end, size;
	struct stat st;
	int fd, ret = 0;

	fd = config->open_ino(config->files_arg, ino, O_RDONLY);
	if (fd < 0) {
		scan->all_due |= recovery_offers_may_succeed(fd);
		return;
	}
	if (fstat(fd, &st) || !st.st_size)
		goto out_close;
	size = (uint64_t) st.st_size;
	while (!ret && start < size) {
		off_t data = lseek(fd, (off_t) start, SEEK_DATA);

		if (data < 0)
			break;
		offer.first = (uint64_t) data >> HUGETMPFS_EXTENT_SHIFT;
		end = (offer.first + RECOVERY_WINDOW_EXTENTS)
		      << HUGETMPFS_EXTENT_SHIFT;
		if (end > size)
			end = size;
		start = end;
		end += HUGETMPFS_EXTENT_BYTES - 1;
		offer.nr = (uint32_t) ((end >> HUGETMPFS_EXTENT_SHIFT) -
					offer.first);
		ret = recovery_offers_add(scan->offers, &offer);
	}
	scan->all_due |= ret != 0;
out_close:
	close(fd);
}

/* recover=all: files that were closed, and now and then all there are. */
static void recovery_scan_files(struct recovery_scan *scan, const uint64_t *closed,
		       unsigned nr_closed)
{
	struct recovery_config *config = &scan->recovery->config;
	uint64_t cursor = 0, ino, since_ns = clock_now_ns();

	for (unsigned i = 0; i < nr_closed; i++)
		recovery_scan_add_file(scan, closed[i]);
	scan->all_due |= recovery_offers_take_again(scan->offers);
	if (!scan->all_due || !config->next_ino ||
	    scan->now - scan->all_at < SCAN_ALL_TICKS)
		return;
	scan->all_due = false;
	while (!config->next_ino(config->files_arg, &cursor, &ino))
		recovery_scan_add_file(scan, ino);
	scan->all_at = scan->now;
	recovery_scan_rest(scan, since_ns);
}

/* Reads the machine's counters once a tick. */
static void recovery_scan_machine(struct recovery_scan *scan)
{
	const struct mm_ops *mm = scan->recovery->mm;
	struct mm_machine before = scan->machine, now;
	bool pressed;

	if (mm->machine(mm->context, &now))
		return;
	scan->machine = now;
	if (now.moved != before.moved)
		scan->moved = scan->all_due = true;
	pressed = now.stalled_us - before.stalled_us >
		  scan->tick_ns / 1000 >> SCAN_PRESSURE_SHIFT;
	if (scan->pressed && !pressed) {
		recovery_backoff_relent(scan->backoff);
		scan->due = true;
	}
	scan->pressed = pressed;
}

/* Whether it is time to look. */
static bool recovery_scan_is_due(struct recovery_scan *scan)
{
	bool long_ago = scan->now - scan->looked_at >= SCAN_LOOK_TICKS;

	if (clock_now_ns() < scan->rest_until_ns)
		return false;
	/* what is under way would be found again */
	return long_ago ||
	       ((scan->moved || scan->due) &&
		!recovery_offers_underway(scan->offers));
}

/*
 * On machines with several nodes: goes on looking for what is misplaced, unless
 * it has to wait for the engine.
 */
static void recovery_scan_sweep(struct recovery_scan *scan, bool hurry,
				bool wait)
{
	struct recovery *recovery = scan->recovery;
	unsigned changes = atomic_load(&recovery->policy_changes);

	if (!recovery->config.next_ino || !recovery_sweep_matters(recovery))
		return;
	if (hurry || changes != scan->policy_changes)
		recovery_sweep_hurry(scan->sweep);
	scan->policy_changes = changes;
	if (!wait)
		recovery_sweep_tick(scan->sweep, scan->now,
				    scan->tick_ns / SCAN_SWEEP_PART);
}

static void recovery_scan_tick(struct recovery_scan *scan)
{
	uint64_t closed[SCAN_CLOSED];
	struct recovery_settings settings;
	unsigned nr_closed;
	/* found in ticks before, and to be offered first */
	bool wait = recovery_offers_has_waiting(scan->offers);
	bool own, hurry;

	recovery_settings_get(scan->recovery, &settings);
	pthread_mutex_lock(&scan->lock);
	nr_closed = scan->nr_closed;
	for (unsigned i = 0; i < nr_closed; i++)
		closed[i] = scan->closed[i];
	scan->nr_closed = 0;
	hurry = scan->closed_any;
	scan->due |= scan->closed_any;
	scan->all_due |= scan->closed_more;
	scan->closed_any = scan->closed_more = false;
	pthread_mutex_unlock(&scan->lock);
	recovery_offers_set_time(scan->offers, ++scan->now);
	own = recovery_has_own_policies(scan->recovery);
	if (!settings.recoveries ||
	    (settings.recover == RECOVERY_RECOVER_OFF && !own)) {
		recovery_offers_drop(scan->offers);
		return;
	}
	recovery_scan_machine(scan);
	hurry |= scan->moved;
	if (scan->now % SCAN_FORGET_TICKS == 0)
		recovery_backoff_sweep(scan->backoff, scan->now);
	if (!wait && recovery_scan_is_due(scan))
		recovery_scan_look(scan);
	if (settings.recover == RECOVERY_RECOVER_ALL || own)
		recovery_scan_files(scan, closed, nr_closed);
	recovery_scan_sweep(scan, hurry, wait);
}

/* Waits for a tick (true) or for room in the engine (false). */
static bool recovery_scan_wait_locked(struct recovery_scan *scan)
{
	struct timespec until = {
		.tv_sec = (time_t) (scan->next_tick_ns / 1000000000),
		.tv_nsec = (long) (scan->next_tick_ns % 1000000000),
	};

	while (!scan->stopping) {
		if (recovery_offers_has_waiting(scan->offers) &&
		    recovery_offers_has_room(scan->offers))
			return false;
		if (pthread_cond_timedwait(&scan->wake, &scan->lock, &until) ==
		    ETIMEDOUT)
			break;
	}
	scan->next_tick_ns = clock_now_ns() + scan->tick_ns;
	return true;
}

static void *recovery_scan_thread(void *arg)
{
	struct recovery_scan *scan = arg;
	bool tick, stopping = false;

	pthread_setname_np(pthread_self(), "recovery-scan");
	memlock_stack();
	while (!stopping) {
		pthread_mutex_lock(&scan->lock);
		tick = recovery_scan_wait_locked(scan);
		stopping = scan->stopping;
		pthread_mutex_unlock(&scan->lock);
		if (stopping)
			break;
		if (tick)
			recovery_scan_tick(scan);
		recovery_offers_make(scan->offers);
	}
	return NULL;
}

/* There may be room for more. */
static void recovery_scan_answered(void *arg)
{
	struct recovery_scan *scan = arg;

	pthread_mutex_lock(&scan->lock);
	pthread_cond_signal(&scan->wake);
	pthread_mutex_unlock(&scan->lock);
}

static int recovery_scan_thread_start(struct recovery_scan *scan)
{
	sigset_t all, before;
	int ret;

	/* signals are for the daemon's other threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&scan->thread, NULL, recovery_scan_thread, scan);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

static void recovery_scan_close(struct recovery_scan *scan)
{
	if (scan->look)
		recovery_look_close(scan->look);
	if (scan->sweep)
		recovery_sweep_close(scan->sweep);
	if (scan->offers)
		recovery_offers_close(scan->offers);
	if (scan->backoff)
		recovery_backoff_close(scan->backoff);
	pthread_cond_destroy(&scan->wake);
	pthread_mutex_destroy(&scan->lock);
	free(scan);
}

/* All but what asks the kernel. */
static int recovery_scan_open(struct recovery_scan *scan)
{
	struct recovery *recovery = scan->recovery;
	pthread_condattr_t attr;
	int ret;

	pthread_mutex_init(&scan->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&scan->wake, &attr);
	pthread_condattr_destroy(&attr);
	ret = recovery_backoff_open(&scan->backoff);
	if (!ret)
		ret = recovery_offers_open(&scan->offers, recovery,
					   scan->backoff,
					   recovery_scan_answered, scan);
	if (!ret)
		ret = recovery_sweep_open(&scan->sweep, recovery, scan->offers,
					  scan->backoff);
	return ret;
}

int recovery_scan_create(struct recovery *recovery)
{
	unsigned tick_ms = recovery->config.tick_ms;
	struct recovery_scan *scan;
	int ret;

	if (!recovery->config.open_ino)
		return 0;
	scan = calloc(1, sizeof(*scan));
	if (!scan)
		return -ENOMEM;
	scan->recovery = recovery;
	scan->tick_ns = UINT64_C(1000000) * (tick_ms ? tick_ms : SCAN_TICK_MS);
	ret = recovery_scan_open(scan);
	if (ret)
		recovery_scan_close(scan);
	else
		recovery->scan = scan;
	return ret;
}

int recovery_scan_start(struct recovery *recovery)
{
	const struct mm_ops *mm = recovery->mm;
	struct recovery_scan *scan = recovery->scan;
	int ret;

	if (!scan)
		return 0;
	ret = recovery_look_open(&scan->look, mm, recovery->config.dev);
	/* without it there is still what is asked for */
	if (ret)
		return ret == -EOPNOTSUPP ? 0 : ret;
	mm->machine(mm->context, &scan->machine);
	ret = recovery_scan_thread_start(scan);
	scan->is_started = !ret;
	return ret;
}

void recovery_scan_stop(struct recovery *recovery)
{
	struct recovery_scan *scan = recovery->scan;

	if (!scan || !scan->is_started)
		return;
	pthread_mutex_lock(&scan->lock);
	scan->stopping = true;
	pthread_cond_signal(&scan->wake);
	pthread_mutex_unlock(&scan->lock);
	recovery_offers_stop(scan->offers);
	recovery_look_stop(scan->look);
	pthread_join(scan->thread, NULL);
}

void recovery_scan_free(struct recovery *recovery)
{
	struct recovery_scan *scan = recovery->scan;

	if (!scan)
		return;
	recovery->scan = NULL;
	recovery_scan_close(scan);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One file: looks at a slice, has it recovered, looks what came of it. Slices
 * are sized so that each takes about half a second, for the progress and for
 * an interrupt; the daemon works at all extents of a slice at once.
 */
#include "ctl/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/extents.h"

#define SLICE_FIRST 64
#define SLICE_LEAST 8
#define SLICE_NS    (500 * CLOCK_NS_PER_MS)

/* How long to knock again when the daemon has too much to do. */
#define AGAIN_FIRST_NS (20 * CLOCK_NS_PER_MS)
#define AGAIN_LAST_NS  (60 * CLOCK_NS_PER_S)

struct recover_visit {
	struct extents_visitor visitor; /* first, so that one leads to it */
	struct recover_result *result;
	struct plan *plan;		/* NULL: recover */
	struct recover_how *how;
	const char *path;
	bool readable;
	uint32_t flags;			/* of each call */
	uint32_t slice;			/* extents to ask for */
	struct hugetmpfs_extent before[EXTENTS_SLICE];
};

/* Waits a while. Returns 0, or -EINTR. */
static int wait_ns(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t) (ns / CLOCK_NS_PER_S),
		.tv_nsec = (long) (ns % CLOCK_NS_PER_S),
	};

	return nanosleep(&ts, NULL) ? -errno : 0;
}

/* The call, again and again while the daemon says that it is too busy. */
static int recover_patiently(struct recover_visit *visit, int fd,
			     uint64_t first, uint32_t nr, uint32_t flags,
			     struct hugetmpfs_extent *extents,
			     uint64_t *size_bytes)
{
	uint64_t start = clock_now_ns(), pause = AGAIN_FIRST_NS;
	int ret;

	for (;;) {
		if (*visit->how->interrupted)
			return -EINTR;
		ret = hugetmpfs_recover_part(fd, first, nr,
					     flags | visit->flags,
					     &visit->how->ticket, extents,
					     size_bytes);
		if (ret != -EAGAIN || clock_now_ns() - start > AGAIN_LAST_NS)
			return ret;
		ret = wait_ns(pause);
		if (ret)
			return ret;
		if (pause < CLOCK_NS_PER_S)
			pause *= 2;
	}
}

/* How the extents are now; a descriptor for writing alone cannot map. */
static int look_before(struct recover_visit *visit, int fd, uint64_t first,
		       uint32_t nr, uint64_t *size_bytes)
{
	if (visit->readable)
		return hugetmpfs_map(fd, first, nr, visit->before, size_bytes);
	return recover_patiently(visit, fd, first, nr,
				 HUGETMPFS_RECOVER_DRY_RUN, visit->before,
				 size_bytes);
}

static void adapt_slice(struct recover_visit *visit, uint64_t took_ns)
{
	if (took_ns > SLICE_NS && visit->slice > SLICE_LEAST)
		visit->slice /= 2;
	else if (took_ns < SLICE_NS / 4 && visit->slice < EXTENTS_SLICE)
		visit->slice *= 2;
}

static int recover_get(struct extents_visitor *visitor, int fd, uint64_t first,
		       uint32_t nr, struct hugetmpfs_extent *extents,
		       uint64_t *size_bytes)
{
	struct recover_visit *visit = (struct recover_visit *) visitor;
	uint64_t start;
	int before, after;

	if (*visit->how->interrupted)
		return -EINTR;
	if (nr > visit->slice)
		nr = visit->slice;
	if (visit->plan)
		return recover_patiently(visit, fd, first, nr,
					 HUGETMPFS_RECOVER_DRY_RUN, extents,
					 size_bytes);
	before = look_before(visit, fd, first, nr, size_bytes);
	if (before <= 0)
		return before;
	start = clock_now_ns();
	after = recover_patiently(visit, fd, first, (uint32_t) before, 0,
				  extents, size_bytes);
	/* one extent alone, as the first is, says little */
	if (before > 1)
		adapt_slice(visit, clock_now_ns() - start);
	if (after > 0)
		hugetmpfs_summary_add(&visit->result->before, visit->before,
				      (size_t) after);
	return after;
}

static int plan_slice(struct recover_visit *visit, uint32_t nr,
		      const struct hugetmpfs_extent *extents)
{
	int ret = 0;

	hugetmpfs_summary_add(&visit->result->before, extents, nr);
	for (uint32_t i = 0; i < nr && !ret; i++)
		ret = plan_add(visit->plan, &extents[i], 1);
	return ret;
}

/* Takes in what came of one extent. Returns 0, or -ECANCELED. */
static int recover_extent(struct recover_visit *visit,
			  const struct hugetmpfs_extent *before,
			  const struct hugetmpfs_extent *after)
{
	struct recover_result *result = visit->result;

	result->nr_recovered += after->state == HUGETMPFS_HUGE &&
				before->state != HUGETMPFS_HUGE;
	result->nr_misplaced += after->state == HUGETMPFS_HUGE &&
				after->misplaced_pages &&
				after->reason != HUGETMPFS_REASON_QUEUED;
	if (after->reason == HUGETMPFS_REASON_QUEUED) {
		result->nr_queued += after->error == 0;
		result->nr_queued_before += after->error != 0;
	}
	return after->reason == HUGETMPFS_REASON_CANCELLED ? -ECANCELED : 0;
}

static int recover_slice(struct extents_visitor *visitor, uint64_t first,
			 uint32_t nr, const struct hugetmpfs_extent *extents)
{
	struct recover_visit *visit = (struct recover_visit *) visitor;
	int ret = 0, one;

	(void) first;
	hugetmpfs_summary_add(&visit->result->after, extents, nr);
	if (visit->plan)
		ret = plan_slice(visit, nr, extents);
	for (uint32_t i = 0; i < nr && !visit->plan; i++) {
		one = recover_extent(visit, &visit->before[i], &extents[i]);
		ret = ret ? ret : one;
	}
	progress_add(visit->how->progress, nr * HUGETMPFS_EXTENT_BYTES,
		     visit->path);
	return ret;
}

static int recover_holes(struct extents_visitor *visitor, uint64_t first,
			 uint64_t nr)
{
	struct recover_visit *visit = (struct recover_visit *) visitor;
	struct hugetmpfs_extent hole = extents_hole(visitor->size_bytes, first);

	extents_add_holes(&visit->result->before, visitor->size_bytes, first,
			  nr);
	extents_add_holes(&visit->result->after, visitor->size_bytes, first,
			  nr);
	progress_add(visit->how->progress, nr * HUGETMPFS_EXTENT_BYTES,
		     visit->path);
	return visit->plan ? plan_add(visit->plan, &hole, nr) : 0;
}

/*
 * With a bound on the holes, those with more are as they should be, as are
 * those that are queued when nobody wants to wait.
 */
static uint64_t count_missed(const struct hugetmpfs_summary *after,
			     uint32_t flags)
{
	uint64_t missed = after->nr_extents - after->nr_huge -
			  after->states[HUGETMPFS_HOLE] -
			  after->reasons[HUGETMPFS_REASON_QUEUED];

	if (flags & HUGETMPFS_RECOVER_BOUNDED)
		missed -= after->reasons[HUGETMPFS_REASON_TOO_MANY_HOLES];
	return missed;
}

void recover_file(struct recover_how *how, int path_fd, const char *path,
		  uint32_t flags, struct plan *plan,
		  struct recover_result *result)
{
	struct recover_visit visit = {
		.flags = flags | (how->no_wait ? HUGETMPFS_RECOVER_NO_WAIT : 0),
		.visitor = { .get = recover_get,
			     .slice = recover_slice,
			     .holes = recover_holes,
			     .range = how->range },
		.result = result,
		.plan = plan,
		.how = how,
		.path = path,
		.readable = true,
		.slice = SLICE_FIRST,
	};
	uint64_t start = clock_now_ns();
	int fd = extents_reopen(path_fd, O_RDWR);

	*result = (struct recover_result){ 0 };
	if (fd == -EACCES) {
		visit.readable = false;
		fd = extents_reopen(path_fd, O_WRONLY);
	}
	if (fd < 0) {
		result->error = fd;
		return;
	}
	result->error = extents_visit(fd, &visit.visitor);
	close(fd);
	result->size_bytes = visit.visitor.size_bytes;
	result->time_ns = clock_now_ns() - start;
	result->nr_missed = count_missed(&result->after, flags);
}

static void summary_add(struct hugetmpfs_summary *total,
			const struct hugetmpfs_summary *summary)
{
	total->nr_extents += summary->nr_extents;
	total->nr_huge += summary->nr_huge;
	total->nr_eligible += summary->nr_eligible;
	total->data_pages += summary->data_pages;
	total->hole_pages += summary->hole_pages;
	total->swapped_pages += summary->swapped_pages;
	total->misplaced_pages += summary->misplaced_pages;
	for (unsigned i = 0; i < HUGETMPFS_NR_STATES; i++)
		total->states[i] += summary->states[i];
	for (unsigned i = 0; i < HUGETMPFS_NR_REASONS; i++)
		total->reasons[i] += summary->reasons[i];
}

void recover_result_add(struct recover_result *total,
			const struct recover_result *result)
{
	summary_add(&total->before, &result->before);
	summary_add(&total->after, &result->after);
	total->nr_recovered += result->nr_recovered;
	total->nr_missed += result->nr_missed;
	total->nr_misplaced += result->nr_misplaced;
	total->nr_queued += result->nr_queued;
	total->nr_queued_before += result->nr_queued_before;
	total->size_bytes += result->size_bytes;
	total->time_ns += result->time_ns;
}

double recover_bytes_per_second(const struct recover_result *result)
{
	if (!result->time_ns)
		return 0;
	return (double) result->nr_recovered * HUGETMPFS_EXTENT_BYTES * 1e9 /
	       (double) result->time_ns;
}

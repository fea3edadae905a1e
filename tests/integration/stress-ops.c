/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations of the stress test. Each does the same to the file and to
 * the model, under the file's lock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct range {
	int file;
	off_t offset;
	size_t length;
	struct stress_file *f;
	struct stress_view *view;
};

typedef void operation_fn(struct stress_worker *worker, struct range *range);

static void check_count(struct stress_worker *worker, struct range *range,
			const char *what, ssize_t got, ssize_t want)
{
	if (got != want)
		stress_fail(worker, range->file, range->offset,
			    "%s gave %zd instead of %zd: %s", what, got, want,
			    got < 0 ? strerror(errno) : "");
}

static void random_bytes(struct stress_worker *worker, unsigned char *buffer,
			 size_t length)
{
	uint64_t value = stress_random(worker, 0);

	value = worker->random;
	for (size_t i = 0; i < length; i++) {
		buffer[i] = value >> 56;
		value = value * 6364136223846793005u + 1442695040888963407u;
	}
}

static unsigned char *model_of(struct range *range)
{
	return range->f->model + range->offset;
}

/* ---- on the worker's own pages, lock held shared ---- */

static void op_write(struct stress_worker *worker, struct range *range)
{
	stress_log(worker, "write", range->file, range->offset, range->length);
	random_bytes(worker, model_of(range), range->length);
	check_count(worker, range, "pwrite",
		    pwrite(range->view->fd, model_of(range), range->length,
			   range->offset), range->length);
}

static void op_store(struct stress_worker *worker, struct range *range)
{
	stress_log(worker, "store", range->file, range->offset, range->length);
	random_bytes(worker, model_of(range), range->length);
	memcpy(range->view->map + range->offset, model_of(range),
	       range->length);
}

static void op_read(struct stress_worker *worker, struct range *range)
{
	unsigned char buffer[64 * STRESS_PAGE];

	check_count(worker, range, "pread",
		    pread(range->view->fd, buffer, range->length,
			  range->offset), range->length);
	stress_compare(worker, range->file, range->offset, range->length,
		       buffer, "read");
}

static void op_load(struct stress_worker *worker, struct range *range)
{
	stress_compare_mapped(worker, range->file, range->offset, range->length,
			      "load");
}

static void op_punch(struct stress_worker *worker, struct range *range)
{
	stress_log(worker, "punch", range->file, range->offset, range->length);
	memset(model_of(range), 0, range->length);
	check_count(worker, range, "punch",
		    fallocate(range->view->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      range->offset, range->length), 0);
}

static void op_remove(struct stress_worker *worker, struct range *range)
{
	off_t start = range->offset & -STRESS_PAGE;
	off_t end = (range->offset + range->length) & -STRESS_PAGE;

	if (end <= start || start != range->offset)
		return;
	stress_log(worker, "remove", range->file, start, end - start);
	memset(range->f->model + start, 0, end - start);
	check_count(worker, range, "MADV_REMOVE",
		    madvise(range->view->map + start, end - start, MADV_REMOVE),
		    0);
}

static void op_allocate(struct stress_worker *worker, struct range *range)
{
	stress_log(worker, "fallocate", range->file, range->offset,
		   range->length);
	check_count(worker, range, "fallocate",
		    fallocate(range->view->fd, FALLOC_FL_KEEP_SIZE,
			      range->offset, range->length), 0);
}

/* Advice changes where the bytes are, never what they are. */
static void op_advise(struct stress_worker *worker, struct range *range)
{
	static const int advice[] = { MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD,
				      MADV_WILLNEED, MADV_POPULATE_READ };
	int which = stress_random(worker, sizeof(advice) / sizeof(advice[0]));
	off_t start = range->offset & -STRESS_PAGE;

	madvise(range->view->map + start, range->length, advice[which]);
	op_load(worker, range);
}

/*
 * Linux (6.18) maps a huge page that fallocate has made, and that nobody has
 * touched since, without clearing it first: what it held before is read and
 * what is stored is lost. Our own page in it is touched first, which clears it
 * and keeps the extent from becoming such a one meanwhile.
 */
static void op_collapse(struct stress_worker *worker, struct range *range)
{
	off_t start = range->offset >> 21 << 21;

	stress_log(worker, "collapse", range->file, start, 2 << 20);
	(void) *(volatile unsigned char *) (range->view->map + range->offset);
	madvise(range->view->map + start, 2 << 20, MADV_COLLAPSE);
	op_load(worker, range);
}

static void op_copy_in_kernel(struct stress_worker *worker, struct range *range)
{
	unsigned char buffer[STRESS_PAGE];
	size_t length = range->length / 2;
	off_t from = range->offset, to = range->offset + length;

	if (length == 0)
		return;
	if (length > sizeof(buffer))
		length = sizeof(buffer);
	stress_log(worker, "copy", range->file, to, length);
	check_count(worker, range, "copy_file_range",
		    copy_file_range(range->view->fd, &from, range->view->fd,
				    &to, length, 0), length);
	memcpy(range->f->model + to - length, model_of(range), length);
	check_count(worker, range, "pread",
		    pread(range->view->fd, buffer, length,
			  to - length), length);
	stress_compare(worker, range->file, to - length, length, buffer,
		       "copy");
}

/* The page is pinned while it is in the pipe. */
static void op_pin(struct stress_worker *worker, struct range *range)
{
	struct iovec vector = { range->view->map + range->offset,
				range->length };
	unsigned char buffer[64 * STRESS_PAGE];
	int pipes[2];

	if (vector.iov_len > 8 * STRESS_PAGE)
		vector.iov_len = 8 * STRESS_PAGE;
	if (pipe(pipes))
		return;
	ssize_t nr = vmsplice(pipes[1], &vector, 1, SPLICE_F_NONBLOCK);

	if (stress_random(worker, 4) == 0)
		usleep(stress_random(worker, 2000));
	if (nr > 0) {
		check_count(worker, range, "read of the pipe",
			    read(pipes[0], buffer, nr), nr);
		stress_compare(worker, range->file, range->offset, nr, buffer,
			       "pinned");
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* A child has the same mapping for a moment and stores through it. */
static void op_child(struct stress_worker *worker, struct range *range)
{
	int status;
	pid_t pid;

	random_bytes(worker, model_of(range), range->length);
	stress_log(worker, "store of a child", range->file, range->offset,
		   range->length);
	pid = fork();
	if (pid == 0) {
		memcpy(range->view->map + range->offset, model_of(range),
		       range->length);
		_exit(0);
	}
	if (pid < 0) {
		op_store(worker, range);
		return;
	}
	waitpid(pid, &status, 0);
	if (status)
		stress_fail(worker, range->file, range->offset,
			    "child ended with status %#x", status);
	op_load(worker, range);
}

/* ---- on the whole file, lock held exclusively ---- */

static void set_size(struct range *range, off_t size)
{
	if (size < range->f->size)
		memset(range->f->model + size, 0, range->f->size - size);
	range->f->size = size;
}

static void op_truncate(struct stress_worker *worker, struct range *range)
{
	off_t size = stress_random(worker, stress_options.file_bytes + 1);

	/* mostly large, so that there is something to work on */
	if (stress_random(worker, 4))
		size = stress_options.file_bytes -
		       stress_random(worker, STRESS_PAGE * 600);
	stress_log(worker, "truncate", range->file, size,
		   stress_options.file_bytes);
	set_size(range, size);
	check_count(worker, range, "ftruncate",
		    ftruncate(range->view->fd, size), 0);
}

static void op_append(struct stress_worker *worker, struct range *range)
{
	size_t room = stress_options.file_bytes - range->f->size;
	size_t length = stress_random(worker, 256 * STRESS_PAGE);
	off_t at = range->f->size;

	if (length > room)
		length = room;
	stress_log(worker, "append", range->file, at, length);
	random_bytes(worker, range->f->model + at, length);
	for (size_t done = 0, part; done < length; done += part) {
		part = length - done < 65536 ? length - done : 65536;
		check_count(worker, range, "append",
			    pwrite(range->view->fd,
				   range->f->model + at + done, part,
				   at + done), part);
	}
	range->f->size += length;
}

static void op_punch_large(struct stress_worker *worker, struct range *range)
{
	off_t start = stress_random(worker, range->f->size + 1);
	size_t length = stress_random(worker, 1024 * STRESS_PAGE) + 1;

	if (stress_random(worker, 2)) {
		start = start >> 21 << 21;
		length = 2 << 20;
	}
	stress_log(worker, "large punch", range->file, start, length);
	check_count(worker, range, "punch",
		    fallocate(range->view->fd,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
			      length), 0);
	if (start + (off_t) length > range->f->size)
		length = range->f->size - start;
	memset(range->f->model + start, 0, length);
}

static void op_extend(struct stress_worker *worker, struct range *range)
{
	off_t size = range->f->size +
		     stress_random(worker, 512 * STRESS_PAGE) + 1;

	if (size > (off_t) stress_options.file_bytes)
		size = stress_options.file_bytes;
	stress_log(worker, "extend", range->file, range->f->size,
		   size - range->f->size);
	check_count(worker, range, "fallocate",
		    fallocate(range->view->fd, 0, 0, size), 0);
	range->f->size = size;
}

/* Another inode takes the name; the others find that out by themselves. */
static void op_replace(struct stress_worker *worker, struct range *range)
{
	char path[4096], next[4200];
	int fd;

	stress_path(range->file, path, sizeof(path));
	snprintf(next, sizeof(next), "%s.new", path);
	stress_log(worker, "replace", range->file, 0,
		   stress_options.file_bytes);
	fd = open(next, O_CREAT | O_TRUNC | O_RDWR, 0644);
	check_count(worker, range, "open", fd < 0 ? -1 : 0, 0);
	check_count(worker, range, "rename", rename(next, path), 0);
	close(fd);
	range->f->generation++;
	memset(range->f->model, 0, stress_options.file_bytes);
	range->f->size = 0;
	range->view = stress_view_get(worker, range->file);
	if (range->view)
		op_append(worker, range);
}

static void op_verify(struct stress_worker *worker, struct range *range)
{
	stress_verify_file(worker, range->file);
}

static void op_remap(struct stress_worker *worker, struct range *range)
{
	stress_view_drop(range->view);
	range->view = stress_view_get(worker, range->file);
	op_verify(worker, range);
}

static const struct {
	unsigned weight;
	operation_fn *run;
} own_operations[] = {
	{ 20, op_write }, { 25, op_store }, { 20, op_read }, { 20, op_load },
	{ 6, op_punch }, { 3, op_remove }, { 4, op_allocate },
	{ 4, op_advise }, { 2, op_collapse }, { 4, op_copy_in_kernel },
	{ 3, op_pin }, { 1, op_child },
}, exclusive_operations[] = {
	{ 4, op_truncate }, { 5, op_append }, { 3, op_punch_large },
	{ 5, op_extend }, { 1, op_replace }, { 3, op_verify }, { 1, op_remap },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(worker, array)                                                    \
	({                                                                     \
		unsigned sum_ = 0, which_ = 0;                                 \
		for (size_t i_ = 0; i_ < NR(array); i_++)                      \
			sum_ += (array)[i_].weight;                            \
		sum_ = stress_random(worker, sum_);                            \
		while (sum_ >= (array)[which_].weight)                         \
			sum_ -= (array)[which_++].weight;                      \
		(array)[which_].run;                                           \
	})

/* A random part of one of the worker's own runs; false when there is none. */
static bool own_range(struct stress_worker *worker, struct range *range)
{
	size_t run = (size_t) range->f->run_pages * STRESS_PAGE;
	size_t runs = range->f->size / run;
	off_t start;

	if (runs <= (size_t) worker->id)
		return false;
	start = stress_random(worker, (runs - worker->id - 1) /
				      stress_options.workers + 1);
	start = (start * stress_options.workers + worker->id) * run;
	range->offset = start;
	range->length = run;
	if (stress_random(worker, 2)) {
		range->offset += stress_random(worker, run);
		range->length = stress_random(worker,
					      start + run - range->offset) + 1;
	}
	return true;
}

void stress_operation(struct stress_worker *worker)
{
	struct range range = { 0 };
	bool exclusive = stress_random(worker, 100) == 0;

	range.file = stress_random(worker, stress_options.files);
	range.f = &stress_shared->files[range.file];
	if (exclusive)
		pthread_rwlock_wrlock(&range.f->lock);
	else
		pthread_rwlock_rdlock(&range.f->lock);
	range.view = stress_view_get(worker, range.file);
	if (range.view && exclusive)
		PICK(worker, exclusive_operations)(worker, &range);
	else if (range.view && own_range(worker, &range))
		PICK(worker, own_operations)(worker, &range);
	pthread_rwlock_unlock(&range.f->lock);
}

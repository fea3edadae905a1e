/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stress test's shared memory: what every byte of every file must be, who
 * may change it, and what was done last.
 */
#ifndef STRESS_H
#define STRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STRESS_PAGE	   4096
#define STRESS_MAX_FILES   16
#define STRESS_MAX_WORKERS 64
#define STRESS_LOG_ENTRIES 8192

struct stress_options {
	const char *directory;
	unsigned workers;
	unsigned files;
	unsigned seconds;
	size_t file_bytes;	/* the largest size of a file */
	uint64_t seed;
	bool recover;		/* run recovery beside */
	bool corrupt;		/* spoil a byte now and then: must be found */
};

/*
 * One file. Pages are dealt out to the workers in runs; a worker that holds
 * the lock shared changes the contents of its own pages below the end of the
 * file and nothing else, so the model needs no further lock. Whoever holds it
 * exclusively may do anything.
 */
struct stress_file {
	pthread_rwlock_t lock;
	off_t size;		/* lock */
	unsigned generation;	/* lock; another inode has the name now */
	unsigned run_pages;	/* constant */
	unsigned char *model;	/* lock; file_bytes long, zero beyond size */
};

struct stress_log_entry {
	const char *what;
	off_t offset;
	off_t length;
	int file;
	int worker;
	double at;
};

struct stress_shared {
	struct stress_file files[STRESS_MAX_FILES];
	atomic_bool stop;
	atomic_int failures;
	atomic_ulong operations;
	atomic_ulong recovered;	/* extents that recovery said are huge */
	atomic_ulong not_recovered;
	atomic_ulong spoilt;
	atomic_uint log_next;
	struct stress_log_entry log[STRESS_LOG_ENTRIES];
};

/* A process's view of one file. */
struct stress_view {
	int fd;
	unsigned char *map;	/* file_bytes long */
	unsigned generation;	/* of fd and map */
};

struct stress_worker {
	int id;
	uint64_t random;
	struct stress_view views[STRESS_MAX_FILES];
};

extern struct stress_options stress_options;
extern struct stress_shared *stress_shared;

uint64_t stress_random(struct stress_worker *worker, uint64_t below);
double stress_now(void);
void stress_path(int file, char *path, size_t size);

/* Notes an operation before it is done, for the report of a failure. */
void stress_log(const struct stress_worker *worker, const char *what, int file,
		off_t offset, off_t length);

/* Reports, prints what was done to these bytes last, and stops everybody. */
void stress_fail(const struct stress_worker *worker, int file, off_t offset,
		 const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Opens and maps the file that has the name now; with the lock held. */
struct stress_view *stress_view_get(struct stress_worker *worker, int file);
void stress_view_drop(struct stress_view *view);

/* Compares bytes with the model; reports the first that differs. */
bool stress_compare(const struct stress_worker *worker, int file, off_t offset,
		    size_t length, const unsigned char *got, const char *how);
/* The same of the mapping; tells what it and others give a moment later. */
bool stress_compare_mapped(struct stress_worker *worker, int file,
			   off_t offset, size_t length, const char *how);
bool stress_verify_file(struct stress_worker *worker, int file);

/* One random operation; stress-ops.c */
void stress_operation(struct stress_worker *worker);

/* Recovers all files in turn until stop; stress-recover.c */
void stress_recover_loop(struct stress_worker *worker);

#endif

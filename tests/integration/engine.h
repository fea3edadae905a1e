/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the engine on a real kernel share: files on a plain tmpfs
 * that the test mounts, processes that map them, and the kernel's own view.
 */
#ifndef INTEGRATION_ENGINE_H
#define INTEGRATION_ENGINE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mm/mm.h"
#include "recovery/counters.h"
#include "recovery/recovery.h"

#define EXTENT HUGETMPFS_EXTENT_BYTES
#define PAGE   4096

#define check(condition)                                                  \
	do {                                                              \
		if (!(condition)) {                                       \
			printf("FAILED: %s:%d: %s\n", __FILE__, __LINE__, \
			       #condition);                               \
			exit(1);                                          \
		}                                                         \
	} while (0)

#define check_equal(actual, expected)                                      \
	do {                                                               \
		long long is_ = (long long) (actual);                      \
		long long should_ = (long long) (expected);                \
		if (is_ != should_) {                                      \
			printf("FAILED: %s:%d: %s is %lld, not %lld\n",    \
			       __FILE__, __LINE__, #actual, is_, should_); \
			exit(1);                                           \
		}                                                          \
	} while (0)

#define WITHOUT(interface) (1u << MM_##interface)

struct file {
	char path[256];
	int fd;
	struct stat st; /* dev and ino; not up to date */
};

/* Makes an empty file of a size in the folder of the test. */
void file_make(struct file *file, uint64_t bytes);
void file_end(struct file *file);
/* Writes a pattern into [start, end) in pieces of step bytes. */
void file_fill(struct file *file, uint64_t start, uint64_t end, size_t step);
/* Whether the file still holds the pattern there. */
void file_check(struct file *file, uint64_t start, uint64_t end);
void file_punch(struct file *file, uint64_t start, uint64_t bytes);
uint64_t file_kib(struct file *file); /* that it occupies */
/* Has an engine make an extent huge; engine-look.c. */
void file_collapse(struct file *file, uint64_t index);

/* Mounts a plain tmpfs over the folder of the test, and takes it off. */
void tmpfs_mount(const char *options);
void tmpfs_umount(void);

/* A process that has nr extents mapped; end it with mapper_end(). */
struct mapper {
	pid_t pid;
	uint64_t addr;
	int go; /* a byte written here lets it touch every page */
	int went;
};

enum mapping { MAPPED_ALIGNED, MAPPED_MISALIGNED, MAPPED_PRIVATE };

void mapper_start(struct mapper *mapper, struct file *file, uint32_t nr,
		  enum mapping how);
void mapper_touch(struct mapper *mapper);
void mapper_end(struct mapper *mapper);
/* KiB of a field of smaps of the mapping of the file in the process. */
uint64_t smaps_kib(pid_t pid, const char *path, const char *field);

/* An engine on the kernel as it is, or without some interfaces. */
struct engine {
	struct mm *mm;
	struct recovery *recovery;
	struct recovery_counters counters;
};

void engine_start(struct engine *engine, struct file *file, unsigned without);
void engine_stop(struct engine *engine);
int engine_map(struct engine *engine, struct file *file, uint64_t first,
	       uint32_t nr, struct hugetmpfs_extent *extents);
int engine_recover(struct engine *engine, struct file *file, uint64_t first,
		   uint32_t nr, struct hugetmpfs_extent *extents);

/* engine-look.c, engine-recover.c */
struct topic {
	const char *name;
	void (*run)(void);
};
void engine_look_nodes(void); /* engine-nodes.c */
extern const struct topic engine_look_topics[];
extern const struct topic engine_recover_topics[];

#endif

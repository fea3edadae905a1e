/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of mm/ share. Names without _sys_ work with whatever the
 * kernel has, by the fallbacks that each describes.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <dirent.h>
#include <inttypes.h>

#include <pthread.h>
#include <stdatomic.h>

#include "mm/charge.h"
#include "mm/mm.h"
#include "mm/sys.h"

#define MM_PAGE_SHIFT 12
#define MM_PAGE_BYTES (UINT64_C(1) << MM_PAGE_SHIFT)

struct mm_ring;

/* guard.c: one that is inside another process, on the stack of its thread. */
struct mm_inside {
	struct mm_inside *next;
	pid_t pid;
	uint64_t since_ns;
	bool alone;
};

struct mm_guard {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct mm_inside *inside; /* lock */
};

void mm_guard_open(struct mm_guard *guard);
void mm_guard_close(struct mm_guard *guard);
/*
 * Before something that wants the mmap lock of a process, and after. Looks go
 * in alone, waiting for each other; collapses do not. -ETIMEDOUT when another has
 * been inside for a second.
 */
int mm_guard_enter(struct mm_guard *guard, struct mm_inside *inside, pid_t pid,
		   bool alone);
void mm_guard_leave(struct mm_guard *guard, struct mm_inside *inside);

struct mm {
	struct mm_ops ops;
	struct mm_guard guard;
	unsigned without;	    /* as mm_open() was given it */
	pid_t second;		    /* mm_set_second(), 0: none */
	atomic_bool is_probed;	    /* written after what follows */
	pthread_mutex_t probe_lock; /* who probes, while others wait */
	struct mm_interface interfaces[MM_NR_INTERFACES];
	int pagemap_fd;	   /* /proc/self/pagemap */
	int vmstat_fd;	   /* /proc/vmstat, -1 without */
	int pressure_fd;   /* /proc/pressure/memory, -1 without */
	int kpageflags_fd; /* -1 without */
	atomic_int only_node; /* -1: there are several ... */
	_Atomic uint64_t nodes_fresh_ns; /* ... which is believed until then */
	_Atomic uint64_t move_ns; /* that a page takes to move, 0: not known */
	int kpagecgroup_fd; /* -1 without */
	struct charge *charge; /* memory cgroups, NULL without */
};

struct mm_window {
	struct mm *mm;
	char *base; /* aligned to an extent */
	uint32_t capacity;
	void *reserved;
	size_t reserved_bytes;
	struct mm_ring *ring; /* made at the first use */
	bool ring_failed;
	/* what it points at; nr is 0 when nothing */
	int fd;
	uint64_t first;
	uint32_t nr;
	uint64_t own_group; /* this process's memory cgroup, 0: not asked */
	bool mapped;
};

/* The first one who asks finds out (mm_probe()). */
static inline bool mm_has(struct mm *mm, enum mm_interface_id interface)
{
	if (!atomic_load_explicit(&mm->is_probed, memory_order_acquire))
		mm_probe(mm);
	return mm->interfaces[interface].present;
}

/* window.c */
int mm_window_open(void *context, uint32_t nr, struct mm_window **out);
void mm_window_close(void *context, struct mm_window *window);
void mm_window_attach(void *context, struct mm_window *window, int fd,
		      uint64_t first, uint32_t nr);
void mm_window_detach(void *context, struct mm_window *window);
/*
 * Maps the file if need be and gives the address of an extent of it. The
 * address is for system calls only.
 */
int mm_window_address(struct mm_window *window, uint64_t index, char **addr);
/* Unmaps the pages of an extent, which costs a fault when they are wanted. */
int mm_window_drop(struct mm_window *window, uint64_t index);
/* Brings one page in, as a read would. */
int mm_window_touch(struct mm_window *window, char *addr);

/* look.c */
int mm_look(void *context, struct mm_window *window, uint64_t first,
	    uint32_t nr, const enum mm_known *known, struct mm_extent *extents,
	    uint64_t *size_bytes);
bool mm_has_data(void *context, struct mm_window *window, uint64_t first,
		 uint32_t nr);

/* count.c: resident and swapped pages of whole extents, also above EOF. */
struct mm_count {
	uint16_t resident;
	uint16_t swapped;
};
int mm_count(struct mm_window *window, uint64_t first, uint32_t nr,
	     const enum mm_known *known, struct mm_count *counts);
/* The same for the first pages of one extent. */
int mm_count_head(struct mm_window *window, uint64_t index, uint16_t pages,
		  struct mm_count *count);

/*
 * Calls fn for each run of pages of an extent, among nr from first on, that are
 * all in memory, or that all have data, there or on swap; what it returns ends
 * the walk unless it is 0. By cachestat of halves, until one is all so or has
 * nothing: SEEK_HOLE would walk all pages of a file without holes up to its end,
 * for each extent (FACTS S1).
 */
enum mm_run_kind { MM_RUN_RESIDENT, MM_RUN_DATA };
typedef int mm_run_fn(void *arg, uint32_t first, uint32_t nr);
int mm_for_each_run(int fd, uint64_t index, uint32_t first, uint32_t nr,
		    enum mm_run_kind kind, mm_run_fn *fn, void *arg);

/* huge.c: finds the huge ones among extents that have all pages resident. */
int mm_find_huge(struct mm_window *window, uint64_t first, uint32_t nr,
		 const enum mm_known *known, const struct mm_count *counts,
		 bool *huge);

/* nodes.c: where the pages are that an extent has in memory; maps them. */
struct mm_pages {
	uint32_t nr;
	void *at[HUGETMPFS_EXTENT_PAGES];
	int node[HUGETMPFS_EXTENT_PAGES]; /* negative: it is gone, or so */
};
/* Of a huge one, the first page; the nodes are not asked for. */
int mm_pages_map(struct mm_window *window, uint64_t index,
		 const struct mm_extent *extent, struct mm_pages *pages);
/* For those without a node, as a touch of their neighbour has not mapped them. */
void mm_pages_ask_again(struct mm_window *window, struct mm_pages *pages);
/* Both. */
int mm_pages_find(struct mm_window *window, uint64_t index,
		  const struct mm_extent *extent, struct mm_pages *pages);
void mm_find_nodes(struct mm_window *window, uint64_t first, uint32_t nr,
		   struct mm_extent *extents);

/* topology.c */
int mm_only_node(struct mm *mm);
bool mm_nodes_several(void *context);
int mm_nodes_allowed(void *context, pid_t pid, struct nodeset *nodes);
/* Of each CPU its node, -1 when it has none (any more). */
int mm_nodes_of_cpus(const int *cpus, unsigned nr, int *nids);
void mm_nodes_present_op(void *context, struct nodeset *nodes);
int mm_node_distances(void *context, int nid, int *distances, int nr);
int mm_node_room(void *context, int nid, uint64_t *bytes);

/* threads.c */
int mm_mapper_nodes(void *context, pid_t pid, uint32_t *threads,
		    unsigned nr_nodes);

/* place.c */
int mm_place(void *context, int fd, uint64_t first, uint64_t nr,
	     enum hugetmpfs_numa mode, const struct nodeset *nodes);

/* move.c */
int mm_move(void *context, struct mm_window *window, uint64_t index,
	    const struct mm_extent *extent, int nid,
	    const struct nodeset *home, uint32_t latency_us,
	    struct mm_migrated *migrated);
void mm_move_ahead(void *context, struct mm_window *window,
		   const uint64_t *indexes, uint32_t nr, int nid, bool *there);
int mm_mapper_move(void *context, struct mm_window *window, uint64_t index,
		   const struct mm_mapper *mapper, uint64_t addr, uint16_t nr,
		   int nid, uint32_t latency_us, uint16_t *there);

/* swapin.c */
void mm_willneed(void *context, struct mm_window *window,
		 const uint64_t *indexes, uint32_t nr);
int mm_populate(void *context, struct mm_window *window, uint64_t index);
/* The next run of data in [*start, end) of the file; 0 when there is none. */
int mm_next_data(int fd, uint64_t *start, uint64_t end, uint64_t *run_end);

/* ring.c: an io_uring that can do nothing but madvise. */
int mm_ring_open(struct mm_ring **out);
void mm_ring_close(struct mm_ring *ring);
/* Gives advice on extents at the addresses; waits for all. */
int mm_ring_madvise(struct mm_ring *ring, char *const *addrs, uint32_t nr,
		    int advice);

/* busy.c */
enum mm_busy mm_busy(void *context, struct mm_window *window, uint64_t index);

/* payer.c */
uint64_t mm_owner(void *context, struct mm_window *window, uint64_t index,
		  bool whole);
uint64_t mm_mapper_group(void *context, const struct mm_mapper *mapper);
uint64_t mm_room(void *context, uint64_t group);
int mm_collapse(void *context, struct mm_window *window, uint64_t index,
		uint32_t nr, uint64_t group);

/* mappers.c, view.c */
/*
 * The next process that /proc lists, but for this one and mm_set_second(): 1, 0
 * after the last, or a negative errno.
 */
int mm_next_process(const struct mm *mm, DIR *proc, pid_t *pid);
int mm_mappers_find(void *context, dev_t dev, uint64_t ino,
		    struct mm_mappers *mappers);
void mm_mappers_free(void *context, struct mm_mappers *mappers);
int mm_mapper_view(void *context, const struct mm_mapper *mapper, dev_t dev,
		   uint64_t ino, uint64_t first, uint32_t nr,
		   struct mm_view *views);

/* maps.c: the shared mappings of one file, or all (ino 0), in a process. */
struct mm_vma {
	uint64_t ino;
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
};
/* Called for each; another value than 0 ends the walk and is returned. */
typedef int mm_vma_fn(void *arg, const struct mm_vma *vma);
int mm_for_each_vma(struct mm *mm, pid_t pid, dev_t dev, uint64_t ino,
		    mm_vma_fn *fn, void *arg);
/* The same for the process whose /proc/PID/maps is open, by query or text. */
int mm_for_each_vma_of(int fd, bool query, dev_t dev, uint64_t ino,
		       mm_vma_fn *fn, void *arg);

/* watch.c */
int mm_watch_open(void *context, dev_t dev, struct mm_watch **out);
void mm_watch_close(void *context, struct mm_watch *watch);
int mm_watch_list(void *context, struct mm_watch *watch);
int mm_watch_look(void *context, struct mm_watch *watch, unsigned i,
		  const struct mm_seen *seen);

/* machine.c */
void mm_machine_open(struct mm *mm);
int mm_machine(void *context, struct mm_machine *machine);

/* blocks.c */
/* What a small file says, cut off where there is no room; ends with a NUL. */
int mm_read_text(const char *path, char *text, size_t size);
int mm_pressure(void *context, struct mm_pressure *pressure);
int mm_free_blocks(void *context, uint32_t *blocks, unsigned nr_nodes);
int mm_compact(void *context, int nid);
bool mm_compact_is_there(struct mm *mm);

/* probe.c */
bool mm_denied(void *context);

#endif

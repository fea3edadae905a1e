/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's memory interfaces: the only way in which the daemon looks at
 * and acts on the pages of a file. Behind one function table, so that tests
 * put a model of the kernel in its place.
 *
 * All functions are thread-safe as long as a window is used by one thread at
 * a time. They return 0 (or what is said) or a negative errno. None reads or
 * writes through a mapping: a file that is truncated in the middle of a call
 * gives an error, never SIGBUS. The position of the file descriptors passed
 * in is undefined after (SEEK_DATA moves it).
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <hugetmpfs/types.h>

#include "base/nodeset.h"

/*
 * Interfaces that a kernel may lack, X(CONSTANT, name, what its absence
 * means). Each is probed once, by using it.
 */
#define MM_INTERFACES(X)                                                       \
	X(COLLAPSE, "MADV_COLLAPSE", "nothing can be recovered")               \
	X(PROCESS_COLLAPSE, "process_madvise(MADV_COLLAPSE)",                  \
	  "recovered memory is charged to the daemon and not mapped at once")  \
	X(CACHESTAT, "cachestat",                                              \
	  "pages in the swap cache are shown as in memory, looks are slower")  \
	X(PAGEMAP_SCAN, "PAGEMAP_SCAN",                                        \
	  "looks read kpageflags, which is slower; without both, nothing can " \
	  "be recovered")                                                      \
	X(PROCMAP_QUERY, "PROCMAP_QUERY",                                      \
	  "mappers are searched in the text of /proc/PID/maps, which is "      \
	  "slower")                                                            \
	X(KPAGEFLAGS, "kpageflags",                                            \
	  "a pinned page is reported as busy, reason again")                   \
	X(KPAGECGROUP, "kpagecgroup", "the owner of an extent is not known")   \
	X(IO_URING, "io_uring",                                                \
	  "swapped extents are read one after the other")                      \
	X(POPULATE_READ, "MADV_POPULATE_READ",                                 \
	  "pages are brought in by reading one byte of each, which is slower") \
	X(PAGE_NODES, "move_pages", "NUMA nodes are not known")                \
	X(MEMORY_CGROUPS, "memory_cgroups",                                    \
	  "there are no limits to keep and nobody in particular pays")         \
	X(PRESSURE, "pressure",                                                \
	  "recovery does not pause when memory is short")                      \
	X(BUDDYINFO, "buddyinfo",                                              \
	  "huge pages are asked for without looking for a free one")           \
	X(COMPACT, "compact_memory",                                           \
	  "memory is not compacted before a huge page is asked for")           \
	X(USER_XATTRS, "user_xattrs",                                          \
	  "files have no policy of their own (user.hugetmpfs.recover)")

enum mm_interface_id {
#define X(constant, name, absence) MM_##constant,
	MM_INTERFACES(X)
#undef X
		MM_NR_INTERFACES
};

struct mm_interface {
	const char *name;
	const char *absence;
	bool present;
};

/* Nodes that the pages of an extent are counted for. */
#define MM_EXTENT_NODES 8

struct mm_node_pages {
	int16_t nid;
	uint16_t pages;
};

/* One extent as the kernel showed it. */
struct mm_extent {
	uint16_t pages;	   /* below the end of the file; 512 but for the last */
	uint16_t resident; /* of those, in memory */
	uint16_t swapped;  /* of those, on swap; the rest are holes */
	uint16_t above;	   /* pages above the end, put there by fallocate */
	int16_t nid;	   /* node of most pages in memory, -1 unknown */
	bool huge;	   /* it is one 2 MiB page */
	uint8_t nr_nodes;
	/*
	 * Resident pages by node, the most first. What is on more nodes than
	 * there are places, and what could not be asked for, is in none.
	 */
	struct mm_node_pages nodes[MM_EXTENT_NODES];
};

/* What came of a page that was to go to a node, by the kernel's word. */
enum mm_moved {
	MM_MOVED_THERE,	    /* it is on the node, moved or there before */
	MM_MOVED_HOLE,	    /* nothing is mapped at the address */
	MM_MOVED_SHARED,    /* it may not be moved away from other mappers */
	MM_MOVED_NO_MEMORY, /* there is none on the node */
	MM_MOVED_OFF_LRU,   /* elsewhere: it could not be taken hold of */
	MM_MOVED_BUSY,	    /* elsewhere: it was, and somebody kept it there */
	MM_MOVED_UNKNOWN,   /* not even where it is could be asked */
	MM_NR_MOVED
};

/* Huge extents that may be moved by one call. */
#define MM_AHEAD_EXTENTS 64

/* What came of those of an extent that were elsewhere. */
struct mm_migrated {
	uint16_t pages[MM_NR_MOVED];
};

/* A process that maps a file. pidfd is owned by struct mm_mappers. */
struct mm_mapper {
	pid_t pid;
	int pidfd;
};

struct mm_mappers {
	size_t nr;
	struct mm_mapper *mapper;
	size_t missed; /* processes that could not be looked at */
};

/* How a process has an extent mapped (shared). */
struct mm_view {
	uint64_t addr;	 /* of the extent if it can be mapped huge, else 0 */
	bool misaligned; /* it is mapped, but nowhere so */
	uint16_t small;	 /* pages of it that are mapped by small entries there */
	bool by_pmd;	 /* it is mapped huge there */
};

/* What the page tables of a mapper told of an extent a moment ago. */
enum mm_known {
	MM_KNOWN_NOTHING,
	MM_KNOWN_RESIDENT, /* all of it is in memory */
	MM_KNOWN_HUGE,	   /* it is one 2 MiB page */
};

/* An extent that a process could have mapped huge and uses by small entries. */
struct mm_use {
	uint64_t ino;
	uint64_t index;
	uint32_t pages; /* present by small entries, 1 to 512 */
};

/* A run of extents of which a process has some mapped, shared. */
struct mm_mapped {
	uint64_t ino;
	uint64_t first;
	uint64_t nr;
	pid_t pid;
};

/* What a look tells; another value than 0 ends it. */
struct mm_seen {
	int (*use)(void *arg, const struct mm_use *use);
	/* each mapping; NULL: not wanted */
	int (*mapped)(void *arg, const struct mm_mapped *mapped);
	void *arg;
};

/*
 * All processes but this one, as they were listed last, watched for their
 * mappings of files of one device.
 */
struct mm_watch;

/* What the machine has done with pages since it booted. Only ever rises. */
struct mm_machine {
	uint64_t moved;	     /* pages split, swapped in or out, or migrated */
	uint64_t stalled_us; /* that tasks had to wait for memory */
};

/* How much tasks have to wait for memory (PSI, some). */
struct mm_pressure {
	uint32_t avg10;	   /* of time, average of 10 s, in 1/100 percent */
	uint64_t total_us; /* since the machine booted */
};

/* Why the kernel finds an extent busy. */
enum mm_busy {
	MM_BUSY_UNKNOWN,
	MM_BUSY_TRANSIENT, /* locked, under write-back, off the LRU lists */
	MM_BUSY_PINNED,	   /* nothing of this, so somebody holds references */
};

/*
 * A place in the daemon's address space to map extents at. Reserved at once,
 * backed by nothing; the file is mapped only when a function needs it.
 */
struct mm_window;

struct mm_ops {
	void *context; /* passed to every function */

	bool (*has)(void *context, enum mm_interface_id interface);

	/* Extents are those of the file at which the window points. */
	int (*window_open)(void *context, uint32_t nr, struct mm_window **out);
	void (*window_close)(void *context, struct mm_window *window);

	/*
	 * Points it at extents of a file, at most as many as it was opened
	 * for; fd is borrowed until detach.
	 */
	void (*window_attach)(void *context, struct mm_window *window, int fd,
			      uint64_t first, uint32_t nr);
	void (*window_detach)(void *context, struct mm_window *window);

	/*
	 * Looks at extents of the window: up to nr from first on. Touches at
	 * most one page of an extent, and only if all 512 are in memory; but
	 * where there are several nodes, each page that is in memory. To count
	 * the small pages of an extent takes 15 us, to touch one 5: what is
	 * known of them (NULL: nothing) is not asked for. Returns the number
	 * below the end of the file.
	 */
	int (*look)(void *context, struct mm_window *window, uint64_t first,
		    uint32_t nr, const enum mm_known *known,
		    struct mm_extent *extents, uint64_t *size_bytes);

	/*
	 * Whether extents of the window have data that was written. Costs next
	 * to nothing, and may say no of what was only allocated.
	 */
	bool (*has_data)(void *context, struct mm_window *window,
			 uint64_t first, uint32_t nr);

	/*
	 * Starts to read the swapped pages of the extents with these indexes.
	 * A hint: nothing fails when it fails.
	 */
	void (*willneed)(void *context, struct mm_window *window,
			 const uint64_t *indexes, uint32_t nr);

	/* Brings the data of an extent into memory. Fills no holes. */
	int (*populate)(void *context, struct mm_window *window,
			uint64_t index);

	/*
	 * Makes nr extents huge through this process, at the expense of a
	 * memory cgroup (by inode number), or of this process's own with 0. An
	 * error is that of one of them; the others may be huge.
	 */
	int (*collapse)(void *context, struct mm_window *window, uint64_t index,
			uint32_t nr, uint64_t group);

	/*
	 * The memory cgroup that pays for most of an extent, by inode number,
	 * 0 when that is not known. Maps some pages of it; with whole the
	 * caller knows that there are no holes to keep clear of.
	 */
	uint64_t (*owner)(void *context, struct mm_window *window,
			  uint64_t index, bool whole);

	/* The memory cgroup of a mapper, 0 when that is not known. */
	uint64_t (*mapper_group)(void *context, const struct mm_mapper *mapper);

	/*
	 * Moves the pages in memory of an extent, as a look has shown it, to a
	 * node, but for those that are on a node of home; from all their
	 * mappers where this process may do that; a huge page as one, or in
	 * pieces where the node has none free. No call to
	 * the kernel is for more pages than some that it has time for in
	 * latency_us (0: whatever it takes), but for a huge page. Returns 0
	 * when migrated says what came of them, or a negative errno that is
	 * about the node (-ENODEV: there is none, -EACCES: not in the cpuset)
	 * or this process (-EPERM), or that of a look.
	 */
	int (*migrate)(void *context, struct mm_window *window, uint64_t index,
		       const struct mm_extent *extent, int nid,
		       const struct nodeset *home, uint32_t latency_us,
		       struct mm_migrated *migrated);

	/*
	 * Moves nr (at most MM_AHEAD_EXTENTS) extents that are huge to a node
	 * by one call, whatever that takes. Says of each whether it is there;
	 * migrate tells why one is not.
	 */
	void (*migrate_ahead)(void *context, struct mm_window *window,
			      const uint64_t *indexes, uint32_t nr, int nid,
			      bool *there);

	/* Whether there is more than one node. Costs next to nothing. */
	bool (*nodes_several)(void *context);

	/*
	 * The nodes with memory that a process may have pages on, with pid 0
	 * this thread. -ESRCH when it is gone.
	 */
	int (*nodes_allowed)(void *context, pid_t pid, struct nodeset *nodes);

	/*
	 * How many threads of a process run on each node below nr_nodes, but
	 * for nodes that its pages may not be on. Counts by a sample where it
	 * has many; some 10 us a thread. Returns the number of all of them,
	 * or -ESRCH when it is gone.
	 */
	int (*mapper_nodes)(void *context, pid_t pid, uint32_t *threads,
			    unsigned nr_nodes);

	/* All nodes with memory. */
	void (*nodes_present)(void *context, struct nodeset *nodes);

	/*
	 * From one node to each below nr, as numa_distance(3): larger is
	 * farther, 0 is not known.
	 */
	int (*node_distances)(void *context, int nid, int *distances, int nr);

	/*
	 * Has the kernel put pages of a file's extents there that are made from
	 * now on, by whomever, until the inode is gone: at most those of a TiB
	 * from first on. default and follow take that back. nodes may be NULL
	 * with these, and must have one that is allowed with the others
	 * (-EINVAL).
	 */
	int (*place)(void *context, int fd, uint64_t first, uint64_t nr,
		     enum hugetmpfs_numa mode, const struct nodeset *nodes);

	/*
	 * Bytes that a node can take before other pages have to be swapped
	 * out. -ENODEV where there is no such node.
	 */
	int (*node_room)(void *context, int nid, uint64_t *bytes);

	/* Tells why it was busy. Brings the data of the extent in. */
	enum mm_busy (*busy)(void *context, struct mm_window *window,
			     uint64_t index);

	/* Whether the admin has turned off huge pages of files for good. */
	bool (*denied)(void *context);

	/* Space left on the file system of the file. */
	int (*free_bytes)(void *context, int fd, uint64_t *bytes);

	/*
	 * Bytes that can be brought into memory at the expense of a memory
	 * cgroup (0: not known) before other pages have to be swapped out.
	 */
	uint64_t (*room)(void *context, uint64_t group);

	int (*pressure)(void *context, struct mm_pressure *pressure);

	/* Free blocks that hold a huge page, for each node below nr_nodes. */
	int (*free_blocks)(void *context, uint32_t *blocks, unsigned nr_nodes);

	/* Makes some on a node, -1 for any. Blocks, for seconds at worst. */
	int (*compact)(void *context, int nid);

	/*
	 * All that follow want the mmap lock of other processes. One that is
	 * locked keeps the first thread for as long as that lasts; others
	 * get -ETIMEDOUT (or miss it in the search) after a second at most.
	 */

	/*
	 * Finds the processes, but for this one, that have a file mapped
	 * shared, by device and inode as /proc/PID/maps shows them.
	 */
	int (*mappers_find)(void *context, dev_t dev, uint64_t ino,
			    struct mm_mappers *mappers);
	void (*mappers_free)(void *context, struct mm_mappers *mappers);

	/*
	 * How a mapper has nr extents from first on mapped, by what its maps
	 * say now. -ESRCH when it is gone.
	 */
	int (*mapper_view)(void *context, const struct mm_mapper *mapper,
			   dev_t dev, uint64_t ino, uint64_t first, uint32_t nr,
			   struct mm_view *views);

	/*
	 * Makes the nr extents at addr of a mapper huge, at its expense, and
	 * maps them there; what is huge already is only mapped. An error is
	 * that of one of them; the others may be huge. -ESRCH when the process
	 * is gone.
	 */
	int (*mapper_collapse)(void *context, const struct mm_mapper *mapper,
			       uint64_t addr, uint32_t nr);

	/*
	 * Moves the nr pages at addr of a mapper, which are the first of an
	 * extent of the window, to a node as migrate does, in its eyes: those
	 * that it has not mapped stay. Returns 0 or what is about the process
	 * or the node; so many are there then, at least. If something else is
	 * mapped there by now, that was moved: a look tells the truth.
	 */
	int (*mapper_migrate)(void *context, struct mm_window *window,
			      uint64_t index, const struct mm_mapper *mapper,
			      uint64_t addr, uint16_t nr, int nid,
			      uint32_t latency_us, uint16_t *there);

	/*
	 * -EOPNOTSUPP without PAGEMAP_SCAN. A watch may outlive what context
	 * points at; it is closed when no look at it is under way.
	 */
	int (*watch_open)(void *context, dev_t dev, struct mm_watch **out);
	void (*watch_close)(void *context, struct mm_watch *watch);

	/*
	 * Sees which processes there are. Returns their number. Not beside
	 * looks, but for those that are stuck.
	 */
	int (*watch_list)(void *context, struct mm_watch *watch);

	/*
	 * Looks at the process with a number below that of the list: tells its
	 * mappings and the extents it uses by small entries, by ascending
	 * address. By several threads at a time. Blocks for as long as somebody holds the
	 * mmap lock of the process. Returns the number of its mappings of the
	 * device, -ESRCH when it is gone, -EBUSY when another look at it has
	 * not returned, or another negative errno.
	 */
	int (*watch_look)(void *context, struct mm_watch *watch, unsigned i,
			  const struct mm_seen *seen);

	/* Costs some 20 us. One caller at a time. */
	int (*machine)(void *context, struct mm_machine *machine);
};

/* The real one. */
struct mm;

/*
 * without is a mask of 1 << MM_* that are taken as absent, for tests. Returns 0
 * or a negative errno.
 */
int mm_open(struct mm **out, unsigned without);
void mm_close(struct mm *mm);

/*
 * Probes the kernel's interfaces on a file of its own in memory and starts a
 * short-lived child for the one that needs another process; once, others wait
 * meanwhile. Whoever has to know one before does it as well, but the daemon has
 * more important things to do first. Blocks for some milliseconds. Call it from
 * a thread with the daemon's full credentials. Returns 0 or a negative errno;
 * then nothing is there, until the next one who asks.
 */
int mm_probe(struct mm *mm);

/*
 * Both are valid until mm_close(). The array has MM_NR_INTERFACES entries, as
 * mm_probe() has found them.
 */
const struct mm_ops *mm_real_ops(const struct mm *mm);
const struct mm_interface *mm_interfaces(struct mm *mm);

/*
 * Names another process that shares the memory of this one (CLONE_VM): what it
 * has mapped are this one's windows. To be called before anybody looks for
 * mappers.
 */
void mm_set_second(struct mm *mm, pid_t pid);

/* All nodes with memory, for who has opened nothing. */
void mm_nodes_present(struct nodeset *nodes);

/* Memory cgroups, NULL where there are none; valid until mm_close(). */
struct charge *mm_charge(struct mm *mm);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which file a nodeid is: the daemon's private view of the inode table, with
 * the index by handle and what is known of each inode for this process only.
 */
#ifndef NAMESPACE_INODE_H
#define NAMESPACE_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "namespace/table.h"

struct inodes;

/*
 * What this process knows of one inode. Fields but the chain are under
 * inode_lock().
 */
struct inode {
	uint32_t chain;	   /* next slot of the same bucket; the index's mutex */
	uint32_t removing; /* removals of a name under way */
	int fd;		   /* keeps the inode alive that has no name and no
			      backing id; -1 when there is no need */
	bool maybe_mapped; /* was open for writing: a mapping may still write */
	bool attr_cached;  /* the kernel may have kept the attributes */
	bool was_opened;   /* so somebody may have it mapped */
};

/*
 * Opens the index over a table, reading what the table holds (what was being
 * changed when a daemon died is first brought to its end), and enters the
 * root directory. The table and root_fd are borrowed. Returns 0 or a negative
 * errno.
 */
int inodes_open(struct inodes **out, struct table *table, int root_fd);
void inodes_close(struct inodes *inodes);

/*
 * Locks the memory of the inodes that were there when it was opened; that of
 * others is locked as they come. May be called beside everything else.
 */
void inodes_lock_memory(const struct inodes *inodes);

/*
 * Enters the inode that fd (O_PATH will do) is open on, or finds it, and
 * counts one more lookup by the kernel. Returns 0 or a negative errno.
 */
int inode_intern(struct inodes *inodes, int fd, const struct stat *st,
		 uint64_t *nodeid);

/*
 * Finds the nodeid of the inode that fd is open on, if the kernel knows it; it
 * may be forgotten any moment unless it is known to be in use. 0 when it knows
 * none. Returns 0 or a negative errno.
 */
int inode_known(struct inodes *inodes, int fd, const struct stat *st,
		uint64_t *nodeid);

/*
 * Takes lookups back; the last one forgets the inode. Ends the transaction that
 * the calling thread has begun (journal.h). Returns the backing id that the
 * inode had, which is the caller's to close; 0 when there is none.
 */
uint64_t inode_forget(struct inodes *inodes, uint64_t nodeid, uint64_t nlookup);

/* The inode and its record, or NULL when the nodeid names none. */
struct inode *inode_find(struct inodes *inodes, uint64_t nodeid);
struct table_record *inode_record(struct inodes *inodes, uint64_t nodeid);

/*
 * Opens the inode anew with open(2) flags, whatever its name is now. Returns
 * an fd that is the caller's, or a negative errno, -ESTALE for a bad nodeid,
 * -EINVAL without O_PATH for what is neither file nor directory.
 */
int inode_open(struct inodes *inodes, uint64_t nodeid, int flags);

/*
 * Opens the regular file with this st_ino, if the kernel knows it as an inode
 * or if it is a file that was opened and may still be mapped. Returns an fd
 * that is the caller's, or -ENOENT or another negative errno.
 */
int inode_open_ino(struct inodes *inodes, uint64_t ino, int flags);

/*
 * The st_ino of the regular files that the kernel knows as inodes, one a call,
 * from *cursor = 0 on. Returns 0, or -ENOENT after the last one.
 */
int inodes_next_file(struct inodes *inodes, uint64_t *cursor, uint64_t *ino);

/*
 * To be called after a name of the inode was removed: when that was the last
 * one, the kernel still knows the inode and no backing id holds it, fd is kept,
 * for a handle alone would not keep it alive. Of other than files, no more than
 * descriptors_share() are. Takes fd over in every case.
 */
void inode_unlinked(struct inodes *inodes, int fd);

/* Serialises open, release and attributes of one inode. Never held across a
 * reply. */
void inode_lock(struct inodes *inodes, uint64_t nodeid);
void inode_unlock(struct inodes *inodes, uint64_t nodeid);

/*
 * The nodeids that the kernel knows, one a call, from *cursor = 0 on; for who is
 * alone. Returns 0 after the last one.
 */
uint64_t inodes_next(struct inodes *inodes, uint64_t *cursor);

/* Inodes that the kernel knows, the root included. */
uint64_t inodes_count(struct inodes *inodes);

#endif

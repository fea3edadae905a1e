/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the request handlers share: the server, the way from a nodeid to an
 * open file of the backing, and the replies that more than one of them sends.
 * Each handler sends exactly one reply.
 */
#ifndef FUSE_OPS_H
#define FUSE_OPS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include <fuse_lowlevel.h>

#include "fuse/server.h"
#include "namespace/inode.h"
#include "namespace/journal.h"

/*
 * How long the kernel may keep what it was told. This mount is the only way to
 * the files, so names and attributes hold until the kernel itself changes
 * them; attributes that a mapping may change behind it are not kept at all.
 */
#define SERVER_FOREVER (365.0 * 24 * 60 * 60)

/* Of the open directories, by handle. */
#define SERVER_NR_BUCKETS 256

struct server {
	struct server_config config;
	struct fuse_session *session;
	struct inodes *inodes;
	int error; /* why INIT was refused, 0 when it was not */
	atomic_uint_fast64_t room_until_ms; /* of CLOCK_MONOTONIC */
	pthread_mutex_t calls_mutex;
	pthread_cond_t calls_fewer;
	LIST_HEAD(, recover_call) calls; /* calls_mutex; recoveries under way */
	pthread_mutex_t policies_mutex; /* of what is read, changed, written */
	pthread_mutex_t directories_mutex;
	LIST_HEAD(, directory) directories[SERVER_NR_BUCKETS]; /* that mutex */
	TAILQ_HEAD(, directory) idle_directories; /* that mutex; oldest first */
	unsigned nr_directories;		  /* that mutex */
	unsigned max_directories; /* above that, idle ones are closed */
};

/* Path by which an O_PATH fd is handed to calls that take no such fd. */
struct fd_path {
	char path[32];
};
struct fd_path fd_path(int fd);

static inline struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Puts the caller's uid, gid and umask in force for what will be created. */
void caller_assume(fuse_req_t req);

/*
 * Takes capabilities away that the caller has not got either (creds_drop()),
 * with the caller's groups in force: the next change then takes those set-id
 * bits away that it would take as the caller's own. Undone by creds_restore().
 */
int caller_drop(fuse_req_t req);

/*
 * A removed file keeps its room until the kernel forgets it, which comes a
 * moment after the removal was replied. For that moment, what fails with
 * -ENOSPC is to be tried again: room_may_come() says so, having waited a bit.
 */
void room_freed(struct server *server);
bool room_may_come(struct server *server, int ret);

/* entry.c: what the kernel is told of an inode */

/* attributes of an inode by its nodeid; 0 or a negative errno */
int attr_get(struct server *server, uint64_t nodeid, struct stat *st);

/* how long the kernel may keep them, in seconds */
double attr_timeout(struct server *server, uint64_t nodeid,
		    const struct stat *st);

/*
 * Takes back from the kernel what it has kept of the attributes. To be called
 * when an open for writing has been accounted, before it is replied.
 */
void attr_uncache(struct server *server, uint64_t nodeid);

/*
 * Fills an entry for the inode that fd is open on, all but attr_timeout, and
 * counts a lookup. After success the entry must be replied or be given back
 * with entry_forget().
 */
int entry_fill(struct server *server, int fd, struct fuse_entry_param *entry);
void entry_forget(struct server *server, const struct fuse_entry_param *entry);

/*
 * Whether a dead daemon has made the name that this request is to make: the
 * kernel asks for names that do not exist, and holds the directory meanwhile.
 */
bool name_was_made(int parent_fd, const char *name);

/* Removes a name again that was made, as the kernel cannot be told of it. */
void name_unmake(int parent_fd, const char *name, bool is_dir);

/* An O_PATH fd on what name is, symbolic links not followed; or -errno. */
int entry_open(int parent_fd, const char *name);

/*
 * Whether the inode is one that a dead daemon has removed, and nothing kept:
 * what was known of it last is in its record. Fills st then.
 */
bool attr_of_removed(struct server *server, uint64_t nodeid, struct stat *st);

/* Replies an entry that was filled, all but how long its attributes hold. */
void entry_reply(fuse_req_t req, struct fuse_entry_param *entry);

/* policy.c: attributes with a meaning */

/*
 * Whether the caller may set an attribute of the file that fd is open on, and
 * whether its value makes sense; may remove it. 0 or a negative errno.
 */
int policy_check(fuse_req_t req, int fd, const char *name, const void *value,
		 size_t size);
int policy_check_remove(fuse_req_t req, int fd, const char *name);

/* Whether the caller may say where the pages of a file belong: 0 or -EPERM. */
int policy_check_owner(fuse_req_t req, int fd);

/* An attribute was set or removed. */
void policy_changed(struct server *server, int fd, const char *name);

/* What was just made in a directory takes over what that has. */
void policy_inherit(struct server *server, int parent_fd, int fd);

/* ops_policy.c: the ioctls on policies; in is as large as the command says. */
void op_ioctl_policy(fuse_req_t req, fuse_ino_t ino);
void op_ioctl_numa(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
		   const struct fuse_file_info *fi, const void *in);

/* Takes lookups back, as inode_forget() does, and closes what was held. */
void entry_forget_nodeid(struct server *server, uint64_t nodeid,
			 uint64_t nlookup);

/* passthrough.c: opens of regular files */

/*
 * Accounts one more open of the inode with the given open(2) flags and fills
 * what the kernel needs to know of it, the backing id included. Returns 0 or a
 * negative errno. Undone by file_released() when the kernel asks for it, by
 * file_unopened() when the kernel never got it.
 */
int file_opened(struct server *server, uint64_t nodeid, int flags,
		struct fuse_file_info *fi);
void file_released(struct server *server, uint64_t nodeid, int flags);
void file_unopened(struct server *server, uint64_t nodeid, int flags);

/*
 * Drops what only opens need, unless there are any or the inode has no other
 * hold on life. Under inode_lock().
 */
void file_let_go(struct server *server, uint64_t nodeid);

/*
 * To be called before the last name goes of what fd is open on: it is kept as
 * long as the kernel knows it, which has its nodeid then, and 0 is left there
 * otherwise. Returns 0 or a negative errno. victim_let_go() with the nodeid,
 * after that or when the name has stayed.
 */
int victim_hold(struct server *server, int fd, const struct stat *st,
		uint64_t *nodeid);
void victim_let_go(struct server *server, uint64_t nodeid);

/*
 * Closes a backing id that is in no record any more: backing_id_drop() only
 * that, returning 0 or a negative errno; the other one also tells the journal.
 */
int backing_id_drop(struct server *server, uint64_t id);
void backing_id_close(struct server *server, uint64_t id);

/*
 * Whether the kernel can pass file I/O through to this backing: a negative
 * errno if not. If so a backing id that is higher than all before, not used.
 */
int passthrough_probe(struct server *server);

/*
 * The access mode of the open file that a request came by: kept in the file
 * handle, for some requests bring nothing else.
 */
static inline int file_accmode(const struct fuse_file_info *fi)
{
	return (int) fi->fh;
}

/*
 * server.c: opens a session on the fd of the configuration, which is not
 * served yet. Returns 0 or a negative errno.
 */
int server_open_session(struct server *server);

/*
 * server.c: memory cgroups, NULL where there are none. The first call may take
 * some milliseconds.
 */
struct charge *server_charge(const struct server *server);

/* ops_dir.c: begins with none; closes those that nobody has released. */
void directories_open(struct server *server);
void directories_close(struct server *server);

/*
 * ops_ioctl.c: cancels the recoveries that callers wait for and waits until
 * each has been answered. For the end of the session. Blocks.
 */
void calls_drain(struct server *server);

/*
 * reply.c: the replies of requests that the journal is about, each kept in it
 * before it is sent. They return 0, or -ENOENT when the kernel does not want
 * the reply any more, and end the request.
 */
void reply_err(fuse_req_t req, int error);
int reply_entry(fuse_req_t req, const struct fuse_entry_param *entry);
int reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
		 const struct fuse_file_info *fi);
int reply_open(fuse_req_t req, const struct fuse_file_info *fi);
int reply_attr(fuse_req_t req, const struct stat *st, double timeout);
int reply_buf(fuse_req_t req, const void *data, size_t bytes);

/*
 * Replies of other requests are libfuse's, which tries once and ends the
 * request: REPLY(req, fuse_reply_x(req, ...)) has the client get an error when
 * that did not come through, rather than wait for ever. reply_sent() does it
 * for a request that reply_unique() gave the number of while it was received.
 */
#define REPLY(req, reply)                                                      \
	do {                                                                   \
		struct server *reply_server = server_of(req);                  \
		uint64_t reply_number = reply_unique();                        \
		reply_sent(reply_server, reply_number, reply);                 \
	} while (0)
uint64_t reply_unique(void);
void reply_sent(struct server *server, uint64_t unique, int ret);

/* Sends a reply that was kept, once more. Returns 0 or a negative errno. */
int reply_again(struct server *server, struct journal_slot *slot);

/* loop.c */
int loop_run(struct server *server);

/* Handles the request in the slot of the calling thread. */
void loop_handle(struct server *server, struct journal_slot *slot);

/*
 * Gives a request to libfuse, which refuses it by itself when it is short of
 * memory. False when it did not come to its handler, as far as that calls
 * loop_reached(): those do that must not be refused.
 */
bool loop_process(struct server *server, void *request, size_t bytes);
void loop_reached(void);

/*
 * takeover.c: what has to be done before this daemon serves when another one
 * has served this connection before (table_has_init()): the session is
 * initialised, and what the other one has begun is brought to its end. Returns
 * 0 or a negative errno.
 */
int takeover_run(struct server *server);

/* the handlers, by kind */
void op_init(void *userdata, struct fuse_conn_info *conn);
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_statx(fuse_req_t req, fuse_ino_t ino, int flags, int mask,
	      struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
		struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in,
	      size_t in_size, size_t out_size);

#endif

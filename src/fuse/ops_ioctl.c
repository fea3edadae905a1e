/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctls on open files: the map of a file's extents, their recovery and its
 * cancelling, and the inode flags of chattr(1), which go to the backing file.
 * Those on policies are in ops_policy.c.
 *
 * A recovery takes its time, so it must not keep a serving thread: the reply
 * is sent by whichever thread of the engine finishes it. The caller may be
 * interrupted meanwhile. The call is shared by the thread that submits, the
 * one that finishes and one that brings an interrupt, so it is counted. The
 * session must not end before the last one is gone: calls_drain().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <hugetmpfs/ioctl.h>

#include "fuse/ops.h"
#include "mm/charge.h"
#include "recovery/recovery.h"

struct recover_call {
	LIST_ENTRY(recover_call) entry; /* calls_mutex, as all down to users */
	struct recovery_request *request; /* once it is submitted */
	bool interrupted;
	int users;
	struct server *server;
	fuse_req_t req;
	uint64_t unique;
	struct hugetmpfs_ioc_extents arg;
};

static void call_put(struct recover_call *call)
{
	struct server *server = call->server;
	bool last;

	pthread_mutex_lock(&server->calls_mutex);
	last = --call->users == 0;
	if (last) {
		LIST_REMOVE(call, entry);
		pthread_cond_broadcast(&server->calls_fewer);
	}
	pthread_mutex_unlock(&server->calls_mutex);
	if (last)
		free(call);
}

/* Under calls_mutex. A call that is not submitted yet is cancelled when it is. */
static void call_cancel(struct recover_call *call)
{
	call->interrupted = true;
	if (call->request)
		recovery_cancel(call->server->config.recovery, call->request,
				call);
}

void calls_drain(struct server *server)
{
	struct recover_call *call;

	pthread_mutex_lock(&server->calls_mutex);
	LIST_FOREACH(call, &server->calls, entry)
		call_cancel(call);
	while (!LIST_EMPTY(&server->calls))
		pthread_cond_wait(&server->calls_fewer, &server->calls_mutex);
	pthread_mutex_unlock(&server->calls_mutex);
}

/*
 * What is not filled in is cleared although it is clear: the kernel takes the
 * reply by pages, and a process that is being killed is given none that it has
 * not written to. Then the request would end with EIO.
 */
static int extents_reply(fuse_req_t req, struct hugetmpfs_ioc_extents *arg,
			 uint32_t nr, uint64_t size_bytes)
{
	arg->nr = nr;
	arg->size_bytes = size_bytes;
	memset(&arg->extents[nr], 0,
	       (HUGETMPFS_IOC_EXTENTS - nr) * sizeof(*arg->extents));
	return fuse_reply_ioctl(req, 0, arg, sizeof(*arg));
}

static void recover_done(void *data, const struct recovery_result *result)
{
	struct recover_call *call = data;
	int ret;

	/* waits for an interrupt that is being brought, then none comes */
	fuse_req_interrupt_func(call->req, NULL, NULL);
	if (result->error) {
		ret = fuse_reply_err(call->req, -result->error);
	} else {
		memcpy(call->arg.extents, result->extents,
		       result->nr * sizeof(*result->extents));
		ret = extents_reply(call->req, &call->arg, result->nr,
				    result->size_bytes);
	}
	reply_sent(call->server, call->unique, ret);
	call_put(call);
}

static void recover_interrupted(fuse_req_t req, void *data)
{
	struct recover_call *call = data;

	(void) req;
	pthread_mutex_lock(&call->server->calls_mutex);
	call_cancel(call);
	pthread_mutex_unlock(&call->server->calls_mutex);
}

static void recover_submit(struct recover_call *call,
			   const struct recovery_file *file)
{
	struct recovery_request *request = NULL;
	fuse_req_t req = call->req;
	int ret;

	fuse_req_interrupt_func(req, recover_interrupted, call);
	ret = recovery_submit(call->server->config.recovery, file,
			      call->arg.first, call->arg.nr, call->arg.flags,
			      recover_done, call, &request);
	if (ret) {
		fuse_req_interrupt_func(req, NULL, NULL);
		reply_err(req, -ret);
		call_put(call); /* recover_done() will not come to do it */
	} else {
		pthread_mutex_lock(&call->server->calls_mutex);
		call->request = request;
		if (call->interrupted)
			call_cancel(call);
		pthread_mutex_unlock(&call->server->calls_mutex);
	}
	call_put(call);
}

static void recover(fuse_req_t req, const struct recovery_file *file,
		    const struct hugetmpfs_ioc_extents *arg)
{
	struct server *server = server_of(req);
	struct recover_call *call = malloc(sizeof(*call));

	if (!call) {
		reply_err(req, ENOMEM);
		return;
	}
	call->request = NULL;
	call->interrupted = false;
	call->users = 2;
	call->server = server;
	call->req = req;
	call->unique = reply_unique();
	call->arg = *arg;
	pthread_mutex_lock(&server->calls_mutex);
	LIST_INSERT_HEAD(&server->calls, call, entry);
	pthread_mutex_unlock(&server->calls_mutex);
	recover_submit(call, file);
}

static void map(fuse_req_t req, const struct recovery_file *file,
		struct hugetmpfs_ioc_extents *arg)
{
	uint64_t size_bytes = 0;
	int nr = recovery_map(server_of(req)->config.recovery, file, arg->first,
			      arg->nr, arg->extents, &size_bytes);

	if (nr < 0)
		reply_err(req, -nr);
	else
		REPLY(req, extents_reply(req, arg, (uint32_t) nr, size_bytes));
}

static int check_extents(const struct hugetmpfs_ioc_extents *arg,
			 bool recovers)
{
	uint32_t flags = recovers ? HUGETMPFS_RECOVER_FLAGS : 0;

	if (!arg->nr || arg->nr > HUGETMPFS_IOC_EXTENTS || arg->flags & ~flags)
		return -EINVAL;
	/* the engine knows whether it is one of its own */
	return arg->ticket && !recovers ? -EINVAL : 0;
}

/* The memory cgroup at whose expense a user may have holes filled. */
static uint64_t payer_of(fuse_req_t req)
{
	struct charge *charge = server_charge(server_of(req));
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uint64_t ino = 0;

	if (ctx->uid == 0 || !charge)
		return 0;
	/* somebody unknown has nobody to pay */
	return charge_ino_of(charge, ctx->pid, &ino) ? UINT64_MAX : ino;
}

/* What every ioctl on extents needs of a file: 0 or a negative errno. */
static int check_file(fuse_req_t req, fuse_ino_t ino,
		      const struct fuse_file_info *fi, bool writes,
		      uint64_t *st_ino)
{
	struct table_record *record = inode_record(server_of(req)->inodes, ino);

	if (!record)
		return -ESTALE;
	*st_ino = record->ino;
	return file_accmode(fi) == (writes ? O_RDONLY : O_WRONLY) ? -EBADF : 0;
}

/* MAP and RECOVER: in is a whole struct, the kernel has seen to that. */
static void extents_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
			  const struct fuse_file_info *fi, const void *in)
{
	struct server *server = server_of(req);
	bool recovers = cmd == HUGETMPFS_IOC_RECOVER;
	struct hugetmpfs_ioc_extents arg;
	struct recovery_file file;
	int ret;

	memcpy(&arg, in, sizeof(arg));
	ret = check_extents(&arg, recovers);
	if (!ret)
		ret = check_file(req, ino, fi, recovers, &file.ino);
	file.fd = ret ? ret :
			inode_open(server->inodes, ino,
				   recovers ? O_RDWR : O_RDONLY);
	if (file.fd < 0) {
		reply_err(req, -file.fd);
		return;
	}
	file.payer = payer_of(req);
	if (recovers && !arg.ticket)
		arg.ticket = recovery_ticket(server->config.recovery);
	file.ticket = arg.ticket;
	if (recovers)
		recover(req, &file, &arg);
	else
		map(req, &file, &arg);
	close(file.fd);
}

static void cancel_ioctl(fuse_req_t req, fuse_ino_t ino,
			 const struct fuse_file_info *fi, const void *in)
{
	struct hugetmpfs_ioc_cancel arg;
	uint64_t st_ino;
	int ret = 0;

	memcpy(&arg, in, sizeof(arg));
	if (arg.extents || arg.reserved)
		ret = -EINVAL;
	if (!ret)
		ret = check_file(req, ino, fi, true, &st_ino);
	if (ret) {
		reply_err(req, -ret);
		return;
	}
	arg.extents = recovery_cancel_asked(server_of(req)->config.recovery,
					    st_ino);
	REPLY(req, fuse_reply_ioctl(req, 0, &arg, sizeof(arg)));
}

/* lsattr(1) and chattr(1): the kernel has checked what the caller may change. */
static void flags_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
			const void *in, size_t in_size, size_t out_size)
{
	union {
		int flags;
		struct fsxattr fsxattr;
	} value = { 0 };
	int fd = inode_open(server_of(req)->inodes, ino, O_RDONLY | O_NONBLOCK);

	if (fd < 0) {
		reply_err(req, -fd);
		return;
	}
	if (in_size > sizeof(value) || out_size > sizeof(value)) {
		reply_err(req, EINVAL);
		goto out_close;
	}
	if (in_size)
		memcpy(&value, in, in_size);
	if (ioctl(fd, cmd, &value))
		reply_err(req, errno);
	else
		REPLY(req, fuse_reply_ioctl(req, 0, &value, out_size));
out_close:
	close(fd);
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in,
	      size_t in_size, size_t out_size)
{
	(void) arg;
	switch (cmd) {
	case HUGETMPFS_IOC_MAP:
	case HUGETMPFS_IOC_RECOVER:
		if (flags & FUSE_IOCTL_DIR)
			reply_err(req, ENOTTY);
		else if (in_size != sizeof(struct hugetmpfs_ioc_extents))
			reply_err(req, EINVAL);
		else
			extents_ioctl(req, ino, cmd, fi, in);
		break;
	case HUGETMPFS_IOC_CANCEL:
		if (flags & FUSE_IOCTL_DIR)
			reply_err(req, ENOTTY);
		else if (in_size != sizeof(struct hugetmpfs_ioc_cancel))
			reply_err(req, EINVAL);
		else
			cancel_ioctl(req, ino, fi, in);
		break;
	case HUGETMPFS_IOC_POLICY:
		if (out_size != sizeof(struct hugetmpfs_policy))
			reply_err(req, EINVAL);
		else
			op_ioctl_policy(req, ino);
		break;
	case HUGETMPFS_IOC_NUMA_GET:
	case HUGETMPFS_IOC_NUMA_SET:
		if (in_size != sizeof(struct hugetmpfs_ioc_numa))
			reply_err(req, EINVAL);
		else
			op_ioctl_numa(req, ino, cmd, fi, in);
		break;
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		flags_ioctl(req, ino, cmd, in, in_size, out_size);
		break;
	default:
		reply_err(req, ENOTTY);
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replies that must be sent once, whatever happens to this process: each is put
 * together in the journal's slot of the thread, in the format of the kernel's
 * protocol, and sent from there. libfuse would send its own and show nobody
 * what it was.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/ops.h"

/* ABI of Linux 6.9 (linux/fuse.h); the headers of the build may be older. */
#define OPEN_KEEP_CACHE	 (1U << 1)
#define OPEN_CACHE_DIR	 (1U << 3)
#define OPEN_NOFLUSH	 (1U << 5)
#define OPEN_PASSTHROUGH (1U << 7)
struct open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

#define RETRY_US 1000

struct part {
	const void *data;
	size_t bytes;
};

/* The kernel can do with the reply, but not now. */
static bool is_to_be_tried_again(int error)
{
	return error == EINTR || error == EAGAIN || error == ENOMEM;
}

/*
 * Nobody but this reply wakes up the client that waits for it, so what is short
 * now is waited for. A reply that the kernel has taken in parts only ends the
 * request with EIO there, and the next try says that it knows no such request.
 */
static int send_whole(struct server *server, const void *reply, size_t bytes)
{
	while (write(server->config.fuse_fd, reply, bytes) < 0) {
		if (!is_to_be_tried_again(errno))
			return -errno;
		usleep(RETRY_US);
	}
	return 0;
}

int reply_again(struct server *server, struct journal_slot *slot)
{
	size_t bytes = atomic_load(&slot->reply_bytes);

	if (bytes > sizeof(slot->reply))
		return -EUCLEAN;
	return send_whole(server, slot->reply, bytes);
}

uint64_t reply_unique(void)
{
	const struct fuse_in_header *request =
		(const void *) journal_slot()->request;

	return request->unique;
}

void reply_sent(struct server *server, uint64_t unique, int ret)
{
	const struct fuse_out_header header = {
		.len = sizeof(header),
		.error = ret,
		.unique = unique,
	};

	if (is_to_be_tried_again(-ret))
		send_whole(server, &header, sizeof(header));
}

static int send_parts(fuse_req_t req, int error, const struct part *parts,
		      size_t nr)
{
	struct journal_slot *slot = journal_slot();
	const struct fuse_in_header *request = (const void *) slot->request;
	struct fuse_out_header header = {
		.len = sizeof(header),
		.error = -error,
		.unique = request->unique,
	};
	int ret;

	for (size_t i = 0; i < nr; i++) {
		memcpy(slot->reply + header.len, parts[i].data, parts[i].bytes);
		header.len += (uint32_t) parts[i].bytes;
	}
	memcpy(slot->reply, &header, sizeof(header));
	atomic_store(&slot->reply_bytes, header.len);
	atomic_store(&slot->state, JOURNAL_REPLYING);
	ret = reply_again(server_of(req), slot);
	/* what the kernel does not want is taken back by the caller */
	atomic_store(&slot->state, ret == -ENOENT ? JOURNAL_RECEIVED
						  : JOURNAL_REPLIED);
	if (ret && ret != -ENOENT)
		log_error("cannot reply: %s", strerror(-ret));
	log_debug(FUSE, "replied %d to request %llu", error,
		  (unsigned long long) header.unique);
	fuse_reply_none(req); /* frees it, and sends nothing */
	return ret;
}

/* In seconds and nanoseconds. */
static void split(double timeout, uint64_t *seconds, uint32_t *nanoseconds)
{
	*seconds = (uint64_t) timeout;
	*nanoseconds = (uint32_t) ((timeout - (double) *seconds) * 1e9);
}

static void fill_attr(struct fuse_attr *attr, const struct stat *st)
{
	*attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t) st->st_size,
		.blocks = (uint64_t) st->st_blocks,
		.atime = (uint64_t) st->st_atim.tv_sec,
		.mtime = (uint64_t) st->st_mtim.tv_sec,
		.ctime = (uint64_t) st->st_ctim.tv_sec,
		.atimensec = (uint32_t) st->st_atim.tv_nsec,
		.mtimensec = (uint32_t) st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t) st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t) st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t) st->st_rdev,
		.blksize = (uint32_t) st->st_blksize,
	};
}

static void fill_entry(struct fuse_entry_out *out,
		       const struct fuse_entry_param *entry)
{
	*out = (struct fuse_entry_out){
		.nodeid = entry->ino,
		.generation = entry->generation,
	};
	split(entry->entry_timeout, &out->entry_valid, &out->entry_valid_nsec);
	split(entry->attr_timeout, &out->attr_valid, &out->attr_valid_nsec);
	fill_attr(&out->attr, &entry->attr);
}

static void fill_open(struct open_out *out, const struct fuse_file_info *fi)
{
	*out = (struct open_out){ .fh = fi->fh };
	if (fi->backing_id > 0) {
		out->backing_id = fi->backing_id;
		out->open_flags |= OPEN_PASSTHROUGH;
	}
	if (fi->keep_cache)
		out->open_flags |= OPEN_KEEP_CACHE;
	if (fi->cache_readdir)
		out->open_flags |= OPEN_CACHE_DIR;
	if (fi->noflush)
		out->open_flags |= OPEN_NOFLUSH;
}

void reply_err(fuse_req_t req, int error)
{
	send_parts(req, error, NULL, 0);
}

int reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	struct fuse_entry_out out;
	const struct part part = { &out, sizeof(out) };

	fill_entry(&out, entry);
	return send_parts(req, 0, &part, 1);
}

int reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
		 const struct fuse_file_info *fi)
{
	struct fuse_entry_out entry_out;
	struct open_out open_out;
	const struct part parts[] = {
		{ &entry_out, sizeof(entry_out) },
		{ &open_out, sizeof(open_out) },
	};

	fill_entry(&entry_out, entry);
	fill_open(&open_out, fi);
	return send_parts(req, 0, parts, 2);
}

int reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	struct open_out out;
	const struct part part = { &out, sizeof(out) };

	fill_open(&out, fi);
	return send_parts(req, 0, &part, 1);
}

int reply_attr(fuse_req_t req, const struct stat *st, double timeout)
{
	struct fuse_attr_out out = { 0 };
	const struct part part = { &out, sizeof(out) };

	split(timeout, &out.attr_valid, &out.attr_valid_nsec);
	fill_attr(&out.attr, st);
	return send_parts(req, 0, &part, 1);
}

int reply_buf(fuse_req_t req, const void *data, size_t bytes)
{
	const struct part part = { data, bytes };

	return send_parts(req, 0, &part, 1);
}

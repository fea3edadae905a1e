/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking over the connection of a daemon that has died.
 *
 * The kernel does not notice: while the keeper holds /dev/fuse, requests wait.
 * It has sent its first request, which says what it can do, and will not send
 * it again, so that is replayed from the table (FACTS K2). What the dead daemon
 * was working on lies in the journal's slots; it is brought to its end before
 * anything new is received (journal.h). What it had received without leaving a
 * trace, and the recoveries that callers wait for, the kernel is asked to send
 * again (K3). In this order: a request that is sent again may be given up by a
 * client that is killed, and then nobody would know whether it has happened.
 *
 * Backing ids outlive their daemon as well (K6). Those that it was registering
 * or dropping stand in no record, and are closed.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/ops.h"

#define NOTIFY_RESEND 7 /* ABI of Linux 6.9 */

static int replay_init(struct server *server)
{
	unsigned char request[TABLE_INIT_BYTES];
	size_t bytes = table_load_init(server->config.table, request);

	if (!loop_process(server, request, bytes))
		return -ENOMEM;
	return server->error;
}

/*
 * Whether a request is brought to its end here. The others change nothing and
 * count nothing; they come again.
 */
static bool is_journaled(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_SETATTR:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_LINK:
	case FUSE_OPEN:
	case FUSE_RELEASE:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
	case FUSE_FALLOCATE:
	case FUSE_READDIRPLUS:
		return true;
	default:
		return false;
	}
}

/* What a request has changed in the tables that nobody was told of. */
static void take_back(struct server *server, struct journal_slot *slot)
{
	uint64_t nr, opened = atomic_load(&slot->opened);

	if (opened)
		file_unopened(server, opened,
			      (int) atomic_load(&slot->opened_flags));
	while ((nr = atomic_load(&slot->nr_counts))) {
		uint64_t nodeid = atomic_load(&slot->counts[nr - 1]);

		journal_set(&slot->nr_counts, nr - 1);
		entry_forget_nodeid(server, nodeid, 1);
	}
}

static void bring_to_end(struct server *server, struct journal_slot *slot)
{
	struct fuse_in_header header;

	memcpy(&header, slot->request, sizeof(header));
	switch (atomic_load(&slot->state)) {
	case JOURNAL_RECEIVED:
		if (!header.len)
			return;
		log_debug(FUSE, "resuming request %llu, opcode %u",
			  (unsigned long long) header.unique, header.opcode);
		if (is_journaled(header.opcode)) {
			take_back(server, slot);
			loop_handle(server, slot);
		}
		break;
	case JOURNAL_REPLYING:
		reply_again(server, slot);
		break;
	default:
		break;
	}
	journal_clear(slot);
}

/* Closes what the slots are about to close. */
static void close_closing(struct server *server, struct journal_slot *slots,
			  size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t id = atomic_load(&slots[i].closing);

		if (id)
			backing_id_drop(server, id);
		atomic_store(&slots[i].closing, 0);
	}
}

/* The lowest id that one of them may have been given; top when there is none. */
static uint64_t lowest_leaked(struct journal_slot *slots, size_t nr,
			      uint64_t top)
{
	uint64_t lowest = top;

	for (size_t i = 0; i < nr; i++) {
		uint64_t from = atomic_load(&slots[i].registering);

		if (from && from < lowest)
			lowest = from;
	}
	return lowest;
}

/* Closes the ids from lowest up to below top that no record has. */
static int close_leaked(struct server *server, uint64_t lowest, uint64_t top)
{
	bool *known = calloc(top - lowest, sizeof(*known));
	uint64_t cursor = 0, nodeid;

	if (!known)
		return -ENOMEM;
	while ((nodeid = inodes_next(server->inodes, &cursor))) {
		uint64_t id = atomic_load(
			&inode_record(server->inodes, nodeid)->backing_id);

		if (id >= lowest && id < top)
			known[id - lowest] = true;
	}
	for (uint64_t id = lowest; id < top; id++)
		if (!known[id - lowest])
			backing_id_drop(server, id);
	free(known);
	return 0;
}

static int close_ids(struct server *server, struct journal_slot *slots,
		     size_t nr)
{
	int top = passthrough_probe(server);
	uint64_t lowest;
	int ret = 0;

	if (top < 0)
		return top;
	close_closing(server, slots, nr);
	lowest = lowest_leaked(slots, nr, (uint64_t) top);
	if (lowest < (uint64_t) top)
		ret = close_leaked(server, lowest, (uint64_t) top);
	for (size_t i = 0; !ret && i < nr; i++)
		atomic_store(&slots[i].registering, 0);
	return ret;
}

/* Of inodes that are not open: pins stay, what an open has left does not. */
static void drop_unused_ids(struct server *server)
{
	uint64_t cursor = 0, nodeid;

	while ((nodeid = inodes_next(server->inodes, &cursor))) {
		struct table_record *record =
			inode_record(server->inodes, nodeid);

		if (!atomic_load(&record->backing_id) ||
		    atomic_load(&record->nopen))
			continue;
		inode_lock(server->inodes, nodeid);
		file_let_go(server, nodeid);
		inode_unlock(server->inodes, nodeid);
	}
}

static int ask_again(struct server *server)
{
	const struct fuse_out_header resend = {
		.len = sizeof(resend),
		.error = NOTIFY_RESEND,
	};

	if (write(server->config.fuse_fd, &resend, sizeof(resend)) < 0)
		return -errno;
	return 0;
}

int takeover_run(struct server *server)
{
	struct journal_slot *slots = table_journal(server->config.table);
	size_t nr = table_nr_journal(server->config.table);
	int ret = replay_init(server);

	if (!ret)
		ret = close_ids(server, slots, nr);
	if (ret)
		return ret;
	for (size_t i = 0; i < nr; i++) {
		journal_use(&slots[i], true);
		bring_to_end(server, &slots[i]);
	}
	journal_use(&slots[0], false);
	drop_unused_ids(server);
	journal_use(NULL, false);
	return ask_again(server);
}

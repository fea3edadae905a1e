/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables that were damaged: those of a daemon with three inodes, and then words
 * of it written over, 16 bytes of the input for each. They are refused, or
 * whatever is asked of them has an answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "namespace/inode.h"
#include "namespace/journal.h"

#define PAGE 4096
#define JOURNAL_AT (2 * PAGE)
#define RECORDS_AT (JOURNAL_AT + JOURNAL_NR_SLOTS * sizeof(struct journal_slot))

static int root_fd = -1, file_fd, other_fd;

static void open_files(void)
{
	if (root_fd >= 0)
		return;
	root_fd = memfd_create("root", MFD_CLOEXEC);
	file_fd = memfd_create("file", MFD_CLOEXEC);
	other_fd = memfd_create("other", MFD_CLOEXEC);
	fuzz_must(root_fd >= 0 && file_fd >= 0 && other_fd >= 0);
}

static uint64_t intern(struct inodes *inodes, int fd)
{
	uint64_t nodeid = 0;
	struct stat st;

	fuzz_must(!fstat(fd, &st) &&
		  !inode_intern(inodes, fd, &st, &nodeid));
	return nodeid;
}

/* The tables of a daemon that was working on something when it died. */
static int make_table(void)
{
	struct table *table = NULL;
	struct inodes *inodes;
	int memfd = table_create();

	fuzz_must(memfd >= 0 && !table_open(&table, memfd));
	fuzz_must(!inodes_open(&inodes, table, root_fd));
	journal_use(table_journal(table), false);
	intern(inodes, file_fd);
	journal_use(NULL, false);
	intern(inodes, other_fd);
	inodes_close(inodes);
	table_close(table);
	return memfd;
}

struct patch {
	uint8_t region;
	uint8_t slot;
	uint16_t word;
	uint32_t length; /* of the file, in pages */
	uint64_t value;
};

static void damage(int memfd, const struct patch *patch)
{
	uint64_t at = 0, slot = patch->slot % JOURNAL_NR_SLOTS;

	switch (patch->region % 5) {
	case 0:
		at = patch->word % (PAGE / 8) * 8;
		break;
	case 1:
		at = JOURNAL_AT + slot * sizeof(struct journal_slot) +
		     patch->word % 32 * 8;
		break;
	case 2:
		at = JOURNAL_AT + slot * sizeof(struct journal_slot) +
		     offsetof(struct journal_slot, request) +
		     patch->word % 32 * 8;
		break;
	case 3:
		at = RECORDS_AT + patch->word % (8 * 16) * 8;
		break;
	case 4:
		fuzz_must(!ftruncate(memfd, (off_t) (patch->length % 65536) *
						    PAGE));
		return;
	}
	fuzz_must(pwrite(memfd, &patch->value, 8, (off_t) at) == 8);
}

static void use(struct table *table, struct inodes *inodes)
{
	struct journal_slot *slots = table_journal(table);
	unsigned char request[TABLE_INIT_BYTES];
	uint64_t cursor = 0, nodeid, ino, backing_id = 0;

	fuzz_must(table_load_init(table, request) <= sizeof(request));
	fuzz_must(table_has_init(table) == !!table_load_init(table, request));
	intern(inodes, file_fd);
	while ((nodeid = inodes_next(inodes, &cursor))) {
		int fd = inode_open(inodes, nodeid, O_PATH);

		if (fd >= 0)
			close(fd);
		fuzz_must(inode_find(inodes, nodeid) != NULL);
		inode_lock(inodes, nodeid);
		inode_unlock(inodes, nodeid);
		journal_use(&slots[nodeid % JOURNAL_NR_SLOTS], true);
		journal_uncount(nodeid);
		backing_id |= inode_forget(inodes, nodeid, UINT64_MAX);
		journal_clear(&slots[nodeid % JOURNAL_NR_SLOTS]);
	}
	journal_use(NULL, false);
	fuzz_must(backing_id <= INT32_MAX);
	fuzz_must(inodes_count(inodes) == 1);
	cursor = 0;
	fuzz_must(inodes_next_file(inodes, &cursor, &ino) == -ENOENT ||
		  cursor == TABLE_ROOT_SLOT + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inodes *inodes;
	struct table *table;
	int memfd, ret;

	open_files();
	memfd = make_table();
	for (; size >= sizeof(struct patch); size -= sizeof(struct patch)) {
		struct patch patch;

		memcpy(&patch, data, sizeof(patch));
		damage(memfd, &patch);
		data += sizeof(patch);
	}
	ret = table_open(&table, memfd);
	if (!ret) {
		ret = inodes_open(&inodes, table, root_fd);
		if (!ret) {
			use(table, inodes);
			inodes_close(inodes);
		}
		table_close(table);
	}
	fuzz_must(!ret || ret == -EUCLEAN || ret == -EPROTONOSUPPORT);
	close(memfd);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal. The order of the stores is all that matters: who dies has done
 * those before, in the order of the program, and none after. So they are
 * atomic, to keep the compiler from changing that.
 */
#include "namespace/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memlock.h"

/* What all replies but listings and data have room in. */
#define REPLY_BYTES 8192

static __thread struct {
	struct journal_slot *slot;
	bool resumed;
	unsigned nr; /* changes added to the transaction */
} mine;

void journal_use(struct journal_slot *slot, bool resumed)
{
	mine.slot = slot;
	mine.resumed = resumed;
	mine.nr = 0;
}

struct journal_slot *journal_slot(void)
{
	return mine.slot;
}

bool journal_is_resumed(void)
{
	return mine.resumed;
}

void journal_prepare(struct journal_slot *slot)
{
	const size_t bytes = offsetof(struct journal_slot, reply) + REPLY_BYTES;

	/* without the right to lock, or with a sanitizer, which does not */
	madvise(slot, bytes, MADV_POPULATE_WRITE);
	memlock_range(slot, bytes);
}

void journal_set(_Atomic uint64_t *word, uint64_t value)
{
	struct journal_slot *slot = mine.slot;

	if (!slot) {
		atomic_store(word, value);
		return;
	}
	slot->changes[mine.nr].at = (char *) word - (char *) slot;
	slot->changes[mine.nr].value = value;
	mine.nr++;
}

static void carry_out(struct journal_slot *slot, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		_Atomic uint64_t *word =
			(_Atomic uint64_t *) ((char *) slot +
					      slot->changes[i].at);

		atomic_store(word, slot->changes[i].value);
	}
	atomic_store(&slot->nr_changes, 0);
	/* the next transaction is written down by ordinary stores: after this */
	atomic_signal_fence(memory_order_seq_cst);
}

void journal_commit(void)
{
	struct journal_slot *slot = mine.slot;

	if (!slot || !mine.nr)
		return;
	atomic_store(&slot->nr_changes, mine.nr);
	carry_out(slot, mine.nr);
	mine.nr = 0;
}

static bool change_is_inside(const struct journal_slot *slot, unsigned change,
			     size_t before, size_t bytes)
{
	int64_t at = slot->changes[change].at;

	return at % (int64_t) sizeof(uint64_t) == 0 &&
	       at >= -(int64_t) before &&
	       at <= (int64_t) (bytes - before - sizeof(uint64_t));
}

/* The slot begins so many bytes after the first one. */
static bool slot_is_sound(struct journal_slot *slot, size_t before,
			  size_t bytes)
{
	uint64_t nr = atomic_load(&slot->nr_changes);
	uint32_t length;

	memcpy(&length, slot->request, sizeof(length));
	if (atomic_load(&slot->state) > JOURNAL_REPLIED ||
	    nr > JOURNAL_NR_CHANGES || length > JOURNAL_BYTES ||
	    atomic_load(&slot->reply_bytes) > JOURNAL_BYTES ||
	    atomic_load(&slot->nr_counts) > JOURNAL_NR_COUNTS)
		return false;
	for (unsigned i = 0; i < nr; i++)
		if (!change_is_inside(slot, i, before, bytes))
			return false;
	return true;
}

int journal_check(struct journal_slot *slots, size_t nr, size_t bytes)
{
	for (size_t i = 0; i < nr; i++)
		if (!slot_is_sound(&slots[i], i * sizeof(*slots), bytes))
			return -EUCLEAN;
	return 0;
}

void journal_redo(struct journal_slot *slots, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t changes = atomic_load(&slots[i].nr_changes);

		if (changes && changes <= JOURNAL_NR_CHANGES)
			carry_out(&slots[i], changes);
	}
}

void journal_set_done(uint64_t steps)
{
	if (mine.slot)
		journal_set(&mine.slot->done, steps);
}

void journal_set_before(uint64_t value)
{
	if (mine.slot)
		journal_set(&mine.slot->before, value);
}

void journal_set_opened(uint64_t nodeid, int flags)
{
	if (!mine.slot)
		return;
	journal_set(&mine.slot->opened, nodeid);
	journal_set(&mine.slot->opened_flags, (uint64_t) flags);
}

void journal_set_closing(uint64_t backing_id)
{
	if (mine.slot)
		journal_set(&mine.slot->closing, backing_id);
}

void journal_set_registering(uint64_t value)
{
	if (mine.slot)
		journal_set(&mine.slot->registering, value);
}

bool journal_has_room(void)
{
	return !mine.slot ||
	       atomic_load(&mine.slot->nr_counts) < JOURNAL_NR_COUNTS;
}

void journal_count(uint64_t nodeid)
{
	struct journal_slot *slot = mine.slot;
	uint64_t nr;

	if (!slot)
		return;
	nr = atomic_load(&slot->nr_counts);
	journal_set(&slot->counts[nr], nodeid);
	journal_set(&slot->nr_counts, nr + 1);
}

void journal_uncount(uint64_t nodeid)
{
	struct journal_slot *slot = mine.slot;
	uint64_t nr = slot ? atomic_load(&slot->nr_counts) : 0;

	for (uint64_t i = nr; i-- > 0;) {
		if (atomic_load(&slot->counts[i]) != nodeid)
			continue;
		journal_set(&slot->counts[i],
			    atomic_load(&slot->counts[nr - 1]));
		journal_set(&slot->nr_counts, nr - 1);
		return;
	}
}

uint64_t journal_last_count(void)
{
	uint64_t nr = mine.slot ? atomic_load(&mine.slot->nr_counts) : 0;

	return nr ? atomic_load(&mine.slot->counts[nr - 1]) : 0;
}

uint64_t journal_done(void)
{
	return mine.slot ? atomic_load(&mine.slot->done) : 0;
}

uint64_t journal_before(void)
{
	return mine.slot ? atomic_load(&mine.slot->before) : 0;
}

void journal_clear(struct journal_slot *slot)
{
	/* first that nothing is left to do, last that it is empty */
	atomic_store(&slot->state, JOURNAL_REPLIED);
	atomic_store(&slot->done, 0);
	atomic_store(&slot->before, 0);
	atomic_store(&slot->opened, 0);
	atomic_store(&slot->nr_counts, 0);
	atomic_signal_fence(memory_order_seq_cst);
	/* the length of a request comes first in it */
	memset(slot->request, 0, sizeof(uint64_t));
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store(&slot->state, JOURNAL_RECEIVED);
}

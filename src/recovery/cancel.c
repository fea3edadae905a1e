/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cancelling what was asked for, by somebody else than who asked.
 *
 * Who recovers a large file asks for it piece by piece, and a cancel that
 * comes between two pieces would find nothing. So cancels are numbered, and a
 * request says by its ticket since when it is under way: if there was a cancel
 * after that, it is one of those that were meant. Of single files only the
 * last few are remembered; a request takes less time than so many cancels.
 */
#include "recovery/internal.h"

uint64_t recovery_ticket(struct recovery *recovery)
{
	uint64_t ticket;

	pthread_mutex_lock(&recovery->lock);
	ticket = recovery->cancels.last;
	pthread_mutex_unlock(&recovery->lock);
	return ticket;
}

bool recovery_ticket_is_valid_locked(const struct recovery *recovery,
				     uint64_t ticket)
{
	return !ticket || (ticket >= RECOVERY_FIRST_TICKET &&
			   ticket <= recovery->cancels.last);
}

bool recovery_is_called_off_locked(const struct recovery *recovery,
				   uint64_t ino, uint64_t ticket)
{
	const struct recovery_cancels *cancels = &recovery->cancels;

	if (!ticket)
		return false;
	if (cancels->all > ticket)
		return true;
	for (unsigned i = 0; i < RECOVERY_CANCEL_FILES; i++) {
		if (cancels->files[i].ino == ino &&
		    cancels->files[i].at > ticket)
			return true;
	}
	return false;
}

static void recovery_cancels_add(struct recovery_cancels *cancels, uint64_t ino)
{
	unsigned i = 0;

	cancels->last++;
	if (!ino) {
		cancels->all = cancels->last;
		return;
	}
	while (i < RECOVERY_CANCEL_FILES && cancels->files[i].ino != ino)
		i++;
	if (i == RECOVERY_CANCEL_FILES)
		i = cancels->next++ % RECOVERY_CANCEL_FILES;
	cancels->files[i].ino = ino;
	cancels->files[i].at = cancels->last;
}

uint64_t recovery_cancel_asked(struct recovery *recovery, uint64_t ino)
{
	struct recovery_request *request, *next;
	uint64_t extents = 0;

	pthread_mutex_lock(&recovery->lock);
	recovery_cancels_add(&recovery->cancels, ino);
	for (request = recovery->requests; request; request = next) {
		next = request->next; /* the request leaves the list */
		if (request->background ||
		    request->flags & HUGETMPFS_RECOVER_DRY_RUN ||
		    (ino && request->target->ino != ino))
			continue;
		if (request->preparing) {
			extents += request->nr;
			request->called_off = true;
		} else {
			extents += recovery_request_cancel_locked(recovery,
								  request, 0);
		}
	}
	pthread_mutex_unlock(&recovery->lock);
	return extents;
}

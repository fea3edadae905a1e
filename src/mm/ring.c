/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An io_uring for advice on many ranges at once. It is restricted before it
 * is enabled: all it can ever do is madvise.
 */
#include "mm/internal.h"

#include <liburing.h>
#include <stdlib.h>

#define MM_RING_ENTRIES 64

struct mm_ring {
	struct io_uring ring;
};

/* Debian 12's liburing declares functions for both, and does not export them.
 */
static int mm_ring_register(struct io_uring *ring, unsigned opcode, void *arg,
			    unsigned nr)
{
	return mm_sys_result(
		syscall(SYS_io_uring_register, ring->ring_fd, opcode, arg, nr));
}

static int mm_ring_restrict(struct io_uring *ring)
{
	struct io_uring_restriction only = {
		.opcode = IORING_RESTRICTION_SQE_OP,
		.sqe_op = IORING_OP_MADVISE,
	};
	int ret;

	ret = mm_ring_register(ring, IORING_REGISTER_RESTRICTIONS, &only, 1);
	if (ret)
		return ret;
	return mm_ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int mm_ring_open(struct mm_ring **out)
{
	struct mm_ring *ring = calloc(1, sizeof(*ring));
	int ret;

	if (!ring)
		return -ENOMEM;
	ret = io_uring_queue_init(MM_RING_ENTRIES, &ring->ring,
				  IORING_SETUP_R_DISABLED);
	if (ret)
		goto err_ring_free;
	ret = mm_ring_restrict(&ring->ring);
	if (ret)
		goto err_queue_exit;
	*out = ring;
	return 0;

err_queue_exit:
	io_uring_queue_exit(&ring->ring);
err_ring_free:
	free(ring);
	return ret;
}

void mm_ring_close(struct mm_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->ring);
	free(ring);
}

/* Takes in nr results. Returns 0 or the first error among them. */
static int mm_ring_reap(struct mm_ring *ring, uint32_t nr)
{
	struct io_uring_cqe *cqe;
	int ret, first = 0;

	while (nr > 0) {
		ret = io_uring_wait_cqe(&ring->ring, &cqe);
		if (ret == -EINTR)
			continue;
		if (ret)
			return ret;
		if (cqe->res < 0 && !first)
			first = cqe->res;
		io_uring_cqe_seen(&ring->ring, cqe);
		nr--;
	}
	return first;
}

int mm_ring_madvise(struct mm_ring *ring, char *const *addrs, uint32_t nr,
		    int advice)
{
	struct io_uring_sqe *sqe;
	uint32_t i;
	int ret;

	if (nr > MM_RING_ENTRIES)
		return -E2BIG;
	for (i = 0; i < nr; i++) {
		sqe = io_uring_get_sqe(&ring->ring);
		if (!sqe)
			break;
		io_uring_prep_madvise(sqe, addrs[i], HUGETMPFS_EXTENT_BYTES,
				      advice);
	}
	ret = io_uring_submit(&ring->ring);
	if (ret < 0)
		return ret;
	if ((uint32_t) ret < nr) {
		mm_ring_reap(ring, (uint32_t) ret);
		return -EAGAIN;
	}
	return mm_ring_reap(ring, nr);
}

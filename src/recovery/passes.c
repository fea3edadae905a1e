/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of the passes, and why.
 *
 *   swapin    first, because the kernel reads a page at a time when it
 *             collapses: asked for beforehand, many extents are read at once.
 *             It also tells a page that cannot be read from all other
 *             troubles. After it all data of the extent is in memory.
 *   collapse  makes one huge page of it, at the expense of a mapper if there
 *             is one, and fills the holes. The kernel does it in one act that
 *             keeps the data whole or changes nothing.
 *   remap     last: the collapse has removed the small entries of all
 *             mappers and mapped the huge page in one. The others that used
 *             the extent get it here, which spares each a page fault.
 *
 * A migration between nodes will come between the first two: the huge page
 * is made where most of the pages are (FACTS H9).
 *
 * A pass goes over all works of the batch that are at its step, in rounds:
 * what was busy is tried again after a pause, together, so that one stuck
 * extent does not keep its neighbours waiting. What a pass was told by the
 * kernel is never believed: it looks again, and that decides. The file may
 * change under each of its steps; then the look says so, and the work ends
 * quietly.
 */
#include "recovery/internal.h"

const struct recovery_pass *const recovery_passes[] = {
	&recovery_pass_swapin,
	&recovery_pass_collapse,
	&recovery_pass_remap,
	NULL,
};

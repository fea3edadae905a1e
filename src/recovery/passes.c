/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of the passes, and why.
 *
 *   swapin    first, because the kernel reads a page at a time when it
 *             collapses: asked for beforehand, many extents are read at once.
 *             It also tells a page that cannot be read from all other
 *             troubles. After it all data of the extent is in memory.
 *   migrate   moves what is in memory, small or huge, to the node where it
 *             belongs, if it has such a node. After swapin, which brings pages
 *             in wherever the kernel likes; before collapse, because the huge
 *             page is made where most of the pages are (FACTS H9).
 *   collapse  makes one huge page of it, at the expense of a mapper if there
 *             is one, and fills the holes. The kernel does it in one act that
 *             keeps the data whole or changes nothing.
 *   place     is migrate once more, for a huge page that has come to be on
 *             another node in spite of that.
 *   remap     last: the collapse has removed the small entries of all
 *             mappers and mapped the huge page in one. The others that used
 *             the extent get it here, which spares each a page fault.
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
	&recovery_pass_migrate,
	&recovery_pass_collapse,
	&recovery_pass_place,
	&recovery_pass_remap,
	NULL,
};

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The behaviour suite on a mount without passthrough: everything works, but
# mappings have the kernel's own copies of the pages, which it writes back
# later and of which tmpfs knows nothing until then.
# timeout: 400
. "${0%/*}/lib.sh"
. "${0%/*}/posix.inc"

known_differences=(
	# a mapping's page that was read is data for tmpfs, stores come later
	fallocate.punch_hole_in_huge
	stat.another_process_sees_changes
	# there is room in the page cache when there is none in tmpfs
	full.stores_raise_sigbus
	# reads from the page cache leave no access time, stores no others
	times.access_time
	times.content
	times.mapped_store
)

mount_start $POSIX_LARGE,passthrough=off
mount_start $POSIX_SMALL,passthrough=off "$HT_DIR/small"
POSIX_ENTRIES=$(scaled 5000 500) posix_run "$MNT" "$HT_DIR/small"
posix_judge "${known_differences[@]}"

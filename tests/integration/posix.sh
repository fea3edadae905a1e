#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The behaviour suite, first on a native tmpfs, which is the reference: each
# check must hold there. Then on hugetmpfs, where the same must hold.
# timeout: 600
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/posix.inc"

# what cannot be helped from user space
known_differences=(
	# the kernel opens the backing file with the flags of the open(2)
	io.append_flag_taken_back
)

echo "on tmpfs:"
mkdir "$HT_DIR"/{tmpfs,small}
mount -t tmpfs -o $POSIX_LARGE ht-tmpfs "$HT_DIR/tmpfs"
mount -t tmpfs -o $POSIX_SMALL ht-small "$HT_DIR/small"
POSIX_ENTRIES=$(scaled 5000 500) posix_run "$HT_DIR/tmpfs" "$HT_DIR/small"
[ ${#failed[@]} = 0 ] || fail "not true of tmpfs: ${failed[*]}"
umount "$HT_DIR/tmpfs" "$HT_DIR/small"

echo "on hugetmpfs:"
export POSIX_TIMEOUT_S=300 # for the directory of many entries
mount_start $POSIX_LARGE
mount_start $POSIX_SMALL "$HT_DIR/small"
# each is some requests: where a request takes long, fewer do
entries=$(scaled "$(scaled 100000 500)" 500)
POSIX_ENTRIES=${POSIX_ENTRIES:-$entries} posix_run "$MNT" "$HT_DIR/small"
posix_judge "${known_differences[@]}"

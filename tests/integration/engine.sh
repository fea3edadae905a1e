#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sanitized threads
# The engine alone, on a plain tmpfs: every look by every way there is to see,
# recoveries with and without each optional interface, pins, a full mount, a
# file that changes all the time, swap.
. "${0%/*}/lib.sh"

swap_start 128
mkdir "$HT_DIR/tmpfs"
at_exit 'umount -q "$HT_DIR/tmpfs" || :'
assert_status 0 "$HT_BUILD/tests/integration/engine" "$HT_DIR/tmpfs"
echo "$OUT"

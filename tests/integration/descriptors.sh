#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# More directories, and removed ones, are open than the daemon can have
# descriptors: nobody notices.
# sanitized
. "${0%/*}/lib.sh"

most=256
MOUNT_RUN=(prlimit "--nofile=$most:$most")
mount_start size=64M
daemon=$(mount_daemon)
assert_match "$(grep '^Max open files' "/proc/$daemon/limits")" \
	" $most +$most " "the limit of the daemon"
"$HT_BUILD/tests/integration/posix/directory" "$MNT" many_open many_removed
assert_eq "$(mount_daemon)" "$daemon" "the daemon lives"

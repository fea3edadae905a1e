#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The threads in the background of a daemon, with their system calls failing:
# what is in use by small pages becomes huge all the same, and nothing is leaked.
# Of what they call every eleventh fails, once; with HT_FAULTS_STRIDE=1 all of it,
# up to the 12th time.
# timeout: 7200
# sanitized

# Among few processes: a look at all is quick then, and so is the rest after it.
if [ "$(id -u)" = 0 ] && [ -z "${FAULTS_INSIDE:-}" ]; then
	FAULTS_INSIDE=1 exec unshare --pid --fork --kill-child --mount-proc "$0"
fi
. "${0%/*}/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip "only where registers are those of x86-64"
# keepers of others have the same numbers
mkdir -p /run/hugetmpfs
mount -t tmpfs none /run/hugetmpfs

most=1
[ "${HT_FAULTS_STRIDE:-11}" != 1 ] || most=12

# What the daemon has open, but for what it watches, and rings: each worker may
# keep one from the first time on that it has brought back swapped pages.
nr_open()
{
	find "/proc/$daemon/fd" ! -lname '/proc/[0-9]*/maps*' \
		! -lname 'anon_inode:?io_uring?' | wc -l
}

is_closed() # LEAST
{
	[ "$(nr_open)" -le "$1" ]
}

swap_start 64
# the machine's pressure is not what this is about
HT_RECOVER=yes mount_start size=64M,huge=never,pressure_percent=100,compact=on
daemon=$(mount_daemon)
faults()
{
	"$HT_BUILD/tests/integration/faults-background" "$(mount_keeper)" \
		"$MNT" "$@"
}

faults 1000 1 >"$HT_DIR/first" || fail "without any call that fails"
before=$(nr_open)
faults "${HT_FAULTS_STRIDE:-11}" $most ||
	fail "a call that failed has left something wrong"
wait_for 60 is_closed "$before"

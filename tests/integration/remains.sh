#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What killed daemons leave behind ends and is reaped, also where the parent of
# orphans reaps none, as process 1 of a container may.
. "${0%/*}/lib.sh"
. "${0%/*}/manager.inc"

children() # PID
{
	cat "/proc/$1/task/$1/children"
}

# That of the daemon, which has it some time after it has answered.
has_second()
{
	second=$(pgrep -P "$(mount_daemon)" -x daemon-memory)
}

has_one_child()
{
	[ "$(children "$keeper")" = "$(mount_daemon) " ]
}

manager_start size=64M,recover=off
keeper=$(mount_keeper)

echo "nothing is left of daemons that were killed"
for _ in 1 2 3 4 5; do
	wait_for 60 has_second
	kill -KILL "$(mount_daemon)"
	ls "$MNT"
done
wait_for 60 has_one_child
assert_eq "$(children "$MANAGER")" "$keeper " "children of who starts it"

echo "one that dies before its daemon is no daemon that has died"
wait_for 60 has_second
daemon=$(mount_daemon)
kill -KILL "$second"
wait_for 60 is_gone "$second"
kill -KILL "$daemon"
ls "$MNT"
wait_for 60 has_one_child
refute [ "$(mount_daemon)" = "$daemon" ]

echo "nor is that of a daemon that makes way, or ends with the mount"
wait_for 60 has_second
# the keeper may not have heard yet that the daemon serves
wait_for 60 "$HUGETMPFSCTL" upgrade "$MNT"
wait_for 60 has_second
wait_for 60 has_one_child
kill -TERM "$keeper"
wait "$MANAGER"

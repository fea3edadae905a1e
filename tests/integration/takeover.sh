#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon is killed again and again under load, and nobody notices. What dies
# by itself all the time is left dead, and the files are kept.
# timeout: 1200
# sanitized
. "${0%/*}/lib.sh"

takeover=$HT_BUILD/tests/integration/takeover
kills=${HT_TAKEOVER_KILLS:-$(scaled 50 5)}

inodes_used()
{
	local numbers

	numbers=$(stat -f -c '%c %d' "$MNT")
	echo $((${numbers% *} - ${numbers#* }))
}

echo "who waits while there is no daemon is answered by the next one"
mount_start size=256M
used=$(inodes_used)
daemon=$(mount_daemon)
mkdir "$MNT/directory"
exec 8>"$MNT/open" 9<"$MNT/directory"
rm "$MNT/open"
rmdir "$MNT/directory"
stop_process "$daemon"
(mkdir "$MNT/waited" && rmdir "$MNT/waited") &
waiting=$!
kill -KILL "$daemon"
wait $waiting
echo content >&8
assert_eq "$(cat /proc/self/fd/8)" content "file without a name"
assert_eq "$(stat -L -c %F,%h /dev/fd/9)" directory,0 "removed directory"
exec 8>&- 9<&-

echo "$kills kills under load"
"$takeover" "$(mount_keeper)" "$MNT" "$kills"
# the last of them goes when the daemon has closed it
has_as_before()
{
	[ "$(inodes_used)" = "$used" ]
}
wait_for 60 has_as_before

echo "daemons that die by themselves are taken over from, but not for ever"
echo content >"$MNT/file"
daemon=$(mount_daemon)
kill -USR1 "$daemon"
wait_for 60 is_gone "$daemon"
assert_eq "$(cat "$MNT/file")" content "after one"
keeper=$(mount_keeper)
mount_kill
assert_status 1 cat "$MNT/file"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(mount_keeper)" "$keeper" "keeper"
assert_eq "$(cat "$MNT/file")" content "after an attach"

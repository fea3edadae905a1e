#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A mount from its beginning to its end: what is there while it serves, the ways
# in which it ends, and that nothing is left then.
# sanitized
. "${0%/*}/lib.sh"

field() # NUMBER: of the mount's line in mountinfo
{
	awk -v mnt="$MNT" -v field="$1" '$5 == mnt { print $field }' \
		/proc/self/mountinfo
}

has_second() # DAEMON
{
	local pid

	for pid in $(cat "/proc/$1/task/$1/children"); do
		second=$pid
		! grep -qsx daemon-memory "/proc/$pid/comm" || return 0
	done
	return 1
}

# Sets second to the process that shares the daemon's memory, once it is all
# that it will be. With a sanitizer there is none, and it is the daemon itself.
find_second() # DAEMON
{
	second=$1
	grep -q '^#define SANITIZED 1' "$HT_BUILD/config.h" ||
		wait_for 60 has_second "$1"
}

# Ends the mount with COMMAND and looks that nothing is left of it.
ends_by() # COMMAND ARG...
{
	local keeper daemon second

	keeper=$(mount_keeper)
	daemon=$(mount_daemon)
	find_second "$daemon"
	"$@"
	wait_for 60 is_gone "$keeper"
	wait_for 60 is_gone "$daemon"
	wait_for 60 is_gone "$second"
	refute mount_is_there
	refute test -e "/run/hugetmpfs/$keeper"
}

while_it_serves()
{
	local keeper daemon second fd

	keeper=$(mount_keeper)
	daemon=$(mount_daemon)
	assert_eq "$(cleanup_mounts "$MNT")" "$(field 3) fuse.hugetmpfs $MNT" \
		"type"
	assert_eq "$(stat -c %a "/run/hugetmpfs/$keeper")" 700 "mode of the folder"
	assert_eq "$(grep '^dev ' "/run/hugetmpfs/$keeper/mount")" \
		"dev $(field 3)" "device"
	assert_eq "$(ps -o args= -p "$keeper" | sed 's/ *$//')" \
		"hugetmpfs: keeper $MNT" "title of the keeper"
	assert_eq "$(ps -o args= -p "$daemon" | sed 's/ *$//')" \
		"hugetmpfs: daemon $MNT" "title of the daemon"
	for pid in $keeper $daemon; do
		assert_eq "$(readlink "/proc/$pid/cwd")" / "cwd of $pid"
		for fd in 0 1 2; do
			assert_eq "$(readlink "/proc/$pid/fd/$fd")" /dev/null \
				"fd $fd of $pid"
		done
		# one on the mount itself would wait for its own daemon
		refute grep -q "^mnt_id:[[:space:]]*$(field 1)\$" \
			/proc/"$pid"/fdinfo/*
	done
	find_second "$daemon"
	[ "$second" = "$daemon" ] ||
		assert_match "$(readlink "/proc/$second/fd"/*)" '^[^/ ]*pidfd[^ ]*$' \
			"all that the second process has open"
	assert_eq "$(awk '/^Max open files/ { print $4 == $5 }' \
		"/proc/$daemon/limits")" 1 "limit of open files raised"
	assert_eq "$(awk '/^Max file size/ { print $4 }' \
		"/proc/$daemon/limits")" unlimited "limit of file sizes"
}

echo "serves, and is gone after umount"
mkdir "$MNT"
mib=$(scaled 512 64)
before=$(meminfo_kib Shmem)
# captures the output: whoever keeps it open makes this wait
assert_eq "$(ulimit -S -f 10; "$HUGETMPFS" -o size=1G "$MNT" 2>&1)" "" "output"
while_it_serves
dd if=/dev/zero of="$MNT/file" bs=1M count=$mib status=none
assert_ge "$(meminfo_kib Shmem)" $((before + mib * 800)) "Shmem in use"
ends_by umount "$MNT"
is_given_back()
{
	[ "$(meminfo_kib Shmem)" -le $((before + mib * 400)) ]
}
wait_for 60 is_given_back

echo "is gone after SIGTERM and SIGINT to the keeper"
mount_start
ends_by kill "$(mount_keeper)"
mount_start
ends_by kill -INT "$(mount_keeper)"

echo "mounts that follow each other are not taken for one another"
for _ in {1..50}; do
	mount_start size=10M
	echo x >"$MNT/file"
	umount "$MNT"
done
nobody_keeps()
{
	! mount_keeper >"$HT_DIR/keepers"
}
wait_for 60 nobody_keeps

echo "an open file keeps it, SIGTERM and umount -l end it with its last file"
mount_start
echo content >"$MNT/file"
exec 9<"$MNT/file"
assert_status 32 umount "$MNT"
kill "$(mount_keeper)"
sleep 0.2
assert_eq "$(cat "$MNT/file")" content "after SIGTERM while in use"
keeper=$(mount_keeper)
umount -l "$MNT"
refute mount_is_there
kill "$keeper"
sleep 0.2
assert_eq "$(cat /proc/self/fd/9)" content "after umount -l"
exec 9<&-
wait_for 60 is_gone "$keeper"

echo "signals to the daemon do not end it"
mount_start
kill -TERM "$(mount_daemon)"
kill -INT "$(mount_daemon)"
kill -HUP "$(mount_daemon)" "$(mount_keeper)"
sleep 0.2
assert ls "$MNT"

echo "a daemon that is killed takes its second process along"
daemon=$(mount_daemon)
find_second "$daemon"
kill -KILL "$daemon"
wait_for 60 is_gone "$daemon"
wait_for 60 is_gone "$second"
assert ls "$MNT"

echo "standard fds may be closed and SIGCHLD ignored at the start"
umount "$MNT"
(
	trap '' CHLD
	exec "$HUGETMPFS" "$MNT" <&- >&- 2>&-
)
while_it_serves
ends_by umount "$MNT"
(
	trap '' CHLD
	exec "$HUGETMPFS" -o strange "$MNT" <&- 2>&-
) && fail "an unknown option is accepted"

echo "a mount point may have any name"
odd=$HT_DIR/$'a b\n\\c\t#'
mkdir "$odd"
"$HUGETMPFS" "$odd"
assert_status 2 "$HUGETMPFS" "$odd"
"$HUGETMPFS" -o remount,size=1M "$odd"
"$HUGETMPFSCTL" status --no-scan "$odd" >"$HT_DIR/status"
pid=$(sed -n 's/^keeper_pid *//p' "$HT_DIR/status")
mount_kill "$pid"
"$HUGETMPFS" --attach "$odd"
assert_eq "$(stat -f -c %b "$odd")" 256 "blocks"
umount "$odd"
wait_for 60 is_gone "$pid"
mount_start

echo "a second one on the same place is refused, beside it is not"
assert_status 2 "$HUGETMPFS" "$MNT"
assert_eq "$OUT" "hugetmpfs: a hugetmpfs is mounted on $MNT already" "message"
mount_start "" "$HT_DIR/second"
mount_stop "$HT_DIR/second"

echo "what is mounted over it is not unmounted by the keeper"
mount -t tmpfs over "$MNT"
kill "$(mount_keeper)"
sleep 0.2
assert_eq "$(stat -f -c %T "$MNT")" tmpfs "what is on top"
umount "$MNT"
ends_by umount "$MNT"

echo "a moved mount is found where it is"
mkdir "$HT_DIR/parent"
mount_start "" "$HT_DIR/parent/mnt"
mv "$HT_DIR/parent" "$HT_DIR/renamed"
keeper=$(mount_keeper "$HT_DIR/parent/mnt")
kill "$keeper"
wait_for 60 is_gone "$keeper"
refute mount_is_there "$HT_DIR/renamed/mnt"

echo "serves in the foreground, where it says what happens"
"$HUGETMPFS" -f "$MNT" 2>"$HT_DIR/log" &
keeper=$!
wait_for 60 mount_is_there
assert_eq "$(mount_keeper)" $keeper "the keeper is the process started"
exec 9<"$MNT"
kill $keeper
wait_for 60 grep -qx "hugetmpfs: warning: $MNT is in use and stays mounted" \
	"$HT_DIR/log"
exec 9<&-
kill -INT $keeper
wait $keeper
refute mount_is_there

echo "a killed keeper takes the daemon along, and the next start cleans up"
mount_start
keeper=$(mount_keeper)
daemon=$(mount_daemon)
stop_process "$daemon"
kill -KILL "$keeper"
wait_for 60 is_gone "$daemon"
assert_status 2 ls "$MNT"
assert_match "$OUT" "Transport endpoint is not connected" "of a dead mount"
assert test -e "/run/hugetmpfs/$keeper"
assert_status 2 "$HUGETMPFS" "$MNT"
assert_match "$OUT" "a dead hugetmpfs, whose files are gone, is mounted on" \
	"message"
umount "$MNT"
mount_start
refute test -e "/run/hugetmpfs/$keeper"
mount_stop

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The keeper is killed. With an fd store, here a stand-in for systemd's (systemd.sh
# has systemd itself), another one goes on and nobody notices; with an anchor the
# files come back; with neither they are gone, as status says beforehand.
# timeout: 300
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"
. "${0%/*}/manager.inc"

survival()
{
	"$HUGETMPFSCTL" status --no-scan --json "$MNT" | jq -r .survival
}

# Kills keeper and daemon at once.
kill_both()
{
	local keeper daemon

	keeper=$(mount_keeper)
	daemon=$(mount_daemon)
	kill -KILL "$keeper" "$daemon"
	wait_for 60 is_gone "$keeper"
	wait_for 60 is_gone "$daemon"
}

anchors()
{
	find /run/hugetmpfs/anchors -mindepth 1 -maxdepth 1 2>/dev/null |
		while read -r anchor; do
			grep -qxF "mountpoint $MNT" "$anchor/state" &&
				echo "$anchor"
		done
	return 0
}

echo "with neither the files are gone"
mount_start size=64M
assert_eq "$(survival)" no "survival"
assert_match "$("$HUGETMPFSCTL" status --no-scan "$MNT")" \
	"if the keeper dies, the files are gone; see anchor" "text of status"
kill_both
umount "$MNT"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_match "$OUT" "nobody keeps files of a hugetmpfs on $MNT" "message"

echo "with an anchor they are brought back"
mount_start size=64M,anchor,huge=always
assert_eq "$(survival)" anchor "survival"
anchor=$(anchors)
assert_eq "$(stat -c %a "$anchor")" 700 "mode of the folder"
dd if=/dev/urandom of="$MNT/file" bs=1M count=8 status=none
sum=$(md5sum <"$MNT/file")
"$HUGETMPFS" -o remount,size=80M,nosuid "$MNT"
"$HUGETMPFSCTL" set "$MNT" recoveries=3
assert grep -q "^options .*recoveries=3" "$anchor/state"
assert_status 1 "$HUGETMPFS" -o remount,anchor=no "$MNT"
app_start old "$MNT/file"
app_do old checksum
checksum=$REPLY
kill_both
assert_status 2 ls "$MNT"
assert_status 2 "$HUGETMPFS" "$MNT"
assert_match "$OUT" "the keeper of $MNT has died and its files are kept in \
$anchor: hugetmpfs --attach $MNT mounts them again, umount $anchor/files drops" \
	"mounting over it"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content"
app_do old checksum
assert_eq "$REPLY" "$checksum" "in the old mapping"
app_stop old
assert_eq "$(awk -v mnt="$MNT" '$5 == mnt' /proc/self/mountinfo | wc -l)" 1 \
	"mounts there"
assert_eq "$(awk -v mnt="$MNT" '$5 == mnt { print $6 }' /proc/self/mountinfo)" \
	rw,nosuid,relatime "flags"
assert_eq "$(stat -f -c '%b*%S' "$MNT")" "$((80 * 256))*4096" "size"
assert_match "$("$HUGETMPFSCTL" set "$MNT")" "recoveries +3" "setting"
assert_eq "$(anchors)" "$anchor" "anchor"
assert_eq "$(survival)" anchor "survival"

echo "once more, and by a keeper that is told to end they are dropped"
kill_both
umount "$MNT"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_match "$OUT" "the daemon of $MNT lives" "a second attach"
mount_stop
assert_eq "$(anchors)" "" "anchor after umount"

echo "an anchor that is unmounted drops the files"
mount_start size=64M,anchor
kill_both
cleanup_umount_one "$(anchors)/files"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_eq "$(anchors)" "" "anchor that was unmounted"
umount "$MNT"
mount_start size=64M,anchor
mount_stop

echo "with an fd store another keeper goes on"
keeper_is_new() # OLD
{
	local keeper

	keeper=$(mount_keeper) && [ "$keeper" != "$1" ]
}
manager_start size=64M,recover=off
assert_eq "$(survival)" fd_store "survival"
dd if=/dev/urandom of="$MNT/file" bs=1M count=8 status=none
sum=$(md5sum <"$MNT/file")
mkdir "$MNT/directory"
exec 8>"$MNT/open" 9<"$MNT/directory"
rm "$MNT/open"
rmdir "$MNT/directory"
"$HUGETMPFSCTL" set "$MNT" recoveries=3
for i in 2 3 4; do
	keeper=$(mount_keeper)
	daemon=$(mount_daemon)
	if [ $i = 4 ]; then
		kill -KILL "$keeper" "$daemon"
	else
		kill -KILL "$keeper"
	fi
	(mkdir "$MNT/waited" && rmdir "$MNT/waited")
	wait_for 20 manager_was_ready $i
	assert keeper_is_new "$keeper"
	assert_eq "$(md5sum <"$MNT/file")" "$sum" "content after $i"
	[ -e "/proc/self/fd/8" ] && echo content >&8
done
assert_eq "$(cat /proc/self/fd/8)" $'content\ncontent\ncontent' \
	"file without a name"
assert_eq "$(stat -L -c %F,%h /dev/fd/9)" directory,0 "removed directory"
exec 8>&- 9<&-
assert_match "$("$HUGETMPFSCTL" set "$MNT")" "recoveries +3" "setting"
kill -KILL "$(mount_daemon)"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content after the daemon's death"

echo "also when the mount is dead: its files are mounted anew"
keeper=$(mount_keeper)
mount_kill
assert_status 2 ls "$MNT"
kill -KILL "$keeper"
wait_for 20 manager_was_ready 5
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content"
assert_eq "$(awk -v mnt="$MNT" '$5 == mnt' /proc/self/mountinfo | wc -l)" 1 \
	"mounts there"

echo "a manager that wants it to end has it detached while it is in use"
is_not_mounted()
{
	! mount_is_there
}
exec 8<"$MNT/file"
keeper=$(mount_keeper)
kill -TERM "$keeper"
wait_for 60 is_not_mounted
wait_for 60 manager_stores 0
assert_eq "$(md5sum <&8)" "$sum" "content of the open file"
assert kill -0 "$keeper"
exec 8<&-
wait "$MANAGER"
assert_eq "$(tail -n 1 "$HT_DIR/manager")" "ended 0" "last word"
assert manager_stores 0

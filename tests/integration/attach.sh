#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Daemons die until no other one takes over: nothing hangs, the files are kept,
# --attach brings them back whole, and who does not want them can drop them.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

kept="the daemon of $MNT has died and process [0-9]+ keeps its files: \
hugetmpfs --attach $MNT mounts them again, kill [0-9]+ drops them"

mount_start size=256M,huge=always
keeper=$(mount_keeper)
dd if=/dev/urandom of="$MNT/file" bs=1M count=64 status=none
mkdir -p "$MNT/a/b"
ln "$MNT/file" "$MNT/a/b/link"
ln -s b "$MNT/a/symlink"
setfattr -n user.colour -v green "$MNT/file"
chown 1234:4321 "$MNT/a"
sum=$(md5sum <"$MNT/file")
listing=$(cd "$MNT" && find . -printf '%p %m %U %G %n %i %y %l %T@\n' | sort)

mount_kill
assert_status 2 ls "$MNT"
assert_match "$OUT" "Transport endpoint is not connected" "ls"

echo "the keeper says what there is to do"
assert_status 2 "$HUGETMPFS" "$MNT"
assert_match "$OUT" "$kept" "mounting over it"
assert_status 2 "$HUGETMPFS" -o remount,size=1G "$MNT"
assert_match "$OUT" "the daemon of $MNT is dead; its files are kept" "remount"
assert_status 2 "$HUGETMPFSCTL" status "$MNT"
assert_match "$OUT" "--attach" "status"

echo "attach brings them back"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(mount_keeper)" "$keeper" "keeper"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content"
assert_eq "$(cd "$MNT" && find . -printf '%p %m %U %G %n %i %y %l %T@\n' |
	sort)" "$listing" "everything else"
assert_eq "$(getfattr --absolute-names --only-values -n user.colour "$MNT/file")" green "xattr"
assert_eq "$(awk -v mnt="$MNT" '$5 == mnt' /proc/self/mountinfo | wc -l)" 1 \
	"mounts there"
echo more >"$MNT/new"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_match "$OUT" "the daemon of $MNT lives" "a second attach"

echo "options that were changed hold after an attach"
"$HUGETMPFS" -o remount,size=300M,nosuid,noatime,ro "$MNT"
mount_kill
"$HUGETMPFS" --attach "$MNT"
assert_match "$("$HUGETMPFSCTL" status "$MNT" | grep ^options)" size=300M options
assert_eq "$(stat -f -c '%b*%S' "$MNT")" "$((300 * 256))*4096" "size"
assert_eq "$(awk -v mnt="$MNT" '$5 == mnt { print $6 }' /proc/self/mountinfo)" \
	ro,nosuid,noatime "flags"

echo "a dead mount may be unmounted and attached after that"
mount_kill
umount "$MNT"
refute mount_is_there
assert_status 2 "$HUGETMPFS" "$MNT"
assert_match "$OUT" "$kept" "mounting in its place"
# the next one has the device number of the last one
mount_start "" "$HT_DIR/other"
assert_match "$("$HUGETMPFSCTL" status --no-scan "$HT_DIR/other")" \
	"mountpoint +$HT_DIR/other" "status of another"
"$HUGETMPFS" -o remount,size=1M "$HT_DIR/other"
mount_stop "$HT_DIR/other"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content after umount"

echo "files that are kept of a mount that is gone stand in nobody's way"
exec 9<"$MNT/file"
umount -l "$MNT"
mount_kill
exec 9<&-
assert_eq "$(grep ^dev "/run/hugetmpfs/$keeper/mount")" "dev 0:0" "device"
mount_start "" "$HT_DIR/third"
mount_stop "$HT_DIR/third"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content after umount -l"

echo "and also with everything used up"
umount "$MNT"
wait_for 60 is_gone "$keeper"
mount_start size=4M,nr_inodes=3
keeper=$(mount_keeper)
touch "$MNT/2"
dd if=/dev/zero of="$MNT/3" bs=1M 2>/dev/null || :
mount_kill
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(stat -c %s "$MNT/3")" $((4 << 20)) "size of the file"

echo "mappings outlive the daemon, and stay shared with who opens the file anew"
rm "$MNT"/[23]
wait_for 20 has_room 1024
app_start old -s $((2 << 20)) "$MNT/mapped"
app_do old fill 1
mount_kill
app_do old fill 2
"$HUGETMPFS" --attach "$MNT"
app_start new "$MNT/mapped"
app_do new fill 3
app_do new checksum
checksum=$REPLY
app_do old checksum
assert_eq "$REPLY" "$checksum" "checksum in the old mapping"
app_stop new
app_stop old

echo "what is mounted over a dead mount is left alone"
sum=$(md5sum <"$MNT/mapped")
mount_kill
mount -t tmpfs over "$MNT"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_match "$OUT" "something is mounted over the dead mount" "message"
umount "$MNT"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/mapped")" "$sum" "content"

echo "an aborted connection is a dead daemon"
mountpoint -q "$cleanup_fusectl" ||
	mount -t fusectl none "$cleanup_fusectl"
cleanup_abort "$MNT"
wait_for 60 grep -qx "state dead" "/run/hugetmpfs/$keeper/mount"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(md5sum <"$MNT/mapped")" "$sum" "content"

echo "a keeper that is told to end drops the files"
mount_kill
kill "$keeper"
wait_for 60 is_gone "$keeper"
refute mount_is_there
refute test -e "/run/hugetmpfs/$keeper"
assert_status 2 "$HUGETMPFS" --attach "$MNT"
assert_eq "$OUT" "hugetmpfs: nobody keeps files of a hugetmpfs on $MNT" \
	"nothing to attach"

echo "without passthrough nobody takes over, and who waits gets an error"
mkdir -p "$MNT"
mount_start passthrough=off
daemon=$(mount_daemon)
stop_process "$daemon"
stat "$MNT/never-looked-up" >/dev/null 2>"$HT_DIR/waiting" &
waiting=$!
sleep 0.3
kill -KILL "$daemon"
wait_for 60 grep -qx "state dead" "/run/hugetmpfs/$(mount_keeper)/mount"
wait_for 60 is_gone $waiting
assert_match "$(cat "$HT_DIR/waiting")" "not connected|abort" "who waited"
"$HUGETMPFS" --attach "$MNT"

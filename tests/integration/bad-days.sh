#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an admin, or a want of memory, may do to a mount that is in use: umount -f
# and -l, tables that cannot grow.
# sanitized
. "${0%/*}/lib.sh"

is_dead() # KEEPER
{
	grep -qx "state dead" "/run/hugetmpfs/$1/mount"
}

echo "umount -f with open files ends the connection, not the files"
mount_start size=64M
keeper=$(mount_keeper)
echo content >"$MNT/file"
exec 9<"$MNT/file"
refute umount -f "$MNT" 2>>"$HT_DIR/log"
wait_for 20 is_dead "$keeper"
# reads alone need no daemon
read -r line <&9
assert_eq "$line" content "what was open before"
exec 9<&-
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(cat "$MNT/file")" content "after an attach"

echo "umount -f -l with open files drops them with the last one"
exec 9<"$MNT/file"
umount -f -l "$MNT"
refute mount_is_there
# reads alone need no daemon
read -r line <&9
assert_eq "$line" content "what was open before"
wait_for 20 is_gone "$keeper"
exec 9<&-

echo "tables that cannot grow refuse what is new, and nothing else"
mount_start size=64M
daemon=$(mount_daemon)
keeper=$(mount_keeper)
for fd in "/proc/$keeper/fd/"*; do
	case $(readlink "$fd") in
	/memfd:hugetmpfs-table*) table=$fd ;;
	esac
done
set_slots() # NUMBER: that there is room for, in the header of the tables
{
	printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x00' $(($1 & 255)) \
		$(($1 >> 8 & 255)) $(($1 >> 16 & 255)))" |
		dd of="$table" bs=1 seek=20 conv=notrunc status=none
}
slots=$(od -An -tu4 -j20 -N4 "$table" | tr -d ' ')
prlimit --pid "$daemon" --fsize="$(stat -L -c %s "$table")":unlimited
mkdir "$MNT/directory"
set_slots 64
nr=0
while touch "$MNT/directory/$nr" 2>"$HT_DIR/error"; do
	nr=$((nr + 1))
	[ $nr -lt 100 ] || fail "64 records are enough for 100 files"
done
assert_match "$(cat "$HT_DIR/error")" "No space left on device" "message"
assert_ge $nr 50 "files"
refute mkdir "$MNT/directory/refused-directory" 2>>"$HT_DIR/log"
refute mkfifo "$MNT/directory/refused-fifo" 2>>"$HT_DIR/log"
refute ln -s target "$MNT/directory/refused-link" 2>>"$HT_DIR/log"
echo content >"$MNT/directory/0"
assert_eq "$(cat "$MNT/directory/0")" content "a file from before"
mv "$MNT/directory/1" "$MNT/directory/moved"
rm "$MNT/directory/moved"
has_record()
{
	touch "$MNT/directory/again" 2>>"$HT_DIR/log"
}
wait_for 20 has_record
prlimit --pid "$daemon" --fsize=unlimited:unlimited
set_slots "$slots"
# nothing is left of what was refused
refused=$(find "$MNT/directory" -name 'refused-*' -o -name "$nr")
assert_eq "$refused" "" "names of what was refused"
for ((i = 0; i < 100; i++)); do
	echo $i >"$MNT/directory/more$i"
done
assert_eq "$(mount_daemon)" "$daemon" "daemon"

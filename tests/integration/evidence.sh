#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
# What applications use by small pages becomes huge with no command given, and
# what nobody uses, or the mount says is none of recovery's business, does not.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=$(scaled 64 8)
HT_RECOVER=yes

# Random content in small pages, as huge=never leaves no others.
build() # FILE [EXTENTS]
{
	dd if=/dev/urandom of="$1" bs=64K count=$((${2:-$extents} * 32)) \
		conv=notrunc status=none
}

is_pmd_mapped() # PID PATH EXTENTS
{
	[ "$(smaps_kib "$1" ShmemPmdMapped "$2")" = $(($3 << 11)) ]
}

is_huge() # FILE EXTENTS
{
	[ "$(states_of "$1")" = "$(words huge "$2")" ]
}

counter() # NAME
{
	"$HUGETMPFSCTL" counters "$MNT" | awk -v name="$1" '$1 == name { print $2 }'
}

mount_start size=512M,huge=never

# built small, mapped, read
build "$MNT/small"
app_start small -a "$MNT/small"
app_do small checksum
sum=$REPLY
wait_for 60 is_pmd_mapped "${APP_PID[small]}" "$MNT/small" $extents
assert_app_huge small $extents
assert_app_checksum small "$sum"
assert_ge "$(counter scan_evidence)" $extents "evidence"
assert_ge "$(counter recov_completed)" $extents "completed"
assert_ge "$(counter scan_mappers)" 1 "mappers"

# a child that inherited the mapping is the only one to use it
build "$MNT/child"
app_start parent -a "$MNT/child"
app_do parent fork
child=$REPLY
wait_for 60 is_pmd_mapped "$child" "$MNT/child" $extents
app_stop parent
wait_for 60 test ! -d "/proc/$child"

# without a name, and the kernel has forgotten its inode
build "$MNT/unlinked"
app_start unlinked -a "$MNT/unlinked"
rm "$MNT/unlinked"
app_do unlinked checksum
sum=$REPLY
wait_for 60 is_pmd_mapped "${APP_PID[unlinked]}" "$MNT/unlinked" $extents
assert_app_checksum unlinked "$sum"
app_stop unlinked

# nobody has it mapped so that it could be huge
build "$MNT/off" 4
build "$MNT/cold" 4
app_start off -m "$MNT/off"
app_do off touch
# an extent of many holes is left as it is
truncate -s 8M "$MNT/holes"
for i in 0 1 2 3; do
	dd if=/dev/urandom of="$MNT/holes" bs=1M count=1 seek=$((i * 2)) \
		conv=notrunc status=none
done
app_start holes -a "$MNT/holes"
for i in 0 1 2 3; do
	app_do holes load $((i << 21))
done
looks=$(counter scan_looks)
looked_again()
{
	[ "$(counter scan_looks)" -ge $((looks + 2)) ]
}
wait_for 25 looked_again
sleep 1
refute is_huge "$MNT/off" 4
refute is_huge "$MNT/cold" 4
refute grep -q huge <<<"$(states_of "$MNT/holes")"
app_stop off
app_stop holes
app_stop small
mount_stop

# turned off
mount_start size=512M,huge=never,recover=off
build "$MNT/small"
app_start small -a "$MNT/small"
app_do small touch
sleep 13
app_do small pmd
assert_eq "$REPLY" 0 "bytes mapped huge with recover=off"
assert_eq "$(counter work_queued)" 0 "works with recover=off"
app_stop small
mount_stop

# all: also what nobody has mapped, as soon as it is closed
mount_start size=512M,huge=never,recover=all
build "$MNT/all" 16
echo small >"$MNT/tiny"
wait_for 60 is_huge "$MNT/all" 16
refute is_huge "$MNT/tiny" 1

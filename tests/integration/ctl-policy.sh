#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
# The policy of files, user.hugetmpfs.recover: what values it takes, who passes
# it on, and that the background does as it says.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

ctl=$HUGETMPFSCTL
xattr=user.hugetmpfs.recover
type setfattr >/dev/null || skip "no setfattr"
# on a machine that has run for long there may be no free huge page
echo 1 >/proc/sys/vm/compact_memory
HT_RECOVER=yes
mount_start size=256M,huge=never,recover=off
"$ctl" status --no-scan --json "$MNT" | jq -e \
	'.interfaces[] | select(.name == "user_xattrs") | .present' >/dev/null ||
	skip "tmpfs has no user xattrs here"

build() # FILE MIB
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" conv=notrunc status=none
}

policy() # FILE
{
	getfattr --only-values -n $xattr "$1" 2>/dev/null
}

set_policy() # VALUE FILE
{
	setfattr -n $xattr -v "$1" "$2"
}

is_huge() # FILE EXTENTS
{
	[ "$("$ctl" map --json "$1" | jq .summary.huge)" = "$2" ]
}

counter() # NAME
{
	"$ctl" counters --json "$MNT" | jq ".$1"
}

# Waits until the scan has looked at all processes twice from now on.
looked() { [ "$(counter scan_looks)" -ge "$looks" ]; }
wait_looks()
{
	looks=$(($(counter scan_looks) + 2))
	wait_for 60 looked
}

# ---- values ----

build "$MNT/file" 4
refute policy "$MNT/file"
for value in off mapped all; do
	set_policy $value "$MNT/file"
	assert_eq "$(policy "$MNT/file")" $value "value"
	assert_eq "$("$ctl" map --json "$MNT/file" |
		jq -r '.recover + " " + .recover_file')" "$value $value" "map"
done
for value in "" on Off "off " offf mappe "all,off" 0; do
	refute set_policy "$value" "$MNT/file" 2>"$HT_DIR/err"
	assert_match "$(<"$HT_DIR/err")" 'Invalid argument' "value \"$value\""
done
assert_eq "$(policy "$MNT/file")" all "value after those refused"
assert_match "$(getfattr "$MNT/file" 2>/dev/null)" "$xattr" "list of names"
# others are nobody's business
setfattr -n user.hugetmpfs.colour -v red "$MNT/file"
setfattr -x $xattr "$MNT/file"
refute policy "$MNT/file"
refute setfattr -x $xattr "$MNT/file" 2>/dev/null
assert_eq "$("$ctl" map --json "$MNT/file" |
	jq -c '[.recover, .recover_file]')" '["off",null]' "without"

# ---- it goes where the file goes ----

# a new file: the other one may have become huge while it said so
: >"$MNT/new"
set_policy off "$MNT/new"
build "$MNT/new" 4
mv "$MNT/new" "$MNT/file"
cp -a "$MNT/file" "$MNT/copy"
ln "$MNT/file" "$MNT/link"
mv "$MNT/file" "$MNT/moved"
for file in copy link moved; do
	assert_eq "$(policy "$MNT/$file")" off "$file"
done

# what is made in a directory takes it over; what comes from elsewhere does not
mkdir "$MNT/dir"
set_policy mapped "$MNT/dir"
: >"$MNT/dir/file"
mkdir "$MNT/dir/below"
mknod "$MNT/dir/below/node" p
: >"$MNT/dir/below/file"
: >"$MNT/other"
mv "$MNT/other" "$MNT/dir"
ln "$MNT/copy" "$MNT/dir/copy"
ln -s file "$MNT/dir/symlink"
assert_eq "$(policy "$MNT/dir/file")" mapped "made in a directory"
assert_eq "$(policy "$MNT/dir/below")" mapped "a directory"
assert_eq "$(policy "$MNT/dir/below/file")" mapped "below that"
refute policy "$MNT/dir/other"
assert_eq "$(policy "$MNT/dir/copy")" off "a link"
setfattr -x $xattr "$MNT/dir"
: >"$MNT/dir/later"
refute policy "$MNT/dir/later"

# ---- what it does ----

# the mount says off, the file mapped
build "$MNT/used" 4
set_policy mapped "$MNT/used"
app_start used -a "$MNT/used"
app_do used touch
wait_for 60 is_huge "$MNT/used" 2
# and a file that says nothing is left alone as before
build "$MNT/silent" 4
app_start silent -a "$MNT/silent"
app_do silent touch
wait_looks
assert is_huge "$MNT/silent" 0
# now the mount says mapped, and one file off
"$ctl" set "$MNT" recover=mapped
app_start off -a "$MNT/moved"
app_do off touch
wait_for 60 is_huge "$MNT/silent" 2
wait_looks
assert is_huge "$MNT/moved" 0
assert_status 0 "$ctl" map "$MNT/moved"
assert_match "$OUT" 'with its own policy recover=off' "map"
assert_match "$OUT" 'policy +2  ' "reason"
assert_status 0 "$ctl" why "$MNT/moved"
assert_match "$OUT" "the file's own policy is off" "why"
# another says all: nobody has it mapped
mkdir "$MNT/all"
set_policy all "$MNT/all"
build "$MNT/all/file" 4
wait_for 60 is_huge "$MNT/all/file" 2
assert is_huge "$MNT/moved" 0
assert_status 0 "$ctl" status "$MNT"
assert_match "$OUT" 'with recover=off of their own.*1 with recover=all of their own' \
	"status"
# by name it is recovered all the same
assert_status 0 "$ctl" recover "$MNT/moved"
wait_for 60 is_huge "$MNT/moved" 2
for name in used silent off; do
	app_stop $name
done

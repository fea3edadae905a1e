#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Changing a living mount: sizes, huge pages, flags, access times; all or
# nothing; what cannot be changed is refused, what is repeated is not.
# sanitized
. "${0%/*}/lib.sh"

flags() # of the mount, as mountinfo has them
{
	awk -v mnt="$MNT" '$5 == mnt { print $6 }' /proc/self/mountinfo
}

remount() # OPTIONS
{
	"$HUGETMPFS" -o "remount,$1" "$MNT" || fail "remount,$1"
}

refused() # STATUS OPTIONS MESSAGE
{
	local before after

	before=$(options; flags; stat -f -c '%b %c' "$MNT")
	assert_status "$1" "$HUGETMPFS" -o "remount,$2" "$MNT"
	assert_eq "$OUT" "hugetmpfs: $3" "message"
	after=$(options; flags; stat -f -c '%b %c' "$MNT")
	assert_eq "$after" "$before" "all as before"
}

options()
{
	"$HUGETMPFSCTL" status --no-scan "$MNT" | sed -n 's/^options *//p'
}

size_mib()
{
	echo $(($(stat -f -c %b "$MNT") * $(stat -f -c %S "$MNT") >> 20))
}

mount_start size=64M,nr_inodes=100,mode=750,recoveries=3

echo "sizes"
assert_eq "$(stat -f -c %c "$MNT")" 100 "inodes"
remount size=128M
assert_eq "$(size_mib)" 128 "MiB"
remount nr_inodes=200,size=32M
assert_eq "$(size_mib) $(stat -f -c %c "$MNT")" "32 200" "MiB and inodes"
remount nr_blocks=4096
assert_eq "$(size_mib)" 16 "MiB"
assert_match ",$(options)," ",nr_blocks=4096," "options"
refute grep -q size= < <(options | tr , '\n' | grep -v huge=)
assert_match "$(df --output=size -m "$MNT" | tail -n 1)" " 16$" "df"

echo "huge pages"
remount size=64M,huge=never
head -c 4M /dev/zero >"$MNT/small"
remount huge=always
head -c 4M /dev/zero >"$MNT/huge"
assert_match ",$(options)," ",huge=always," "options"
assert_eq "$("$HUGETMPFSCTL" status --json "$MNT" |
	tr ',{' '\n\n' | grep -x '"huge":2')" '"huge":2' "huge extents"

echo "what the use forbids, or nobody knows, changes nothing"
refused 2 size=4M "size=4M: too small a size for current use"
refused 2 huge=never,nr_inodes=2 \
	"huge=never,nr_inodes=2: too few inodes for current use"
refused 1 size=1G,huge=often \
	"bad value 'often' for option huge: it is never, always, within_size or advise"
refused 1 size=1G,strange "unknown option 'strange'"
refused 1 size=1G,passthrough=off \
	"option passthrough=off cannot be changed by remount: mount anew"
refused 1 mode=700,size=1G \
	"option mode=700 cannot be changed by remount: use chmod"
refused 1 recoveries=1000,size=1G "bad value '1000' for option recoveries: it \
is a number from 0 to 256"
refused 2 recoveries=4,size=4M "size=4M: too small a size for current use"

echo "settings of recovery"
remount recoveries=4,max_holes=7
assert_match ",$(options)," ",recoveries=4," "options"
assert_match ",$(options)," ",max_holes=7," "options"
assert_match "$("$HUGETMPFSCTL" status --no-scan "$MNT")" "of at most 4" status
remount recoveries=3

echo "what is said again as it is, as mount(8) does, is no change"
remount size=128M,mode=750,recoveries=3,passthrough=on,inode64,nofail,rw
assert_eq "$(size_mib)" 128 "MiB"

echo "flags of the mount"
assert_eq "$(flags)" rw,relatime "flags at first"
remount ro,nosuid
assert_eq "$(flags)" ro,nosuid,relatime "flags"
assert_status 1 touch "$MNT/new"
assert_match "$OUT" "Read-only file system" "message"
remount noexec
assert_eq "$(flags)" ro,nosuid,noexec,relatime "what is not named stays"
remount rw,suid,exec,nodev
assert_eq "$(flags)" rw,nodev,relatime "flags"
touch "$MNT/new"

echo "flags and options: all or nothing"
exec 9>"$MNT/open"
refused 2 ro,size=32M,recoveries=4 \
	"cannot change the flags of $MNT: files are open for writing"
exec 9>&-
refused 2 ro,size=4M "size=4M: too small a size for current use"
refused 2 noatime,size=4M "size=4M: too small a size for current use"

echo "access times: what mountinfo says is what happens"
read_at()
{
	touch -a -d "2001-01-01" "$MNT/small"
	[ "$1" = relatime ] || touch -m -d "2000-01-01" "$MNT/small"
	cat "$MNT/small" >"$HT_DIR/copy"
	stat -c %x "$MNT/small" | cut -c 1-4
}
# also after the change to noatime that came to nothing
assert_eq "$(read_at relatime)" "$(date +%Y)" "year of access, relatime"
remount noatime
assert_eq "$(flags)" rw,nodev,noatime "flags"
assert_eq "$(read_at noatime)" 2001 "year of access, noatime"
remount strictatime
assert_eq "$(flags)" rw,nodev "flags"
assert_eq "$(read_at strictatime)" "$(date +%Y)" "year of access, strictatime"
touch "$MNT/small"
before=$(stat -c %x "$MNT/small")
cat "$MNT/small" >"$HT_DIR/copy"
refute test "$before" = "$(stat -c %x "$MNT/small")"
remount relatime,nodiratime
assert_eq "$(flags)" rw,nodev,nodiratime,relatime "flags"
touch -a -d "2001-01-01" "$MNT"
ls "$MNT" >"$HT_DIR/copy"
assert_eq "$(stat -c %x "$MNT" | cut -c 1-4)" 2001 "year of access of a folder"

echo "debug messages at run time"
remount debug=fuse:mm
assert_match ",$(options)," ",debug=fuse:mm," "options"

echo "where there is no hugetmpfs"
mkdir "$HT_DIR/other"
assert_status 2 "$HUGETMPFS" -o remount,size=1G "$HT_DIR/other"
assert_eq "$OUT" "hugetmpfs: no hugetmpfs is mounted on $HT_DIR/other" message
mount -t tmpfs other "$HT_DIR/other"
assert_status 2 "$HUGETMPFS" -o remount,size=1G "$HT_DIR/other"
assert_eq "$OUT" "hugetmpfs: no hugetmpfs is mounted on $HT_DIR/other" message
umount "$HT_DIR/other"

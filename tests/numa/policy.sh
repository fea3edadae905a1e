#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is said of where pages belong holds for new pages from the start, by the
# kernel's word: said by mount options, of a file, a part of it, a directory; and
# what the caller's cpuset forbids is refused. Runs in the guest, with two nodes
# or four.
# timeout: 300
. "$(dirname "$0")/../integration/lib.sh"

ctl=$HUGETMPFSCTL
xattr=user.hugetmpfs.numa
cgroups=/sys/fs/cgroup
type setfattr >/dev/null || skip "no setfattr"
[ -d /sys/devices/system/node/node1 ] || skip "one NUMA node here"
grep -qw cpuset $cgroups/cgroup.controllers 2>/dev/null ||
	skip "no cpuset in cgroup v2"

# The nodes of a file's extents, in a row.
nodes_of() # FILE
{
	"$ctl" map --json "$1" | jq -r '[.extents[].nid] | join(" ")'
}

# Makes a file of so many extents, all of it new.
fill() # FILE EXTENTS
{
	dd if=/dev/zero of="$1" bs=2M count="$2" conv=notrunc status=none
}

option()
{
	"$ctl" status --no-scan --json "$MNT" | jq -r .options | tr , '\n' |
		sed -n "s/^$1=//p"
}

setting()
{
	"$ctl" set --json "$MNT" | jq -r .numa
}

echo "of the mount: numa= and mpol= say the same"

mount_start size=256M,huge=never,numa=bind:1
assert_eq "$(option mpol)" bind:1 "mpol= of numa="
fill "$MNT/one" 2
assert_eq "$(nodes_of "$MNT/one")" "1 1" "bind:1"
"$ctl" set "$MNT" numa=bind:0
assert_eq "$(option mpol)" bind:0 "mpol= of another numa="
fill "$MNT/zero" 2
assert_eq "$(nodes_of "$MNT/zero")" "0 0" "bind:0"
"$ctl" set "$MNT" numa=follow
assert_eq "$(option mpol)" default "mpol= of a rule that it does not know"
"$HUGETMPFS" -o remount,mpol=prefer:1 "$MNT"
assert_eq "$(setting)" follow "what was said stays"
"$ctl" set "$MNT" numa=bind:0
assert_eq "$(option mpol)" prefer:1 "what was said stays"
mount_stop
mount_start size=256M,huge=never,mpol=prefer:1
assert_eq "$(setting)" prefer:1 "numa= of mpol="
"$HUGETMPFS" -o remount,mpol=interleave "$MNT"
assert_match "$(setting)" '^interleave:0-[13]$' "numa= of all nodes"
"$HUGETMPFS" -o remount,mpol=default "$MNT"
assert_eq "$(setting)" default "numa= of no mpol="

echo "of a file, a part of it, a directory"

for node in 0 1; do
	: >"$MNT/file$node"
	"$ctl" policy set --numa bind:$node "$MNT/file$node"
	fill "$MNT/file$node" 3
	assert_eq "$(nodes_of "$MNT/file$node")" "$node $node $node" "bind:$node"
done
: >"$MNT/parts"
setfattr -n $xattr -v "bind:0 bind:1@1-2" "$MNT/parts"
"$ctl" policy set --numa prefer:1 --range 8m- "$MNT/parts"
fill "$MNT/parts" 6
assert_eq "$(nodes_of "$MNT/parts")" "0 1 1 0 1 1" "parts"
mkdir -p "$MNT/dir"
"$ctl" policy set --numa bind:1 "$MNT/dir"
mkdir "$MNT/dir/below"
fill "$MNT/dir/below/file" 2
assert_eq "$(nodes_of "$MNT/dir/below/file")" "1 1" "a directory's"
# what was taken away holds no more
: >"$MNT/free"
"$ctl" policy set --numa bind:1 "$MNT/free"
"$ctl" policy set --numa bind:0 "$MNT/free"
fill "$MNT/free" 1
"$ctl" policy set --numa bind:1 "$MNT/free"
fill "$MNT/free" 2
assert_eq "$(nodes_of "$MNT/free")" "0 1" "one after the other"

echo "it lives as long as the file, not the daemon"

: >"$MNT/later"
"$ctl" policy set --numa bind:1 "$MNT/later"
pid=$("$ctl" status --no-scan --json "$MNT" | jq .daemon_pid)
kill -9 "$pid"
fill "$MNT/later" 2
assert_eq "$(nodes_of "$MNT/later")" "1 1" "after the daemon's death"
assert_eq "$("$ctl" policy --json "$MNT/later" | jq -r .numa)" bind:1 "policy"
fill "$MNT/dir/after" 1
assert_eq "$(nodes_of "$MNT/dir/after")" 1 "a directory's, after that"

echo "what the caller's cpuset forbids"

echo +cpuset >$cgroups/cgroup.subtree_control
group=$cgroups/${HT_DIR##*/}-zero
mkdir "$group"
echo 0 >"$group/cpuset.mems"
confined() # COMMAND...
{
	( cgroup_exec "$group" "$@" )
}
assert confined "$ctl" policy set --numa bind:0 "$MNT/free"
assert_status 2 confined "$ctl" policy set --numa bind:0-1 "$MNT/free"
assert_match "$OUT" "node 1: the caller's cpuset does not allow it; it allows 0" \
	"outside of the cpuset"
refute confined setfattr -n $xattr -v prefer:1 "$MNT/free" 2>"$HT_DIR/err"
assert_match "$(<"$HT_DIR/err")" 'Permission denied' "attribute"
assert_eq "$("$ctl" policy --json "$MNT/free" | jq -r .numa)" bind:0 "after those"
mount_stop

echo "interleaved by extent as the kernel does it for huge pages"

mount_start size=256M,huge=always
for file in first second third; do
	: >"$MNT/$file"
	"$ctl" policy set --numa interleave:0,1 "$MNT/$file"
	fill "$MNT/$file" 6
	assert_eq "$("$ctl" map --json "$MNT/$file" | jq .summary.huge)" 6 "huge"
	ino=$(stat -c %i "$MNT/$file")
	want=$(for i in {0..5}; do echo $(((ino + i) % 2)); done | xargs)
	assert_eq "$(nodes_of "$MNT/$file")" "$want" "interleaved, inode $ino"
done

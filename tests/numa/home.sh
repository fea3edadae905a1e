#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What belongs on a node is there after recovery, huge, by the kernel's word,
# however mixed it was before: small pages on two nodes and on swap, mapped by
# two processes. Then by extent, on both; back, by a daemon that may not move
# what others have mapped. Runs in the guest.
# timeout: 200
. "$(dirname "$0")/../integration/lib.sh"
. "$HT_SRC/tests/integration/app.inc"

[ -d /sys/devices/system/node/node1 ] || skip "one NUMA node here"
cgroups=/sys/fs/cgroup
grep -qw cpuset $cgroups/cgroup.controllers 2>/dev/null ||
	skip "no cpuset in cgroup v2"
echo +cpuset >$cgroups/cgroup.subtree_control
ctl=$HUGETMPFSCTL
extents=4
file=$MNT/file
copy=$HT_DIR/copy

declare -A group
for node in 0 1; do
	group[$node]=$cgroups/${HT_DIR##*/}-node$node
	mkdir "${group[$node]}"
	echo $node >"${group[$node]}/cpuset.mems"
done

# COUNT pages of each extent, from its page FIRST on, from the copy, on a node.
write_on() # NODE FIRST COUNT
{
	local i at

	for ((i = 0; i < extents; i++)); do
		at=$((i * 512 + $2))
		( cgroup_exec "${group[$1]}" dd if="$copy" of="$file" bs=4K \
			seek=$at skip=$at count="$3" conv=notrunc status=none )
	done
}

# Nodes of the extents, in a row, and "SMALL" when one is not huge.
nodes_now()
{
	"$ctl" map --json "$file" | jq -r '[.. | objects | select(has("nid")) |
		if .state == "huge" then .nid else "SMALL" end] | join(" ")'
}

# Pages of the file on each node, by numa_maps: "N0=2048".
kernel_nodes() # NAME
{
	app_do "$1" touch
	grep -F "file=$file " "/proc/${APP_PID[$1]}/numa_maps" |
		grep -o 'N[0-9]*=[0-9]*' | tr '\n' ' '
}

# Half of it is on swap, by the kernel's word.
is_out()
{
	app_do one pageout
	[ "$(smaps_kib "${APP_PID[one]}" Swap "$file")" -ge $((extents << 10)) ]
}

echo "mixed, on swap, mapped twice: bind:1"
swap_start 64
mount_start size=128M,huge=never
head -c $((extents << 21)) /dev/urandom >"$copy"
: >"$file"
write_on 0 0 512
app_start one -a "$file"
app_do one touch
wait_for 60 is_out
# what is written comes in again, on the writer's node
write_on 1 0 100
write_on 0 100 60
app_start two -a "$file"
for ((i = 0; i < extents; i++)); do
	app_do two load $((i << 21))
	app_do one load $(((i << 21) + (100 << 12)))
done
refute grep -q huge <<<"$(states_of "$file")"
"$ctl" policy set --numa bind:1 "$file"
assert_status 0 "$ctl" recover --quiet "$file"
assert_eq "$(nodes_now)" "1 1 1 1" "nodes"
for name in one two; do
	assert_app_huge $name $extents
	assert_eq "$(kernel_nodes $name)" "N1=$((extents * 512)) " "pages of $name"
done
assert cmp "$copy" "$file"
assert_ge "$("$ctl" counters --json "$MNT" | jq .page_migrate)" 1 "migrated"

echo "by extent, of huge pages"
"$ctl" policy set --numa interleave:0,1 "$file"
assert_status 0 "$ctl" recover --quiet "$file"
assert_match "$(nodes_now)" '^(0 1 0 1|1 0 1 0)$' "interleaved"
assert_app_huge two $extents
assert cmp "$copy" "$file"
app_stop two
app_stop one

echo "no home any more: new pages are where their writer is"
"$ctl" policy set --numa bind:1 "$file"
"$ctl" policy unset --numa "$file"
truncate -s 0 "$file"
write_on 0 0 512
assert_status 0 "$ctl" recover --quiet "$file"
assert_eq "$(nodes_now)" "0 0 0 0" "nodes"
mount_stop

echo "without CAP_SYS_NICE, what nobody else has mapped"
MOUNT_RUN=(setpriv --bounding-set -sys_nice --inh-caps -sys_nice)
mount_start size=128M,huge=never
: >"$file"
write_on 0 0 512
"$ctl" policy set --numa bind:1 "$file"
assert_status 0 "$ctl" recover --quiet "$file"
assert_eq "$(nodes_now)" "1 1 1 1" "nodes"
assert cmp "$copy" "$file"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tools say about NUMA nodes is what the kernel says, before recovery
# and after, for each node of a machine that has some. Runs in the guest, with
# two nodes or four, of which some have no CPU.
. "$(dirname "$0")/../integration/lib.sh"
. "$HT_SRC/tests/integration/app.inc"

mapfile -t nodes < <(cd /sys/devices/system/node &&
	printf '%s\n' node[0-9]* | sed 's/^node//' | sort -n)
[ ${#nodes[@]} -gt 1 ] || skip "one NUMA node here"
cgroups=/sys/fs/cgroup
grep -qw cpuset $cgroups/cgroup.controllers 2>/dev/null ||
	skip "no cpuset in cgroup v2"
echo +cpuset >$cgroups/cgroup.subtree_control
mount_start size=256M,huge=never
extents=4

# A group whose memory comes from the node; its folder is printed.
group_of() # NODE
{
	local dir=$cgroups/${HT_DIR##*/}-node$1

	mkdir "$dir"
	echo "$1" >"$dir/cpuset.mems"
	echo "$dir"
}

# Writes COUNT pages of each extent, from its page FIRST on, on the node.
write_on() # NODE FILE FIRST COUNT
{
	local i

	for ((i = 0; i < extents; i++)); do
		( cgroup_exec "${group[$1]}" dd if=/dev/urandom of="$2" \
			bs=4K seek=$((i * 512 + $3)) count="$4" conv=notrunc \
			status=none )
	done
}

# Pages of the file on each node, by the kernel's word, as the application has
# it mapped: "N0=2048".
kernel_nodes() # NAME FILE
{
	app_do "$1" touch
	grep -F "file=$2 " "/proc/${APP_PID[$1]}/numa_maps" |
		grep -o 'N[0-9]*=[0-9]*' | tr '\n' ' '
}

# Every extent of the file is in this state, on this node.
assert_extents() # FILE STATE NODE
{
	local all

	all=$("$HUGETMPFSCTL" map --json "$1" |
		jq -r '.. | objects | select(has("nid")) | "\(.state) \(.nid)"' |
		sort | uniq -c | sed 's/^ *//')
	assert_eq "$all" "$extents $2 $3" "extents of ${1##*/}"
}

# Recovers the file with an application that maps it, and sees it stay.
recover_on() # FILE NODE
{
	local name=${1##*/} sum

	sum=$(sha256sum <"$1")
	assert_extents "$1" small "$2"
	app_start "$name" -a "$1"
	assert "$HUGETMPFSCTL" recover "$1" >/dev/null
	assert_extents "$1" huge "$2"
	assert_app_huge "$name" $extents
	assert_eq "$(kernel_nodes "$name" "$1")" \
		"N$2=$((extents * 512)) " "pages by node of $name"
	assert_eq "$(sha256sum <"$1")" "$sum" "content of $name"
	app_stop "$name"
}

declare -A group
for node in "${nodes[@]}"; do
	group[$node]=$(group_of "$node")
done
for node in "${nodes[@]}"; do
	write_on "$node" "$MNT/whole$node" 0 512
	recover_on "$MNT/whole$node" "$node"
done

# pages of two nodes: the huge page goes where most of them are
last=${nodes[-1]}
write_on 0 "$MNT/mixed" 0 200
write_on "$last" "$MNT/mixed" 200 312
recover_on "$MNT/mixed" "$last"

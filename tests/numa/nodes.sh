#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tools say about NUMA nodes is what the kernel says, before recovery
# and after, for each node of a machine that has some. Runs in the guest, with
# two nodes or four, of which some have no CPU.
. "$(dirname "$0")/../integration/lib.sh"
. "$HT_SRC/tests/integration/app.inc"
. "$HT_SRC/tests/numa/nodes.inc"

mount_start size=256M,huge=never
extents=4

# Recovers the file with an application that maps it, and sees it stay.
recover_on() # FILE NODE
{
	local name=${1##*/} sum

	sum=$(sha256sum <"$1")
	assert_extents "$1" $extents small "$2"
	app_start "$name" -a "$1"
	assert "$HUGETMPFSCTL" recover "$1" >/dev/null
	assert_extents "$1" $extents huge "$2"
	assert_app_huge "$name" $extents
	assert_eq "$(kernel_nodes "$name" "$1")" \
		"N$2=$((extents * 512)) " "pages by node of $name"
	assert_eq "$(sha256sum <"$1")" "$sum" "content of $name"
	app_stop "$name"
}

for node in "${nodes[@]}"; do
	write_on "$node" "$MNT/whole$node" $extents 0 512
	recover_on "$MNT/whole$node" "$node"
done

# pages of two nodes: the huge page goes where most of them are
last=${nodes[-1]}
write_on 0 "$MNT/mixed" $extents 0 200
write_on "$last" "$MNT/mixed" $extents 200 312
recover_on "$MNT/mixed" "$last"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where a policy says that pages belong, there they are after recovery, by the
# kernel's own word; or all is as it was, and the reason is said. Runs in the
# guest, with two nodes or more.
# timeout: 300
. "$(dirname "$0")/../integration/lib.sh"
. "$HT_SRC/tests/integration/app.inc"

# shellcheck source=tests/numa/nodes.inc
. "$(dirname "$0")/nodes.inc"

extents=4
pages=$((extents * 512))

# Writes COUNT pages of each extent, from its page FIRST on, on the node. They
# have the same content whenever that is done.
put_on() # NODE FILE FIRST COUNT
{
	local i at

	for ((i = 0; i < extents; i++)); do
		at=$((i * 512 + $3))
		( cgroup_exec "${group[$1]}" dd if="$HT_DIR/content" of="$2" \
			bs=4K skip=$at seek=$at count="$4" conv=notrunc \
			status=none )
	done
}

# One line an extent, in the order of the file, of these members.
members_of() # FILE MEMBERS
{
	"$HUGETMPFSCTL" map --json "$1" | jq -r \
		".. | objects | select(has(\"nid\")) | \"$2\""
}

sum_of() # FILE MEMBER
{
	members_of "$1" "\(.$2)" | awk '{ sum += $1 } END { print sum + 0 }'
}

# Every extent says so.
assert_members() # FILE MEMBERS EXPECTED
{
	assert_eq "$(members_of "$1" "$2" | sort | uniq -c | sed 's/^ *//')" \
		"$extents $3" "extents of ${1##*/}"
}

policy() # FILE RULE
{
	assert "$HUGETMPFSCTL" policy set --numa "$2" "$1" >/dev/null
}

# KiB that are free on the node above the mark from which on the kernel makes room.
# Recovery leaves some MiB above that alone, more than processes give back when
# they end.
node_kib() # NODE
{
	awk -v node="$1," '
		$1 == "Node" { ours = $2 == node }
		!ours { next }
		$1 == "pages" && $2 == "free" { free = $3 }
		$1 == "low" { low = $2 }
		$1 == "protection:" {
			kept = $NF + 0
			if (free > low + kept)
				sum += free - low - kept
		}
		END { print int(sum * 4) }' /proc/zoneinfo
}

# Takes what the node has left, but for less than a huge page, in several goes, as
# the kernel frees some late. A process that has to live on the node as well would
# not survive that, so it is the files that belong there.
fill_node() # NODE
{
	local kib i

	for ((i = 0; i < 50; i++)); do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		# what CPUs keep for themselves is free after that
		echo 1 >/proc/sys/vm/compact_memory
		kib=$(node_kib "$1")
		[ "$kib" -gt 1024 ] || return 0
		fills=$((fills + 1))
		: >"$MNT/fill$1.$fills"
		policy "$MNT/fill$1.$fills" "bind:$1"
		# nothing is written, nor even cleared: pages are taken
		fallocate -l $(((kib - 512) * 31 / 32 + 64))K \
			"$MNT/fill$1.$fills"
	done
	fail "node $1 has room left: $kib KiB"
}

empty_node() # NODE
{
	rm "$MNT"/fill"$1".*
	wait_for 60 node_has_room "$1"
}

node_has_room() # NODE
{
	[ "$(node_kib "$1")" -gt 102400 ]
}

# Both have all of it mapped huge, and it is on the node, with the same content.
assert_mapped_on() # NODE FILE
{
	local name

	assert_members "$2" "\(.state) \(.nid)" "huge $1"
	for name in one two; do
		assert_app_huge $name $extents
		assert_eq "$(kernel_nodes $name "$2")" "N$1=$pages " \
			"pages by node of $name"
	done
	assert cmp "$2" "$HT_DIR/content"
}

# Some pages on each node and the rest on swap, used by two processes; all is to
# be on the second node, then on the first.
test_bind()
{
	local file=$MNT/bind try

	put_on 0 "$file" 0 512
	app_start one -a "$file"
	app_do one touch
	for try in 1 2 3 4 5; do
		app_do one pageout
		[ "$(sum_of "$file" swapped_pages)" -lt $((pages / 2)) ] ||
			break
	done
	put_on 0 "$file" 0 100
	put_on 1 "$file" 100 60
	put_on 0 "$file" 400 50
	app_start two -a "$file"
	assert_ge "$(sum_of "$file" swapped_pages)" $((pages / 4)) "on swap"
	policy "$file" bind:1
	echo "paged out by $try tries"
	assert_members "$file" "\(.state) \(.nid)" "swapped 0"
	assert "$HUGETMPFSCTL" recover "$file" >/dev/null
	assert_mapped_on 1 "$file"
	# huge already, and to be on the first one
	policy "$file" bind:0
	assert_members "$file" "\(.state) \(.reason)" "huge misplaced"
	assert "$HUGETMPFSCTL" recover "$file" >/dev/null
	assert_mapped_on 0 "$file"
	app_stop one
	app_stop two
	rm "$file"
}

test_interleave()
{
	local file=$MNT/interleave nids first

	put_on 0 "$file" 0 300
	put_on 1 "$file" 300 212
	policy "$file" interleave:0,1
	assert "$HUGETMPFSCTL" recover "$file" >/dev/null
	assert_members "$file" "\(.state) \(.reason)" "huge done"
	nids=$(members_of "$file" "\(.nid)" | tr -d '\n')
	first=${nids:0:1}
	assert_eq "$nids" "$first$((1 - first))$first$((1 - first))" \
		"node of each extent"
	rm "$file"
}

# As it was: the same pages on the same nodes, none brought in, the same size.
picture() # FILE
{
	members_of "$1" "\(.state) \(.nid) \(.data_pages) \(.swapped_pages)"
	stat -c '%b' "$1"
}

test_bind_full()
{
	local small=$MNT/small huge=$MNT/huge file before

	put_on 0 "$small" 0 512
	put_on 0 "$huge" 0 512
	assert "$HUGETMPFSCTL" recover "$huge" >/dev/null
	for file in "$small" "$huge"; do
		fill_node 1
		policy "$file" bind:1
		before=$(picture "$file")
		# that one is huge is not all that was wanted
		assert_status 3 "$HUGETMPFSCTL" recover "$file"
		assert_match "$OUT" node_full "recovery with node 1 full"
		assert_members "$file" "\(.reason)" node_full
		assert_eq "$(picture "$file")" "$before" "after that"
		assert cmp "$file" "$HT_DIR/content"
	done
	# with room they go there
	empty_node 1
	for file in "$small" "$huge"; do
		assert "$HUGETMPFSCTL" recover "$file" >/dev/null
		assert_members "$file" "\(.state) \(.nid)" "huge 1"
		rm "$file"
	done
}

# The next by distance: with two nodes the other one; with four it is node 1
# for node 2, which is nearer to it than node 0 and node 3 are.
test_prefer_full()
{
	local file=$MNT/prefer full=1 next=0

	[ ${#nodes[@]} = 2 ] || full=2 next=1
	put_on 0 "$file" 0 512
	fill_node $full
	policy "$file" prefer:$full
	assert "$HUGETMPFSCTL" recover "$file" >/dev/null
	assert_members "$file" "\(.state) \(.nid)" "huge $next"
	empty_node $full
	assert "$HUGETMPFSCTL" recover "$file" >/dev/null
	assert_members "$file" "\(.state) \(.nid)" "huge $full"
	rm "$file"
}

fills=0
dd if=/dev/urandom of="$HT_DIR/content" bs=2M count=$extents status=none
mount_start size=2G,huge=never
swap_start 64
test_bind
swap_stop
test_interleave
test_bind_full
test_prefer_full

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 120
# Where pages belong, as it is said: by mount options, attributes, the library's
# ioctls and hugetmpfsctl policy; what is refused, and in which words. The nodes
# are those of the machine, one or more.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
xattr=user.hugetmpfs.numa
user=65534
type setfattr >/dev/null || skip "no setfattr"

numa() # PATH
{
	getfattr --only-values -n $xattr "$1" 2>/dev/null
}

# The nodes with memory as the kernel lists them.
there=$(cat /sys/devices/system/node/has_memory 2>/dev/null || echo 0)

# What a command says, when it must fail.
said() # STATUS COMMAND...
{
	local status=$1

	shift
	assert_status "$status" "$@"
	REPLY=${OUT%%$'\n'*}
}

# ---- of the mount ----

said 1 "$HUGETMPFS" -o numa=bind:1023 "$MNT"
assert_match "$REPLY" 'option numa: node 1023: no such NUMA node with memory' \
	"a node that is not there"
said 1 "$HUGETMPFS" -o numa=bind:3-1 "$MNT"
assert_match "$REPLY" '"3-1": a range of nodes ends before it begins' "order"
mount_start size=64M,huge=never,mpol=interleave
"$ctl" status --no-scan --json "$MNT" | jq -e \
	'.interfaces[] | select(.name == "user_xattrs") | .present' >/dev/null ||
	skip "tmpfs has no user xattrs here"
assert_match "$("$ctl" set --json "$MNT" | jq -r .numa)" '^interleave:0' \
	"as tmpfs has it"
"$HUGETMPFS" -o remount,mpol=bind:0 "$MNT"
assert_eq "$("$ctl" set --json "$MNT" | jq -r .numa)" bind:0 "a remount"
mount_stop

mount_start size=64M,huge=never,numa=bind:0
assert_eq "$("$ctl" set --json "$MNT" | jq -r .numa)" bind:0 "as mounted"
"$HUGETMPFS" -o remount,mpol=default "$MNT"
assert_eq "$("$ctl" set --json "$MNT" | jq -r .numa)" bind:0 "what was said stays"
"$ctl" set "$MNT" numa=interleave:0,0 max_holes=9
assert_eq "$("$ctl" set --json "$MNT" | jq -r .numa)" interleave:0 "set"
said 1 "$ctl" set "$MNT" max_holes=3 numa=prefer:1023
assert_match "$REPLY" \
	"node 1023: no such NUMA node with memory here; there is $there" \
	"set to what is not there"
said 1 "$ctl" set "$MNT" numa=bind:0@4-5
assert_match "$REPLY" 'option numa: a mount has one rule' "a range"
assert_eq "$("$ctl" set --json "$MNT" | jq -r '.numa, .max_holes')" \
	$'interleave:0\n9' "after what was refused"
"$ctl" set "$MNT" numa=default

# ---- attributes ----

file=$MNT/file
dd if=/dev/urandom of="$file" bs=1M count=8 status=none
sum=$(sha256sum "$file")
for value in default bind:0 prefer:0 interleave:0 follow \
	"bind:0 follow@1-2 default@3-"; do
	setfattr -n $xattr -v "$value" "$file"
	assert_eq "$(numa "$file")" "$value" "value"
done
for value in "" bind bind: bind:x "bind:0,"  bind:2-1 prefer:0-1 follow:0 Bind:0 \
	"bind:0@" "bind:0@2-1" "bind:0@x-y" "$(printf 'bind:0@%d-%d ' {0..129})"; do
	refute setfattr -n $xattr -v "$value" "$file" 2>"$HT_DIR/err"
	assert_match "$(<"$HT_DIR/err")" 'Invalid argument' "value \"$value\""
done
refute setfattr -n $xattr -v bind:1023 "$file" 2>"$HT_DIR/err"
assert_match "$(<"$HT_DIR/err")" 'No such device' "a node that is not there"
assert_eq "$(numa "$file")" "bind:0 follow@1-2 default@3-" "after those"
cp -a "$file" "$MNT/copy"
assert_eq "$(numa "$MNT/copy")" "$(numa "$file")" "a copy"
mkdir "$MNT/dir"
setfattr -n $xattr -v prefer:0 "$MNT/dir"
mkdir "$MNT/dir/below"
: >"$MNT/dir/below/file"
mknod "$MNT/dir/node" p
mknod "$MNT/dir/made" c 1 3
assert_eq "$(numa "$MNT/dir/below")" prefer:0 "a directory"
assert_eq "$(numa "$MNT/dir/below/file")" prefer:0 "a file"
setfattr -x $xattr "$file"
refute numa "$file"

# ---- hugetmpfsctl policy ----

assert_status 0 "$ctl" policy "$file"
assert_eq "$OUT" "$file:
  numa     default (as the mount has it)
  recover  $("$ctl" set --json "$MNT" | jq -r \
	'.recover | if . == false then "off" else . end') (as the mount has it)" "nothing"
assert_status 0 "$ctl" policy set --numa bind:0 --recover all "$file"
assert_eq "$OUT" "" "output"
assert_status 0 "$ctl" policy show "$file" "$MNT/dir"
assert_eq "$OUT" "$file:
  numa     bind:0
  recover  all
$MNT/dir:
  numa     prefer:0
  recover  off (as the mount has it)" "its own"
assert_eq "$(getfattr --only-values -n user.hugetmpfs.recover "$file" 2>/dev/null)" \
	all "the other attribute"
assert_eq "$("$ctl" policy set --numa follow --range 3m-5m --json "$file" |
	jq -r '.path, .numa, .numa_mount, .recover, .recover_file')" \
	"$file"$'\nbind:0 follow@1-2\ndefault\nall\nall' "a range"
"$ctl" policy set --numa follow --range 2m-6m "$file"
"$ctl" policy set --numa interleave:0 --range 6m- "$file"
assert_eq "$(numa "$file")" "bind:0 follow@1-2 interleave:0@3-" "ranges"
"$ctl" policy unset --range 2m-4m "$file"
assert_eq "$(numa "$file")" "bind:0@0-0 bind:0@2- follow@2-2 interleave:0@3-" \
	"a range taken away"
"$ctl" policy unset --range 0- "$file"
refute numa "$file"
assert_eq "$("$ctl" policy --json "$file" | jq -c '[.numa, .recover_file]')" \
	'[null,"all"]' "the other one stays"
"$ctl" policy unset "$file" "$file"
assert_eq "$("$ctl" policy --json "$file" | jq -c '[.numa, .recover_file]')" \
	'[null,null]' "both taken away"
assert_eq "$("$ctl" policy --json "$file" "$MNT/dir" | jq -c '[.[].numa]')" \
	'[null,"prefer:0"]' "two"

# ---- refused, in words ----

"$ctl" policy set --numa bind:0 "$file"
refused() # WORDS ARGUMENT...
{
	local words=$1

	shift
	said 2 "$ctl" policy set "$@"
	assert_match "$REPLY" "^hugetmpfsctl: .*$words" "$*"
	assert_eq "$(numa "$file")" bind:0 "after $*"
}
refused "node 1022-1023: no such NUMA node with memory here; there is $there" \
	--numa interleave:0,1022-1023 "$file"
refused '"1024": nodes have numbers up to 1023' --numa bind:1024 "$file"
refused '"2-1": a range of nodes ends before it begins' --numa bind:2-1 "$file"
refused '"0," is no list of nodes' --numa bind:0, "$file"
refused '"everywhere" is no placement: write default, bind:NODES' \
	--numa everywhere "$file"
refused 'prefer takes one node' --numa prefer:0-1 "$file"
refused 'the range ends before it begins' --numa bind:0@5-2 "$file"
refused 'for a range one rule is to be given' --numa "bind:0 follow" \
	--range 0-2m "$file"
refused 'a directory has no range' --numa bind:0 --range 0-2m "$MNT/dir"
refused 'not on a hugetmpfs mount' --numa bind:0 "$HT_DIR/err"
refused 'No such file' --numa bind:0 "$MNT/none"
refused 'not a regular file' --numa bind:0 "$MNT/dir/node"
rules=$(printf 'bind:0@%d-%d ' $(seq 0 10 630 | awk '{ print $1, $1 + 5 }'))
"$ctl" policy set --numa "$rules" "$MNT/copy"
said 2 "$ctl" policy set --numa bind:0 --range 4g- "$MNT/copy"
assert_match "$REPLY" 'more than 64 rules' "too many"
said 2 "$ctl" policy unset --range 4m-6m "$MNT/copy"
assert_match "$REPLY" 'more than 64 rules' "a piece out of the middle"
assert_eq "$(numa "$MNT/copy")" "${rules% }" "after too many"
for range in 5m-5m 6m-4m x 4m 9223372036854775807- -4m; do
	said 1 "$ctl" policy set --numa bind:0 "--range=$range" "$file"
	assert_match "$REPLY" 'is not START-END with END after START' "$range"
done
said 1 "$ctl" policy set "$file"
assert_match "$REPLY" 'needs --numa or --recover' "nothing to set"
said 1 "$ctl" policy set --recover some "$file"
assert_match "$REPLY" '"some" is not mapped, all or off' "a word"
said 1 "$ctl" policy set --numa "" "$file"
assert_match "$REPLY" 'policy unset --numa takes it away' "an empty rule"
said 1 "$ctl" policy set --recover off --range 0-2m "$file"
said 1 "$ctl" policy
said 3 "$ctl" policy "$MNT/none" "$file"

# ---- others ----

# who may write to a file of somebody else may not say where its pages belong
chmod 711 "$HT_DIR"
chmod 666 "$file"
as_user() # COMMAND...
{
	setpriv --reuid=$user --regid=$user --clear-groups "$@"
}
said 2 as_user "$ctl" policy set --numa default "$file"
assert_match "$REPLY" 'only its owner and root may say where its pages' \
	"not the owner"
said 2 as_user "$ctl" policy unset "$file"
assert_status 0 as_user "$ctl" policy show "$file"
refute as_user setfattr -n $xattr -v default "$file" 2>"$HT_DIR/err"
assert_match "$(<"$HT_DIR/err")" 'not permitted' "attribute"
refute as_user setfattr -x $xattr "$file" 2>/dev/null
chmod 777 "$MNT/dir"
said 2 as_user "$ctl" policy set --numa default "$MNT/dir"
chown $user "$MNT/dir" "$file"
assert_status 0 as_user "$ctl" policy set --numa default "$MNT/dir"
chmod 444 "$file"
said 2 as_user "$ctl" policy set --numa default "$file"
assert_match "$REPLY" 'Permission denied' "not to be opened for writing"
chmod 644 "$file"
assert_status 0 as_user "$ctl" policy unset "$file"
"$ctl" policy set --numa bind:0 "$file"
assert_eq "$(numa "$file")" bind:0 "root may"

# ---- where things are ----

# what is new is where it belongs, from the start
truncate -s 0 "$file"
cat "$MNT/copy" >"$file"
assert_status 0 "$ctl" map --numa "$file"
assert_match "$OUT" "^$file: 8\.0 MiB, with its own policy numa=bind:0" "head"
assert_match "$OUT" $'\n         0  0000\n' "grid"
assert_match "$OUT" 'node 0 +4 extents +8\.0 MiB' "sum"
assert_match "$OUT" 'misplaced: nothing$' "misplaced"
truncate -s 10M "$MNT/sparse"
assert_status 0 "$ctl" map --numa "$MNT/sparse"
assert_match "$OUT" $'\n         0  \.\.\.\.\.\n' "holes are nowhere"
assert_eq "$("$ctl" map --json "$file" |
	jq -c '[.extents[] | .nid, .misplaced_pages], .summary.misplaced_pages')" \
	$'[0,0,0,0,0,0,0,0]\n0' "JSON"
used=$("$ctl" status --json "$MNT" | jq -c '.bytes_by_node, .misplaced_bytes,
	([.bytes_by_state | del(.hole)[]] | add) - .swapped_bytes')
assert_match "$used" '^\{"0":([0-9]+).*\}'$'\n0\n''[0-9]+$' "status"
assert_eq "$(jq -s '([.[0][]] | add) == .[2]' <<<"$used")" true \
	"bytes in memory: $used"
assert_eq "$("$ctl" status --no-scan --json "$MNT" |
	jq -c '[.bytes_by_node, .misplaced_bytes]')" '[null,null]' "without looking"
"$ctl" metrics --scan "$MNT" >"$HT_DIR/metrics"
assert grep -q '^hugetmpfs_node_bytes{.*,node="0"} [1-9]' "$HT_DIR/metrics"
assert awk -f "$HT_SRC/tests/integration/openmetrics.awk" "$HT_DIR/metrics"
refute grep -q hugetmpfs_node_bytes <("$ctl" metrics "$MNT")

# ---- it changes nothing else ----

setfattr -n $xattr -v "follow bind:0@1-2" "$file"
assert_status 0 "$ctl" recover "$file"
assert_eq "$(sha256sum "$file")" "$sum" "data"
assert_eq "$("$ctl" map --json "$file" | jq .summary.huge)" 4 "huge extents"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl status and counters: what they say of a mount, with its daemon
# alive, busy, stopped and dead; and bad input.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 "$HT_DIR"
mount_start size=256M,huge=never,nr_inodes=1k

build() # FILE MIB
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" status=none
}

field() # JQ_FILTER
{
	jq -rc "$1" <<<"$OUT"
}

# ---- an empty mount ----

assert_status 0 "$ctl" status --json "$MNT"
assert_eq "$(field keys_unsorted)" '["mountpoint","version","keeper_pid","daemon_pid","options","survival","passthrough","seccomp","capabilities","memory_lock","keeper_locked_bytes","daemon_locked_bytes","keeper_oom_score_adj","daemon_oom_score_adj","recoveries","queued","running","size_bytes","used_bytes","free_bytes","nr_inodes","used_inodes","free_inodes","files","unreadable","swapped_bytes","misplaced_bytes","other_bytes","settings","interfaces","extents_by_state","bytes_by_state","bytes_by_node","files_by_policy","counters","latencies"]' \
	"members"
assert_eq "$(field .mountpoint)" "$MNT" "mountpoint"
assert_eq "$(field .keeper_pid)" "$(mount_keeper)" "keeper"
assert_eq "$(field .daemon_pid)" "$(mount_daemon | tr -d ' ')" "daemon"
assert_match "$(field .options)" 'size=256M' "options"
assert_eq "$(field .passthrough)" true "passthrough"
assert_eq "$(field '[.size_bytes, .free_bytes, .nr_inodes, .files]')" \
	'[268435456,268435456,1024,0]' "space"
assert_eq "$(field '[.interfaces[] | keys_unsorted] | unique')" \
	'[["name","present","absence"]]' "interfaces"
assert_eq "$(field '.interfaces[] | select(.name == "MADV_COLLAPSE").present')" \
	true "MADV_COLLAPSE"
assert_eq "$(field '.bytes_by_state | add')" 0 "bytes"
assert_eq "$(field '.counters.recov_completed')" 0 "counters"

# ---- files in all states, with links, deep down and without a name ----

mkdir -p "$MNT/a/b/c"
build "$MNT/huge" 8
"$ctl" recover --quiet "$MNT/huge"
build "$MNT/a/b/c/small" 4
ln "$MNT/a/b/c/small" "$MNT/a/again"
build "$MNT/a/partial" 2
fallocate -p -o 0 -l 8192 "$MNT/a/partial"
truncate -s 6M "$MNT/hole"
assert_status 0 "$ctl" status --json "$MNT/a"
assert_eq "$(field '[.extents_by_state[]]')" '[3,4,0,2,1]' "extents by state"
assert_eq "$(field '.bytes_by_state | [.hole, .huge, .swapped, .small, .partial]')" \
	"[$((6 << 20 | 8192)),$((8 << 20)),0,$((4 << 20)),$((2040 << 10))]" \
	"bytes by state"
assert_eq "$(field '.files, .other_bytes' | tr '\n' ' ')" '4 0 ' "files"
assert_eq "$(field '.used_bytes == (.bytes_by_state | .huge + .small + .partial)')" \
	true "used bytes"
assert_ge "$(field .counters.recov_completed)" 4 "completed recoveries"
assert_eq "$(field '.latencies | keys_unsorted')" \
	'["look","swapin","collapse","remap","scan","migrate"]' "durations"
assert_eq "$(field '[.latencies[] | (.counts | add) == .count] | unique')" \
	'[true]' "the buckets of durations"
assert_ge "$(field .latencies.collapse.count)" 4 "collapses"
assert_ge "$(field .latencies.collapse.sum_ns)" 4000 "ns for the collapses"
exec 7<"$MNT/a/partial"
rm "$MNT/a/partial"
assert_status 0 "$ctl" status --json "$MNT"
assert_eq "$(field .other_bytes)" $((2040 << 10)) "bytes without a name"
exec 7<&-

assert_status 0 "$ctl" status --json --no-scan "$MNT"
assert_eq "$(field '[.files, .bytes_by_state, .other_bytes]')" \
	'[null,null,null]' "without a scan"

# ---- text ----

assert_status 0 "$ctl" status "$MNT"
assert_match "$OUT" "mountpoint +$MNT" "text"
assert_match "$OUT" 'passthrough +on' "text"
assert_match "$OUT" '  huge +4 extents +8\.0 MiB' "text"
assert_match "$OUT" '  collapse +[0-9]+ +[0-9]+\.[0-9] +[0-9]+ +[0-9]+' "text"
assert_match "$OUT" 'MADV_COLLAPSE +present' "text"
assert_status 0 "$ctl" status --no-scan "$MNT"
assert_match "$OUT" 'files: not looked at' "text without a scan"

assert_status 0 "$ctl" counters "$MNT"
assert_match "$OUT" $'recov_completed +[0-9]+\n' "counters"
assert_eq "$(grep -cE '^(huge_(alloced|failed|too_late)|page_(created|migrate|off_lru|raced|teamed|unmigrated)|recov_(completed|failed|partial|retried)|remap_(another|faulter|untried)|resume_(tagged|teamed)|swap_(cached|entry|gone|read)|work_(already|queued|too_late|too_many)) ' \
	<<<"$OUT")" 26 "counters of the kernel series"
assert_match "$OUT" 'fuse_lookup +[1-9]' "requests by kind"
assert_status 0 "$ctl" counters --json "$MNT"
assert_eq "$(field '[.[] | type] | unique')" '["number"]' "counters as JSON"

assert_status 0 "$ctl" counters "$MNT/huge"
assert_match "$OUT" $'bytes_recovered +8388608\n' "counters of a file"
assert_status 0 "$ctl" counters --json "$MNT/huge"
assert_eq "$(field '[.bytes_recovered, .recov_completed, .ended_done]')" \
	'[8388608,4,4]' "counters of a file as JSON"
assert_status 0 "$ctl" counters --json "$MNT/a/again"
assert_eq "$(field '[.[]] | add')" 0 "counters of a file that was not recovered"

# reads and writes of passthrough files reach no daemon: nothing is counted
before=$("$ctl" counters --json "$MNT" | jq -c '[.fuse_read, .fuse_write]')
dd if="$MNT/huge" of="$MNT/copy" bs=1M status=none
assert_eq "$("$ctl" counters --json "$MNT" | jq -c '[.fuse_read, .fuse_write]')" \
	"$before" "requests for data"

# ---- many at once ----

pids=
for i in {1..40}; do
	# a file each: what is longer than a buffer would be mixed up
	"$ctl" status --json "$MNT" >"$HT_DIR/many.$i" &
	pids="$pids $!"
done
# shellcheck disable=SC2086 # a list of numbers
wait $pids
assert_eq "$(jq -r .files "$HT_DIR"/many.* | sort | uniq -c | tr -s ' ')" \
	" 40 4" "answers"

# ---- bad input ----

for command in status counters; do
	assert_status 1 "$ctl" $command
	assert_match "$OUT" 'one mount has to be named' "no argument"
	assert_status 1 "$ctl" $command "$MNT" "$MNT"
	assert_status 1 "$ctl" $command --fast "$MNT"
	assert_match "$OUT" '\-\-fast: unknown option' "unknown option"
	assert_status 0 "$ctl" $command --help
	assert_status 2 "$ctl" $command "$HT_DIR"
	assert_match "$OUT" 'not on a hugetmpfs mount' "another file system"
	assert_status 2 "$ctl" $command "$HT_DIR/none"
	assert_match "$OUT" 'No such file' "no such path"
	assert_status 2 "${user[@]}" "$ctl" $command "$MNT"
	assert_match "$OUT" 'only root may ask the daemon' "not root"
done
assert_status 1 "$ctl"
assert_status 1 "$ctl" mount
assert_match "$OUT" 'unknown command "mount"' "unknown command"
assert_status 0 "$ctl" --help
assert_status 0 "$ctl" --version
assert_match "$OUT" '^hugetmpfsctl [0-9]' "version"

# ---- a daemon that does not answer, and one that is dead ----

daemon=$(mount_daemon)
daemon=${daemon% }
stop_process "$daemon"
status=0
timeout 2 "$ctl" status --no-scan "$MNT" >"$HT_DIR/out" 2>&1 || status=$?
kill -CONT "$daemon"
assert_eq $status 124 "a stopped daemon is waited for"
assert_status 0 "$ctl" status --no-scan "$MNT"

mount_kill
assert_status 2 timeout 10 "$ctl" status "$MNT"
assert_match "$OUT" 'attach' "what to do then"
assert_status 2 timeout 10 "$ctl" counters --json "$MNT"
assert_match "$OUT" 'attach' "what to do then"
assert_status 2 timeout 10 "$ctl" map "$MNT/huge"
assert_match "$OUT" 'attach' "what to do then"
assert_status 2 timeout 10 "$ctl" recover "$MNT/huge"
assert_match "$OUT" 'attach' "what to do then"
assert_status 2 timeout 10 "$ctl" recover "$MNT"
"$HUGETMPFS" --attach "$MNT"
assert_status 0 "$ctl" status --json "$MNT"
assert_eq "$(field .files)" 4 "files after the attach"

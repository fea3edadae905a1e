#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Memory of keeper and daemon that stays when there is little: what is locked,
# how much, that data of files is not, and what is said where it cannot be.
. "${0%/*}/lib.sh"

pageout=$HT_BUILD/tests/integration/pageout
mib=$((1 << 20))

has_capability() # NUMBER
{
	local effective

	effective=$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status)
	[ $((0x$effective >> $1 & 1)) = 1 ]
}

# A member of the status, as JSON has it.
status() # NAME
{
	"$HUGETMPFSCTL" status --json --no-scan "$MNT" | jq -r ".$1"
}

kib_of() # PID FIELD
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# Page faults of a process that had to wait for a disk. The name has no blanks.
major_faults() # PID
{
	awk '{ print $12 }' "/proc/$1/stat"
}

operations()
{
	local i

	for i in {1..50}; do
		mkdir "$MNT/directory"
		echo content >"$MNT/directory/file$i"
		mv "$MNT/directory/file$i" "$MNT/directory/other"
		stat "$MNT/directory/other" "$MNT/missing$i" &>/dev/null || :
		[ "$(ls "$MNT/directory")" = other ]
		rm -r "$MNT/directory"
	done
}

has_capability 14 || skip "no CAP_IPC_LOCK"
swap_start 64

echo "without CAP_IPC_LOCK nothing is locked, and it serves"
mkdir "$MNT"
(
	ulimit -l 64
	setpriv --bounding-set -ipc_lock "$HUGETMPFS" -o recover=off "$MNT"
)
assert_match "$(status memory_lock)" '^off: CAP_IPC_LOCK is missing' "status"
assert_eq "$(status keeper_locked_bytes)" 0 "keeper"
assert_eq "$(status daemon_locked_bytes)" 0 "daemon"
operations
"$pageout" "$(mount_daemon)"
assert_ge "$(kib_of "$(mount_daemon)" VmSwap)" 4 "KiB of it on swap"
operations
mount_stop

echo "with it, some MiB are"
mount_start size=256M
keeper=$(mount_keeper)
daemon=$(mount_daemon)
assert_eq "$(status memory_lock)" on "status"
for who in keeper daemon; do
	assert_ge "$(status ${who}_locked_bytes)" $((3 * mib)) "$who"
	assert_le "$(status ${who}_locked_bytes)" $((32 * mib)) "$who"
done

echo "operations wait for no page of theirs"
operations
"$pageout" "$daemon"
"$pageout" "$keeper"
before=$(major_faults "$daemon")
operations
assert_eq "$(major_faults "$daemon")" "$before" "major faults of the daemon"
assert_eq "$(kib_of "$keeper" VmSwap)" 0 "KiB of the keeper on swap"

echo "tables are locked as far as they are in use"
before=$(status daemon_locked_bytes)
for i in {1..5000}; do
	: >"$MNT/$i"
done
# 144 bytes each, a thousand at a time, the first of them before; what else
# grows are the heap, and the threads that serve, up to 64
assert_ge "$(status daemon_locked_bytes)" $((before + 4 * 1024 * 144)) "locked"
assert_le "$(status daemon_locked_bytes)" $((before + 48 * mib)) "locked"
for fd in "/proc/$keeper/fd"/*; do
	[[ $(readlink "$fd") == /memfd:hugetmpfs-table* ]] || continue
	# the journal of each serving thread that there was, and few records
	assert_le $(($(stat -L -c %b "$fd") * 512)) $((32 * mib)) "the tables"
done

echo "data is not"
dd if=/dev/urandom of="$MNT/data" bs=1M count=64 status=none
"$HUGETMPFSCTL" recover --quiet "$MNT/data"
"$HUGETMPFSCTL" map "$MNT/data" >/dev/null
assert_le "$(status daemon_locked_bytes)" $((before + 48 * mib)) "locked"

echo "the next daemon has locked the same"
kill -KILL "$daemon"
wait_for 60 test -e "$MNT/data"
assert_ge "$(status daemon_locked_bytes)" $((3 * mib + 4 * 1024 * 144)) \
	"locked"

echo "both are killed last when memory runs out"
if has_capability 24; then
	assert_eq "$(status keeper_oom_score_adj)" -1000 "keeper"
	assert_eq "$(status daemon_oom_score_adj)" -900 "daemon"
else
	assert_eq "$(status keeper_oom_score_adj)" "$(cat /proc/self/oom_score_adj)" \
		"without CAP_SYS_RESOURCE"
fi

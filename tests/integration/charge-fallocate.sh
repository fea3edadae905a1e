#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an fallocate allocates is charged to the cgroup of the caller, not to
# the daemon's: a container cannot escape its limit that way.
# sanitized
. "$(dirname "$0")/lib.sh"

mib=$((1 << 20))

# A process that has so much memory; its pid is left in $HOLDER.
holder_start() # GROUP BYTES
{
	rm -f "$HT_DIR/fifo"
	mkfifo "$HT_DIR/fifo"
	( cgroup_exec "$1" tail -c "$2" <"$HT_DIR/fifo" >/dev/null ) &
	HOLDER=$!
	exec 8>"$HT_DIR/fifo"
	head -c "$2" /dev/zero >&8
	wait_for 30 holds $(($2 / 1024))
}

holds() # KIB
{
	[ "$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$HOLDER/status")" -ge "$1" ]
}
group=$(cgroup_create payer)
mount_start size=512M

( cgroup_exec "$group" fallocate -l $((64 * mib)) "$MNT/file" )
assert_ge "$(cgroup_shmem_bytes "$group")" $((64 * mib)) "charged to the caller"
assert_eq "$(stat -c %s "$MNT/file")" $((64 * mib)) "size"

# what is there already costs nothing, what is punched is given back
before=$(cgroup_shmem_bytes "$group")
fallocate -l $((64 * mib)) "$MNT/file"
assert_eq "$(cgroup_shmem_bytes "$group")" "$before" "allocated twice"
fallocate -p -o 0 -l $((64 * mib)) "$MNT/file"
assert_le "$(cgroup_shmem_bytes "$group")" $mib "after the punch"

# errors come through as they are: there is no such room on this mount
assert_status 1 bash -c "echo \$\$ >'$group/cgroup.procs' &&
	exec fallocate -l 1G '$MNT/big'"
assert_match "$OUT" "No space left" "message"
assert_le "$(cgroup_shmem_bytes "$group")" $mib "after ENOSPC"

# at its limit the caller's cgroup answers for it; nobody in it is killed, and
# nothing else suffers
small=$(cgroup_create small $((32 * mib)))
holder_start "$small" $((16 * mib))
refute bash -c "echo \$\$ >'$small/cgroup.procs' &&
	exec fallocate -l 128M '$MNT/much'" 2>/dev/null
assert_le "$(cgroup_bytes "$small")" $((32 * mib)) "below its limit"
assert kill -0 "$HOLDER"
assert touch "$MNT/still-serves"
rm -f "$MNT"/*

# the same where the daemon is in that cgroup, too, and nobody is charged
shared=$(cgroup_create shared $((256 * mib)))
MOUNT_RUN=(bash -c 'echo $$ >"$0"; exec "$@"' "$shared/cgroup.procs")
mount_start size=1G "$HT_DIR/other"
daemon=$(mount_daemon "$HT_DIR/other")
holder_start "$shared" $((96 * mib))
refute bash -c "echo \$\$ >'$shared/cgroup.procs' &&
	exec fallocate -l 512M '$HT_DIR/other/much'" 2>/dev/null
assert kill -0 "$HOLDER"
assert_eq "$(mount_daemon "$HT_DIR/other")" "$daemon" "daemon"
assert_le "$(du -m "$HT_DIR/other/much" | cut -f 1)" 0 "MiB that were not undone"

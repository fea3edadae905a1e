#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What an fallocate allocates is charged to the cgroup of the caller, not to
# the daemon's: a container cannot escape its limit that way.
# sanitized
. "$(dirname "$0")/lib.sh"

mib=$((1 << 20))
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

# at its limit the caller's cgroup answers for it; nothing else suffers
small=$(cgroup_create small $((32 * mib)))
refute bash -c "echo \$\$ >'$small/cgroup.procs' &&
	exec fallocate -l 128M '$MNT/much'" 2>/dev/null
assert_le "$(cgroup_bytes "$small")" $((32 * mib)) "below its limit"
assert touch "$MNT/still-serves"
rm -f "$MNT"/*

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Recovery leaves the charge where it is: with the cgroup that pays for the
# pages, whoever maps them, and whether anybody does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/app.inc"

mib=$((1 << 20))
owner=$(cgroup_create owner)
other=$(cgroup_create other)
mount_start size=512M,huge=never

build() # FILE: 64 MiB of small pages at the expense of the owner
{
	( cgroup_exec "$owner" dd if=/dev/urandom of="$MNT/$1" bs=64K \
		count=1024 status=none )
}

charges_are() # WHEN
{
	assert_ge "$(cgroup_shmem_bytes "$owner")" $((64 * mib)) "owner, $1"
	assert_le "$(cgroup_shmem_bytes "$other")" $mib "other, $1"
}

is_huge() # FILE
{
	"$HUGETMPFSCTL" map --json "$1" |
		grep -o '"state": *"[a-z]*"' | sort | uniq -c |
		grep -Eq '^ *32 .*huge'
}

# nobody maps it
build alone
charges_are "before"
assert "$HUGETMPFSCTL" recover "$MNT/alone" >/dev/null
assert is_huge "$MNT/alone"
charges_are "recovered without a mapper"
rm "$MNT/alone"
given_back() { [ "$(cgroup_shmem_bytes "$owner")" -lt $mib ]; }
wait_for 5 given_back

# only a stranger maps it
build mapped
app_start stranger -a "$MNT/mapped"
echo "${APP_PID[stranger]}" >"$other/cgroup.procs"
app_do stranger touch
app_do stranger pmd
assert_eq "$REPLY" 0 "mapped huge before"
assert "$HUGETMPFSCTL" recover "$MNT/mapped" >/dev/null
assert is_huge "$MNT/mapped"
charges_are "recovered under a stranger"
app_do stranger pmd
assert_eq "$REPLY" $((64 * mib)) "mapped huge after"
app_stop stranger
rm "$MNT/mapped"

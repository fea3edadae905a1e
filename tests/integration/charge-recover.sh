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

are_charged() # the kernel sums up each processor's part now and then
{
	[ "$(cgroup_shmem_bytes "$owner")" -ge $((64 * mib)) ] &&
		[ "$(cgroup_shmem_bytes "$other")" -le $mib ]
}

charges_are() # WHEN
{
	echo "$1"
	wait_for 20 are_charged
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
wait_for 20 given_back

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

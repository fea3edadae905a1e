#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A swap storm: a memory cgroup's limit pushes a mapped file out. When it is
# lifted, and the application touches one page of each extent, the file is
# whole again with no command given. HT_STORM_MIB (512) is the file's size.
# timeout: 600
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

HT_RECOVER=yes
mib=${HT_STORM_MIB:-$(scaled 512 64)}
extents=$((mib / 2))

is_whole()
{
	[ "$(states_of "$MNT/file")" = "$(words huge $extents)" ]
}

# The kernel gives up (v1) or kills (v2) when it cannot swap fast enough, so
# that is done step by step.
push_out() # MIB
{
	local left

	for ((left = mib - mib / 8; left >= $1; left -= mib / 8)); do
		wait_for 60 cgroup_limit "$cgroup" $(((left + 8) << 20))
	done
}

swap_start $((mib + mib / 4))
cgroup=$(cgroup_create storm)
mount_start "size=$((mib + 64))M,huge=within_size"
APP_RUN=(cgroup_exec "$cgroup")
app_start storm -a -s $((mib << 20)) "$MNT/file"
app_do storm fill 7
app_do storm checksum
sum=$REPLY
wait_for 60 is_whole
assert_ge "$(cgroup_shmem_bytes "$cgroup")" $((mib << 20)) "bytes it pays for"

push_out $((mib / 8))
huge=$(states_of "$MNT/file" | grep -ow huge | wc -l) || :
assert_le "$huge" $((extents / 4)) "huge extents in the storm"
cgroup_limit "$cgroup" max
for ((i = 0; i < extents; i++)); do
	app_do storm load $((i << 21))
done
started=$SECONDS
wait_for 300 is_whole
echo "whole after $((SECONDS - started)) s"
# a huge page that did not come through the application is mapped by its touch
assert_app_huge storm $extents
assert_app_checksum storm "$sum"
# and the same cgroup pays
assert_ge "$(cgroup_shmem_bytes "$cgroup")" $((mib << 20)) "bytes it pays for"
app_stop storm

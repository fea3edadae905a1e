#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Who has the file mapped pays for the huge pages as for the small ones; at
# the limit of its memory cgroup recovery says so and nobody is killed.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=16
mount_start size=256M,huge=never

cgroup=$(cgroup_create mapper)
APP_RUN=(cgroup_exec "$cgroup")
app_start one -a -s $((extents << 21)) "$MNT/file"
app_do one fill 9
app_do one checksum
sum=$REPLY
before=$(cgroup_shmem_bytes "$cgroup")
assert_ge "$before" $((extents << 21)) "bytes charged before"
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "recovery"
after=$(cgroup_shmem_bytes "$cgroup")
echo "charged before: $before, after: $after"
assert_ge "$after" $((extents << 21)) "bytes charged after"
assert_app_huge one $extents
assert_app_checksum one "$sum"
app_stop one
rm "$MNT/file"

# one huge page more than it may have is needed for a moment; with no swap
# there is nothing to make room with
if [ "$(wc -l </proc/swaps)" = 1 ]; then
	tight=$(cgroup_create tight $(((extents << 21) + (1 << 20))))
	APP_RUN=(cgroup_exec "$tight")
	app_start two -a -s $((extents << 21)) "$MNT/file"
	app_do two fill 11
	app_do two checksum
	sum=$REPLY
	reasons=$(recover "$MNT/file")
	echo "at the limit: $reasons"
	assert_match "$reasons" "^((over_limit|no_huge_page|done) ){$extents}$" \
		"at the limit"
	assert_app_checksum two "$sum"
	app_stop two
fi

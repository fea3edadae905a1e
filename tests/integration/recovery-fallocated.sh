#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Huge pages that fallocate made are not clear until somebody touches them:
# recovery shows nobody what was there before, and no store is lost after it.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=8
mount_start size=64M,huge=within_size

# memory that is known not to be clear comes back at the next allocation
head -c $((extents << 21)) /dev/zero | tr '\0' '\252' >"$MNT/file"
app_start one -a "$MNT/file"
app_do one touch
for round in 1 2 3; do
	fallocate -p -o 0 -l $((extents << 21)) "$MNT/file"
	fallocate -l $((extents << 21)) "$MNT/file"
	assert_eq "$(recover "$MNT/file")" "$(words done $extents)" \
		"recovery $round"
	for ((i = 0; i < extents; i++)); do
		app_do one load $(((i << 21) + 5000))
		assert_eq "$REPLY" 0 "byte of extent $i"
		app_do one store $(((i << 21) + 5000)) $((i + 1))
	done
	# a write elsewhere in the same huge page
	for ((i = 0; i < extents; i++)); do
		printf x | dd of="$MNT/file" bs=1 seek=$((i << 21)) \
			conv=notrunc status=none
		app_do one load $(((i << 21) + 5000))
		assert_eq "$REPLY" $((i + 1)) "stored in extent $i"
	done
done
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "to map them"
assert_app_huge one $extents
app_stop one

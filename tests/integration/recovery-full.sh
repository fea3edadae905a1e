#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Recovery on a mount that is full: what needs no new block becomes huge, what
# would need more gives the reason, and nothing is lost.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

mount_start size=32M,huge=never

dd if=/dev/urandom of="$MNT/whole" bs=64K count=128 status=none
# one page in each of four extents: to be huge it needs 2 MiB each
for i in 0 1 2 3; do
	dd if=/dev/urandom of="$MNT/sparse" bs=4K count=1 seek=$((i * 512)) \
		conv=notrunc status=none
done
truncate -s 8M "$MNT/sparse"
dd if=/dev/zero of="$MNT/rest" bs=64K status=none 2>/dev/null || :
assert_le "$(stat -f -c %f "$MNT")" 15 "blocks free"
whole=$(sha256sum <"$MNT/whole")
sparse=$(sha256sum <"$MNT/sparse")

app_start one -a "$MNT/whole"
app_do one touch
assert_eq "$(recover "$MNT/whole")" "done done done done " "of a whole file"
assert_app_huge one 4
reasons=$(recover "$MNT/sparse")
echo "of a sparse file: $reasons"
refute grep -q done <<<"$reasons"
assert_match "$reasons" "^((over_limit|no_huge_page) ){4}$" "sparse"
assert_eq "$(sha256sum <"$MNT/whole")" "$whole" "content"
assert_eq "$(sha256sum <"$MNT/sparse")" "$sparse" "sparse content"
app_stop one

# with room again it works
rm "$MNT/rest"
wait_for 20 has_room $((4 * 512))
assert_eq "$(recover "$MNT/sparse")" "done done done done " "with room"
assert_eq "$(sha256sum <"$MNT/sparse")" "$sparse" "sparse content, huge"

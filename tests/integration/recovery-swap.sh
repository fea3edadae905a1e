#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What was swapped out is brought back and becomes huge again, by the request
# of the application or by the limit of its cgroup.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=16
swap_start 256
mount_start size=256M,huge=within_size

swapped_pages() # FILE
{
	"$EXTENTS" map "$1" | awk '{ sum += $6 } END { print sum + 0 }'
}

app_start one -s $((extents << 21)) "$MNT/file"
app_do one fill 7
assert_app_huge one $extents
app_do one checksum
sum=$REPLY
for try in 1 2 3 4 5; do
	app_do one pageout
	[ "$(swapped_pages "$MNT/file")" -lt $((extents * 256)) ] || break
done
assert_ge "$(swapped_pages "$MNT/file")" $((extents * 256)) \
	"swapped pages after $try times"
echo "swapped pages: $(swapped_pages "$MNT/file")"
# looking does not bring them back
states=$(states_of "$MNT/file")
assert_match "$states" swapped "states"
assert_ge "$(swapped_pages "$MNT/file")" $((extents * 256)) "looked at"
app_do one pmd
assert_le "$REPLY" $((extents << 20)) "bytes mapped huge before"

assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "recovery"
assert_eq "$(swapped_pages "$MNT/file")" 0 "swapped pages afterwards"
app_do one pmd
assert_eq "$REPLY" $((extents << 21)) "bytes mapped huge afterwards"
assert_app_huge one $extents
assert_app_checksum one "$sum"

# stored to while it comes back: what is newer stays
app_do one pageout
app_do one store 4097 200
"$EXTENTS" recover "$MNT/file" >/dev/null &
recovery=$!
for value in 1 2 3 4 5 6 7 8 9; do
	app_do one store $((value << 21)) $value
done
wait $recovery
for value in 1 2 3 4 5 6 7 8 9; do
	app_do one load $((value << 21))
	assert_eq "$REPLY" $value "byte of extent $value"
done
app_do one load 4097
assert_eq "$REPLY" 200 "byte of extent 0"
app_stop one

# nobody has it mapped
app_start two "$MNT/file"
app_do two pageout
app_do two checksum
sum=$REPLY
app_do two pageout
app_stop two
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "without mapper"
app_start three -a "$MNT/file"
assert_app_huge three $extents
assert_app_checksum three "$sum"
app_stop three

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where huge= allows it an application gets huge pages at its first store; what
# is huge is left alone by recovery, and what was punched becomes huge again.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=8
mount_start size=256M,huge=within_size

app_start one -s $((extents << 21)) "$MNT/file"
assert_eq "$(states_of "$MNT/file")" "$(words hole $extents)" "an empty file"
app_do one fill 1
assert_app_huge one $extents
assert_eq "$(smaps_kib "${APP_PID[one]}" ShmemPmdMapped "$MNT/file")" \
	$((extents << 11)) "ShmemPmdMapped in smaps"
assert_eq "$(states_of "$MNT/file")" "$(words huge $extents)" "states"
app_do one checksum
sum=$REPLY
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "of huge ones"
assert_app_huge one $extents
assert_app_checksum one "$sum"

# holes of a few pages, one large one, and one extent without anything
punch() # OFFSET LENGTH
{
	fallocate -p -o "$1" -l "$2" "$MNT/file"
}
punch 4096 4096
punch $(((1 << 21) + 8192)) 65536
punch $((2 << 21)) $((1 << 20))
punch $((3 << 21)) $((1 << 21))
# read(2) leaves holes as they are, loads would fill them
sum=$(sha256sum <"$MNT/file")
assert_eq "$("$EXTENTS" map "$MNT/file" 0 4 | cut -d' ' -f1-2,4-5 |
	tr '\n' ,)" "0 partial 511 1,1 partial 496 16,2 partial 256 256,3 \
hole 0 512," "punched"
assert_eq "$(recover "$MNT/file")" "done done done empty $(words done 4)" \
	"after punches"
assert_eq "$(sha256sum <"$MNT/file")" "$sum" "content"
assert_app_huge one $extents # reading has filled the empty one

# the last extent is not whole
truncate -s $((5 << 21 | 12345)) "$MNT/file"
app_do one store 77 5
assert_eq "$("$EXTENTS" recover "$MNT/file" | tail -n 1 | cut -d' ' -f1-3)" \
	"5 huge done" "the last extent"
app_do one load 77
assert_eq "$REPLY" 5 "the byte stored"
truncate -s 0 "$MNT/file"
assert_eq "$(recover "$MNT/file")" "" "of an empty file"
app_stop one

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl map: the grid, the numbers, JSON, and bad input.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
mount_start size=256M,huge=never
file=$MNT/file

# one extent of each kind: small, hole, partial, small, a last hole of 3 pages
dd if=/dev/urandom of="$file" bs=1M count=8 status=none
truncate -s $(((8 << 20) + 8193)) "$file"
fallocate -p -o $((2 << 20)) -l $((2 << 20)) "$file"
fallocate -p -o $((4 << 20)) -l 40960 "$file"

# ---- text ----

assert_status 0 "$ctl" map "$file"
assert_eq "$(sed -n 1,2p <<<"$OUT")" \
	"$file: 8.0 MiB"$'\n'"         0  s.ps." "grid"
assert_match "$OUT" 'small +2  every page' "legend"
assert_match "$OUT" 'partial +1  in memory' "legend"
assert_match "$OUT" 'hole +2  no page' "legend"
assert_match "$OUT" 'coverage: 0\.0 % of 3 eligible extents' "coverage"
assert_match "$OUT" 'not_asked +3  nobody has asked' "reasons"
assert_match "$OUT" 'empty +2  it has no data' "reasons"
refute grep -q $'\033' <<<"$OUT"

# colors only on a terminal
script -qec "'$ctl' map '$file'" /dev/null >"$HT_DIR/terminal"
assert_match "$(cat -v "$HT_DIR/terminal")" '\^\[\[33ms\^\[' "colors"

"$ctl" recover --quiet "$file"
assert_status 0 "$ctl" map "$file"
assert_match "$OUT" $'\n         0  #\.##\.\n' "grid afterwards"
assert_match "$OUT" 'coverage: 100\.0 % of 3 eligible' "coverage afterwards"

# ---- JSON ----

assert_status 0 "$ctl" map --json "$file"
assert_eq "$(jq -r '.file, .size_bytes, (.extents | length)' <<<"$OUT")" \
	"$file"$'\n'$(((8 << 20) + 8193))$'\n5' "members"
assert_eq "$(jq -c 'keys_unsorted' <<<"$OUT")" \
	'["file","size_bytes","recover","recover_file","extents","summary"]' "keys"
assert_eq "$(jq -c '.extents[2] | del(.nid)' <<<"$OUT")" \
	'{"index":2,"state":"huge","huge":true,"data_pages":512,"hole_pages":0,"swapped_pages":0,"target_nid":null,"misplaced_pages":0,"reason":"done"}' \
	"an extent"
assert_eq "$(jq -c '[.extents[].nid | type] | unique' <<<"$OUT")" \
	'["null","number"]' "nodes: holes have none"
assert_eq "$(jq -c '[.extents[].hole_pages]' <<<"$OUT")" '[0,512,0,0,3]' \
	"holes"
assert_eq "$(jq -c '.summary | .extents, .eligible, .huge, .coverage_percent == 100' \
	<<<"$OUT" | tr '\n' ' ')" '5 3 3 true ' "summary"

# several files are an array, an error is one of its objects
assert_status 3 "$ctl" map --json "$file" "$MNT/none" "$file"
OUT=$("$ctl" map --json "$file" "$MNT/none" "$file" 2>/dev/null) || true
assert_eq "$(jq -r '.[1].file, .[1].error.errno' <<<"$OUT")" \
	"$MNT/none"$'\nENOENT' "error"
assert_eq "$(jq -c 'map(has("summary"))' <<<"$OUT")" '[true,false,true]' \
	"summaries"

# names that are no UTF-8, and names that would play tricks with a terminal
bad=$MNT/$'bad\xff\033[31m\nname'
truncate -s 4K "$bad"
assert_status 0 "$ctl" map --json "$bad"
assert_eq "$(jq -r '.file_hex' <<<"$OUT")" \
	"$(printf %s "$bad" | od -An -v -tx1 | tr -d ' \n')" "name in hex"
assert_eq "$(jq -r '.file | test("�")' <<<"$OUT")" true "name"
assert_status 0 "$ctl" map "$bad"
assert_match "$OUT" 'bad.*\\033\[31m\\012name: 4\.0 KiB' "name in text"

# ---- files of all sizes ----

: >"$MNT/empty"
assert_status 0 "$ctl" map "$MNT/empty"
assert_match "$OUT" 'empty: nothing to show' "empty file"
assert_status 0 "$ctl" map --json "$MNT/empty"
assert_eq "$(jq -c '.extents, .summary.coverage_percent' <<<"$OUT" |
	tr '\n' ' ')" '[] null ' "empty file as JSON"

# as long as a file can be: at once, and in few lines
truncate -s $(((1 << 63) - 1)) "$MNT/longest"
printf x | dd of="$MNT/longest" bs=1 seek=$((1 << 40)) conv=notrunc status=none
# its last two extents: the one at the very end can be mapped by nobody
printf x | dd of="$MNT/longest" bs=1 seek=$(((1 << 63) - (4 << 20))) \
	conv=notrunc status=none
printf x | dd of="$MNT/longest" bs=1 seek=$(((1 << 63) - 8192)) \
	conv=notrunc status=none
assert_status 0 timeout 20 "$ctl" map "$MNT/longest"
assert_match "$OUT" 'hole +4398046511101 ' "longest file"
assert_match "$OUT" $'\n    524288  p\.\.\.' "longest file"
assert_match "$OUT" $'\n4398046511040  \.{62}p\n' "end of the longest file"
assert_le "$(wc -l <<<"$OUT")" 20 "lines"
assert_status 0 timeout 20 "$ctl" recover --dry-run "$MNT/longest"
assert_match "$OUT" '4398046511102-4398046511102 ' "its plan"

# ---- bad input ----

assert_status 1 "$ctl" map
assert_match "$OUT" 'no file is named' "no argument"
assert_status 1 "$ctl" map --colour "$file"
assert_match "$OUT" 'map: --colour: unknown option' "unknown option"
assert_status 1 "$ctl" map -x "$file"
assert_status 0 "$ctl" map --help
assert_match "$OUT" '^usage: hugetmpfsctl map' "help"
assert_status 2 "$ctl" map "$MNT"
assert_match "$OUT" 'is a directory' "directory"
mkfifo "$MNT/fifo"
assert_status 2 timeout 5 "$ctl" map "$MNT/fifo"
assert_match "$OUT" 'not a regular file' "fifo"
assert_status 2 "$ctl" map /dev/null
assert_status 2 "$ctl" map "$0"
assert_match "$OUT" 'not on a hugetmpfs mount' "another file system"
: >"$HT_DIR/empty"
assert_status 2 "$ctl" map "$HT_DIR/empty"
assert_match "$OUT" 'not on a hugetmpfs mount' "empty file elsewhere"
assert_status 2 "$ctl" map "$MNT/none"
assert_match "$OUT" 'No such file' "no such file"
assert_status 2 "$ctl" map "$file/below"
refute "$ctl" map "$file" >/dev/full

# read permission is what it needs
chmod 711 "$HT_DIR"
chmod 600 "$file"
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
assert_status 2 "${user[@]}" "$ctl" map "$file"
assert_match "$OUT" 'Permission denied' "no permission"
chmod 604 "$file"
assert_status 0 "${user[@]}" "$ctl" map "$file"

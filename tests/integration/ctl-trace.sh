#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl trace: a line for each step, to several who watch, one of whom
# does not read; and how it ends.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
mount_start size=512M,huge=never
mkdir "$MNT/a b"
file="$MNT/a b/file"

small() # MIB
{
	rm -f "$file"
	dd if=/dev/urandom of="$file" bs=1M count="$1" status=none
}

begun() { grep -q '^TIME  *PASS ' "$HT_DIR/text"; }
echo "two who watch"
"$ctl" trace "$MNT" >"$HT_DIR/text" &
text=$!
"$ctl" trace --json "$MNT" >"$HT_DIR/json" &
json=$!
wait_for 20 begun
# the other says nothing until there is something
first()
{
	small 2
	"$ctl" recover --quiet "$file"
	[ -s "$HT_DIR/json" ]
}
wait_for 60 first
small 16
inode=$(stat -c %i "$file")
"$ctl" recover --quiet "$file"
whole() { [ "$(grep -c "\"ino\":$inode,.*\"reason\":\"done\"" "$HT_DIR/json")" = 8 ]; }
wait_for 20 whole
assert_eq "$(jq -c "select(.ino == $inode and .reason == \"done\") |
	[.pass, .file, .before, .after, .pages, .errno, .pid]" "$HT_DIR/json" |
	sort -u)" \
	"[\"collapse\",\"$file\",\"small\",\"huge\",512,null,null]" "collapses"
assert_eq "$(jq -c "select(.ino == $inode and .reason == \"done\") | .index" \
	"$HT_DIR/json" | sort -n | tr '\n' ' ')" "0 1 2 3 4 5 6 7 " "extents"
assert_eq "$(jq -s 'all(.[]; .time_ns > 1600000000000000000 and
	.duration_ns > 0)' "$HT_DIR/json")" true "times"
in_text() { [ "$(grep -c " small>huge .* done .* $inode .*/a b/file$" "$HT_DIR/text")" = 8 ]; }
wait_for 20 in_text

echo "one that does not read costs nobody anything, and is told"
mkfifo "$HT_DIR/pipe"
"$ctl" trace "$MNT" >"$HT_DIR/pipe" &
slow=$!
exec 8<"$HT_DIR/pipe"
assert read -r -t 60 heading <&8
assert_match "$heading" '^TIME' "heading"
stop_process $slow
small 64
"$ctl" recover --quiet "$file"
assert_status 0 "$ctl" status --no-scan "$MNT"
kill -CONT $slow
again() # a line that came after the stop
{
	small 2
	"$ctl" recover --quiet "$file"
	read -r -t 1 heading <&8
}
wait_for 60 again
kill -TERM $slow
exec 8<&-
wait $slow || :

echo "a reader that goes away"
for _ in 1 2 3; do
	"$ctl" trace "$MNT" | head -n 1 >"$HT_DIR/head"
	assert_match "$(<"$HT_DIR/head")" '^TIME' "heading"
done

echo "bad input"
assert_status 1 "$ctl" trace
assert_status 1 "$ctl" trace "$MNT" "$MNT"
assert_status 1 "$ctl" trace --fast "$MNT"
assert_status 0 "$ctl" trace --help
assert_status 2 "$ctl" trace "$HT_DIR"
assert_match "$OUT" 'not on a hugetmpfs mount' "another file system"
chmod 711 "$HT_DIR"
assert_status 2 setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$ctl" trace "$MNT"
assert_match "$OUT" 'only root may' "not root"

echo "too many"
pids=
for _ in {1..9}; do
	"$ctl" trace "$MNT" >>"$HT_DIR/nine" 2>&1 &
	pids="$pids $!"
done
refused() { grep -q 'too many watch already' "$HT_DIR/nine"; }
wait_for 20 refused
assert_status 0 "$ctl" counters "$MNT"
# shellcheck disable=SC2086 # a list of numbers
kill $pids 2>/dev/null || :

echo "the end of the mount is the end of a trace"
mount_stop
for pid in $text $json; do
	status=0
	wait "$pid" || status=$?
	assert_eq $status 0 "status of a trace"
done

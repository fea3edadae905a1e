#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Recovery beside what is in its way: a pinned page, a truncation, a removal,
# a killed mapper. It gives a reason and loses nothing.
# sanitized threads
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=16
mount_start size=256M,huge=never

build() # FILE
{
	dd if=/dev/urandom of="$1" bs=64K count=$((extents * 32)) status=none
}

# a page in a pipe cannot move, until it is taken out
build "$MNT/pinned"
app_start one -a "$MNT/pinned"
app_do one checksum
sum=$REPLY
app_do one pin $(((3 << 21) + 40960))
assert_eq "$REPLY" 0 "pin"
reasons=$(recover "$MNT/pinned")
assert_match "$reasons" \
	"^done done done (pinned|again) $(words done $((extents - 4)))$" \
	"with a page pinned"
assert_app_checksum one "$sum"
app_do one unpin
assert_eq "$(recover "$MNT/pinned")" "$(words done $extents)" "unpinned"
assert_app_huge one $extents
assert_app_checksum one "$sum"
app_stop one

# truncated and removed in the middle
for way in "truncate -s 5M" "truncate -s 0" "rm"; do
	for _ in 1 2 3 4 5; do
		build "$MNT/file"
		"$EXTENTS" recover "$MNT/file" >"$HT_DIR/out" &
		pid=$!
		# shellcheck disable=SC2086 # a command and its arguments
		$way "$MNT/file"
		status=0
		wait $pid || status=$?
		assert_le $status 2 "exit code of recovery beside $way"
		if [ -e "$MNT/file" ]; then
			size=$(stat -c %s "$MNT/file")
			refute test "$size" -gt 5242880
			"$EXTENTS" recover "$MNT/file" >"$HT_DIR/out"
			refute grep -v " done " "$HT_DIR/out"
		fi
		rm -f "$MNT/file"
	done
done

# a mapper that is killed in the middle
build "$MNT/file"
sum=$(sha256sum <"$MNT/file")
for _ in 1 2 3; do
	app_start victim -a "$MNT/file"
	app_do victim touch
	"$EXTENTS" recover "$MNT/file" >"$HT_DIR/out" &
	pid=$!
	kill -KILL "${APP_PID[victim]}"
	wait $pid
	wait "${APP_PID[victim]}" || :
done
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "mapper killed"
assert_eq "$(sha256sum <"$MNT/file")" "$sum" "content"

# bad requests
assert_status 2 "$EXTENTS" recover "$MNT"
assert_status 2 "$EXTENTS" recover "$HT_DIR/out"
assert_eq "$OUT" ENOTTY "another file system"
: >"$MNT/empty"
assert_status 0 "$EXTENTS" recover "$MNT/empty"
assert_eq "$OUT" "" "an empty file"
assert_eq "$(recover "$MNT/file" 999 1)" "" "beyond the end"
assert_eq "$(recover "$MNT/file" 2 3)" "done done done " "a part"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 240
# hugetmpfsctl recover --range and --no-wait, and hugetmpfsctl cancel: parts of
# files, recovery that nobody waits for, and its end by somebody else.
# sanitized
. "${0%/*}/lib.sh"

ctl=$HUGETMPFSCTL
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 "$HT_DIR"
# on a machine that has run for long there may be no free huge page
echo 1 >/proc/sys/vm/compact_memory
mount_start size=1G,huge=never

build() # FILE MIB
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" status=none
}

huge() # FILE
{
	"$ctl" map --json "$1" |
		jq -r '[.extents[] | select(.huge) | .index] | join(" ")'
}

is_huge() # FILE EXTENTS
{
	[ "$(huge "$1")" = "$2" ]
}

is_idle()
{
	"$ctl" status --json --no-scan "$MNT" |
		jq -e '.queued == 0 and .running == 0' >/dev/null
}

# ---- a part of a file ----

build "$MNT/file" 15
assert_status 0 "$ctl" recover --range 2m-6m "$MNT/file"
assert_match "$OUT" '-> 100\.0 % of 2 eligible extents huge, 2 recovered' "two"
wait_for 60 is_huge "$MNT/file" "1 2"
# as soon as one byte of an extent is in the range
assert_status 0 "$ctl" recover --range 8388607-8388609 "$MNT/file"
wait_for 60 is_huge "$MNT/file" "1 2 3 4"
assert_status 0 "$ctl" recover --dry-run --json --range 13M- "$MNT/file"
assert_eq "$(jq -c '.files[0].groups | .[0].first, .[-1].last' <<<"$OUT" |
	tr '\n' ' ')" "6 7 " "dry run to the end"
assert_status 0 "$ctl" recover --range 14m-1g "$MNT/file"
wait_for 60 is_huge "$MNT/file" "1 2 3 4 7"
truncate -s 40M "$MNT/file"
assert_status 0 "$ctl" recover --range 20m-30m "$MNT/file"
assert_match "$OUT" 'no data: nothing to do' "a hole"
assert_status 2 "$ctl" recover --range 40m- "$MNT/file"
assert_match "$OUT" 'the range lies beyond the end of the file' "beyond"
assert_status 1 "$ctl" recover --range 4m-2m "$MNT/file"
assert_match "$OUT" '"4m-2m" is no range: START-END in bytes' "backwards"
assert_status 1 "$ctl" recover --range 2m:4m "$MNT/file"
assert_status 1 "$ctl" recover --range 0-2m "$MNT"
assert_match "$OUT" 'a range is for files' "directory"
assert_status 1 "$ctl" recover "$MNT/file" --range
assert_match "$OUT" 'a value is missing' "no range"

# ---- without a wait ----

build "$MNT/later" 32
sum=$(sha256sum <"$MNT/later")
all="0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
assert_status 0 "$ctl" recover --no-wait "$MNT/later"
assert_match "$OUT" ': 32\.0 MiB, .* huge, 16 queued, 0 queued already' "queued"
wait_for 20 is_huge "$MNT/later" "$all"
assert_eq "$(sha256sum <"$MNT/later")" "$sum" "content"
assert_status 0 "$ctl" recover --no-wait --json "$MNT/later"
assert_eq "$(jq -c '.total | .queued_extents, .queued_before_extents,
	.recovered_extents' <<<"$OUT" | tr '\n' ' ')" "0 0 0 " "nothing to queue"
build "$MNT/later" 32
assert_status 0 "$ctl" recover --no-wait --json --range 4m-8m "$MNT/later"
assert_eq "$(jq -c '.files[0] | .queued_extents' <<<"$OUT")" 2 "of a range"
wait_for 20 is_huge "$MNT/later" "2 3"
# twice: each is queued once, whether the first is done by then or not
build "$MNT/later" 32
"$ctl" recover --no-wait --quiet "$MNT/later"
assert_status 0 "$ctl" recover --no-wait "$MNT/later"
wait_for 20 is_huge "$MNT/later" "$all"
# a file that goes away is no matter
build "$MNT/gone" 32
assert_status 0 "$ctl" recover --no-wait "$MNT/gone"
rm "$MNT/gone"
wait_for 20 is_idle

# ---- cancelled: somebody who waits is told ----

counter() # NAME
{
	"$ctl" counters --json "$MNT" | jq ".$1"
}
some_done() { [ "$(counter recov_completed)" -gt "$before" ]; }

cancel_while_recovering() # FILE|MOUNT
{
	local try

	for try in 1 2 3 4 5; do
		rm -f "$MNT/large"
		build "$MNT/large" 400
		before=$(counter recov_completed)
		"$ctl" recover --json "$MNT/large" "$MNT/later" \
			>"$HT_DIR/out" 2>"$HT_DIR/err" &
		pid=$!
		wait_for 20 some_done
		assert_status 0 "$ctl" cancel "$1"
		status=0
		wait $pid || status=$?
		[ $status = 0 ] || break
		echo "try $try: it was done before it could be cancelled"
	done
	assert_eq $status 3 "exit code when cancelled"
	assert_match "$(<"$HT_DIR/err")" 'cancelled by somebody else' "words"
	assert_eq "$(jq -c '.interrupted, .cancelled, .total.files' \
		"$HT_DIR/out" | tr '\n' ' ')" "false true 1 " "cancelled"
	assert_ge "$(jq '.total.after.reasons.cancelled' "$HT_DIR/out")" 1 \
		"extents with the reason"
	wait_for 20 is_idle
}

cancel_while_recovering "$MNT/large"
cancel_while_recovering "$MNT"
# the next one is not concerned
assert_status 0 "$ctl" recover "$MNT/large"

# what nobody waits for ends, too
build "$MNT/large" 400
assert_status 0 "$ctl" recover --no-wait --quiet "$MNT/large"
assert_status 0 "$ctl" cancel --json "$MNT/large" "$MNT"
assert_eq "$(jq -c '.[0] | keys_unsorted' <<<"$OUT")" \
	'["path","cancelled_extents"]' "JSON"
assert_eq "$(jq -c '.[1].cancelled_extents' <<<"$OUT")" 0 "nothing left"
wait_for 20 is_idle
assert_status 0 "$ctl" cancel "$MNT/large"
assert_match "$OUT" '/large: 0 extents cancelled' "nothing to cancel"

# ---- who may ----

chmod 644 "$MNT/large"
assert_status 2 "${user[@]}" "$ctl" cancel "$MNT/large"
assert_match "$OUT" 'Permission denied' "reading alone"
assert_status 2 "${user[@]}" "$ctl" cancel "$MNT"
assert_match "$OUT" 'only root may' "mount by a user"
chmod 666 "$MNT/large"
assert_status 0 "${user[@]}" "$ctl" cancel "$MNT/large"
# an extent without holes costs nobody anything
assert_status 0 "${user[@]}" "$ctl" recover --no-wait --range 0-2m "$MNT/large"
huge_at_the_start() { [[ "$(huge "$MNT/large") " == "0 "* ]]; }
wait_for 20 huge_at_the_start

# ---- bad input ----

mkdir "$MNT/dir"
assert_status 2 "$ctl" cancel "$MNT/dir"
assert_match "$OUT" 'is a directory' "directory"
assert_status 2 "$ctl" cancel "$MNT/none"
assert_status 2 "$ctl" cancel "$0"
assert_match "$OUT" 'not on a hugetmpfs mount' "file elsewhere"
assert_status 2 "$ctl" cancel /
assert_match "$OUT" 'not on a hugetmpfs mount' "mount elsewhere"
assert_status 3 "$ctl" cancel "$MNT/none" "$MNT/large"
assert_status 1 "$ctl" cancel

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl why: each cause that can be brought about, who is in the way, and
# what it tells whom.
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

ctl=$HUGETMPFSCTL
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 711 "$HT_DIR"
# on a machine that has run for long there may be no free huge page
echo 1 >/proc/sys/vm/compact_memory
mount_start size=256M,huge=never

build() # FILE MIB
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" status=none
}

causes() # FILE [EXTENTS]
{
	"$ctl" why --json "$@" |
		jq -r '[.groups[] | "\(.first)-\(.last) \(.cause)"] | join(", ")'
}

is_cause() # FILE CAUSES
{
	[ "$(causes "$1")" = "$2" ]
}

problems() # FILE
{
	"$ctl" why --json "$1" | jq -r '[.groups[] | .first as $first |
		.mappings[] | "\($first) \(.pid) \(.problem)"] | join(", ")'
}

# ---- the text ----

build "$MNT/file" 8
assert_status 0 "$ctl" why "$MNT/file"
assert_match "$OUT" '/file: 8\.0 MiB, 0 of 4 extents huge' "head"
# one line, or more on a machine that has swapped some of it out by now
assert_match "$OUT" 'extents? 0(-[1-3])? \((small|swapped)\): nothing is recovered in the background' \
	"the first line"
assert_match "$OUT" 'do: hugetmpfsctl recover --range [0-6]m-8m /.*/file' "advice"
# what it says to do is what helps
while read -r command; do
	# shellcheck disable=SC2086 # a command line
	assert_status 0 "$ctl" $command
done < <(sed -n 's/^  do: hugetmpfsctl//p' <<<"$OUT")
# a huge page that is on its way elsewhere at this moment looks small
wait_for 60 is_cause "$MNT/file" ""
assert_status 0 "$ctl" why "$MNT/file"
assert_match "$OUT" ', 4 of 4 extents huge' "nothing to tell"
[[ $OUT != *$'\n'extent* ]] || fail "something to tell: $OUT"

# ---- what it is, not what is done about it ----

"$ctl" set "$MNT" recoveries=0
build "$MNT/off" 2
assert_eq "$(causes "$MNT/off")" "0-0 recovery_off" "turned off"
"$ctl" set "$MNT" recoveries=8
truncate -s 1T "$MNT/off"
assert_eq "$(causes "$MNT/off")" "0-0 mount_off, 1-524287 empty" "holes"
assert_eq "$(causes "$MNT/off" 524288)" "524288-524288 beyond_eof" "beyond"
assert_eq "$(causes "$MNT/off" 7-9)" "7-9 empty" "a part"
: >"$MNT/empty"
assert_eq "$(causes "$MNT/empty")" "" "empty file"
assert_eq "$(causes "$MNT/empty" 0)" "" "extent of an empty file"
"$ctl" set "$MNT" recover=mapped
# or cold: on a machine that swaps it may be swapped out by now
assert_match "$(causes "$MNT/off" 0)" "^0-0 (unused|cold)$" "nobody uses it"
fallocate -p -o 0 -l $((65 << 12)) "$MNT/off"
assert_eq "$(causes "$MNT/off" 0)" "0-0 too_many_holes" "holes"
assert_status 0 "$ctl" why "$MNT/off" 0
assert_match "$OUT" '65 of its pages have no data, up to 64' "how many"
"$ctl" set "$MNT" max_holes=65
assert_match "$(causes "$MNT/off" 0)" "^0-0 (unused|cold)$" "with more of them"
"$ctl" set "$MNT" recover=off

# ---- who has it mapped how ----

# huge, and here is somebody who cannot have it so
app_start askew -m "$MNT/file"
app_do askew touch
assert_match "$(problems "$MNT/file")" "0 ${APP_PID[askew]} misaligned" "askew"
is_huge_but()
{
	[ "$("$ctl" why --json "$MNT/file" 1 |
		jq -r '.groups[0] | .cause, .mappings[0].process')" = \
		$'huge\napp' ]
}
wait_for 60 is_huge_but
address=$(awk '/mnt\/file/ { print $1; exit }' \
	"/proc/${APP_PID[askew]}/maps")
assert_eq "$("$ctl" why --json "$MNT/file" 0 |
	jq -r '.groups[0].mappings[0].address')" "0x${address%-*}" "address"
assert_status 0 "$ctl" why "$MNT/file"
assert_match "$OUT" "process ${APP_PID[askew]} \\(app\\) at 0x${address%-*}: its address and offset differ" \
	"in words"
app_stop askew

app_start own -a -p "$MNT/file"
app_do own touch
assert_match "$(problems "$MNT/file")" "0 ${APP_PID[own]} private" "private"
app_stop own

build "$MNT/three" 3
app_start user -a "$MNT/three"
app_do user touch
assert_match "$(problems "$MNT/three")" \
	"^0 ${APP_PID[user]} small, 1 ${APP_PID[user]} not_covering$" "shared"
assert_eq "$(causes "$MNT/three")" "0-0 mount_off, 1-1 mount_off" "shared"
app_stop user

# ---- a page that is in use ----

build "$MNT/pinned" 6
app_start holder -a "$MNT/pinned"
app_do holder touch
app_do holder pin $((2 << 20))
assert_status 3 "$ctl" recover "$MNT/pinned"
assert_match "$(causes "$MNT/pinned")" '1-1 (pinned|busy)' "pinned"
app_stop holder

# ---- without room ----

build "$MNT/sparse" 2
fallocate -p -o 0 -l 1M "$MNT/sparse"
dd if=/dev/zero of="$MNT/rest" bs=64K status=none 2>/dev/null || :
assert_status 3 "$ctl" recover "$MNT/sparse"
assert_match "$(causes "$MNT/sparse")" '^0-0 (mount_full|no_huge_page)$' \
	"a full mount"
rm "$MNT/rest"
wait_for 20 has_room 16384

if [ "$(wc -l </proc/swaps)" = 1 ]; then
	tight=$(cgroup_create tight)
	APP_RUN=(cgroup_exec "$tight")
	app_start two -a -s $((14 << 20)) "$MNT/charged"
	app_do two fill 11
	# no room for a huge page beside the small ones
	limit=$(($(cgroup_bytes "$tight") + (1 << 20)))
	if [ -f "$tight/memory.max" ]; then
		echo $limit >"$tight/memory.max"
	else
		echo $limit >"$tight/memory.limit_in_bytes"
	fi
	"$ctl" recover --quiet "$MNT/charged" || true
	found=$(causes "$MNT/charged")
	echo "at the limit: $found"
	if [[ $found == *cgroup_full* ]]; then
		assert_status 0 "$ctl" why "$MNT/charged"
		assert_match "$OUT" "$tight: .* of .* are used" "which group"
	fi
	app_stop two
	APP_RUN=()
fi

# ---- who may see what ----

chmod 644 "$MNT/three"
app_start user -a "$MNT/three"
app_do user touch
assert_status 0 "${user[@]}" "$ctl" why "$MNT/three"
assert_match "$OUT" '[0-9]+ processes of others may not be looked at: root sees' \
	"told so"
[[ $OUT != *"process ${APP_PID[user]}"* ]] || fail "it is shown: $OUT"
app_stop user
# its own process it does see
chmod 666 "$MNT/three"
APP_RUN=("${user[@]}")
app_start user -a "$MNT/three"
app_do user touch
assert_status 0 "${user[@]}" "$ctl" why "$MNT/three"
assert_match "$OUT" "process ${APP_PID[user]} \(app\) at 0x[0-9a-f]+: uses it" \
	"its own"
app_stop user
APP_RUN=()
chmod 600 "$MNT/three"
assert_status 2 "${user[@]}" "$ctl" why "$MNT/three"

# ---- bad input ----

assert_status 1 "$ctl" why
assert_status 1 "$ctl" why "$MNT/file" 1 2
assert_status 1 "$ctl" why "$MNT/file" x
assert_match "$OUT" '"x" is no extent' "no number"
assert_status 1 "$ctl" why "$MNT/file" 3-1
assert_status 2 "$ctl" why "$MNT"
assert_match "$OUT" 'is a directory' "directory"
assert_status 2 "$ctl" why "$0"
assert_match "$OUT" 'not on a hugetmpfs mount' "file elsewhere"
assert_status 2 "$ctl" why "$MNT/none"

# ---- swapped out ----

swap_start 64
build "$MNT/cold" 8
app_start cold -a "$MNT/cold"
app_do cold touch
is_out()
{
	app_do cold pageout
	[ -z "$(problems "$MNT/cold")" ] &&
		"$ctl" map --json "$MNT/cold" |
		jq -e '[.extents[].swapped_pages > 0] | all' >/dev/null
}
wait_for 30 is_out
"$ctl" set "$MNT" recover=mapped
assert_eq "$(causes "$MNT/cold")" "0-3 cold" "swapped out"
before=$("$ctl" map --json "$MNT/cold" | jq .summary.swapped_pages)
assert_ge "$before" 1 "pages on swap"
assert_status 0 "$ctl" why "$MNT/cold"
assert_match "$OUT" 'of its pages are on swap' "cold"
assert_ge "$("$ctl" map --json "$MNT/cold" | jq .summary.swapped_pages)" \
	"$before" "pages that stayed there"
app_stop cold

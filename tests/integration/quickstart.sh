#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/quickstart, on what was built: everything is as it promises, and
# nothing is left of it, also when it is interrupted.
# timeout: 400
. "${0%/*}/lib.sh"

quickstart=$HT_SRC/contrib/quickstart
export TMPDIR=$HT_DIR

# What it starts carries the name of its own folder in its environment.
no_process()
{
	! grep -qz "^HUGETMPFS_SCRATCH=$HT_DIR/" /proc/[0-9]*/environ 2>/dev/null
}

nothing_left()
{
	assert_eq "$(find "$HT_DIR" -name 'hugetmpfs-quickstart.*')" "" \
		"folders left of $1"
	assert_eq "$(cleanup_mounts "$HT_DIR")" "" "mounts left of $1"
	assert_eq "$(awk -v dir="$HT_DIR/" 'index($1, dir) == 1' /proc/swaps)" \
		"" "swap left of $1"
	wait_for 60 no_process
}

# ---- the whole of it ----

status=0
"$quickstart" --no-setup --build "$HT_BUILD" --size 128 \
	>"$HT_DIR/out" 2>&1 </dev/null || status=$?
cat "$HT_DIR/out"
case $status in
0) ;;
2) skip "$(grep -m1 -i 'cannot be shown' "$HT_DIR/out")" ;;
*) fail "exit code $status" ;;
esac
assert_match "$(tail -n 1 "$HT_DIR/out")" "All as promised" "last line"
assert_eq "$(grep -c '^ *recovered  *64/64  *100.0 %' "$HT_DIR/out")" 2 \
	"recoveries of all 64 extents"
assert_eq "$(grep -c 'NOT AS PROMISED' "$HT_DIR/out" || :)" 0 "broken promises"
nothing_left "quickstart"

# ---- interrupted in the middle of things ----

# Ends it after the line; its exit code is left in $status.
interrupt() # LINE
{
	"$quickstart" --no-setup --build "$HT_BUILD" --size 128 \
		>"$HT_DIR/out" 2>&1 </dev/null &
	pid=$!
	wait_for 60 grep -q "$1" "$HT_DIR/out"
	kill -TERM $pid 2>/dev/null || :
	status=0
	wait $pid || status=$?
	nothing_left "quickstart, ended at '$1'"
}

for line in "passthrough" "Broken up, the first" "are on swap"; do
	# it may have come to its end before the signal came
	for _ in 1 2 3 4 5; do
		interrupt "$line"
		[ "$status" = 0 ] || break
	done
	assert_eq "$status" 143 "exit code after SIGTERM at '$line'"
done

# ---- wrong usage ----

for option in --size "--size 0" "--size x" --build --no-such extra; do
	# shellcheck disable=SC2086 # an option and its argument
	assert_status 1 "$quickstart" --no-setup $option
	assert_match "$OUT" "^Usage: " "answer to '$option'"
done
mkdir "$HT_DIR/empty"
assert_status 2 "$quickstart" --no-setup --build "$HT_DIR/empty"
assert_match "$OUT" "nothing is built in" "answer to an empty build tree"
nothing_left "wrong usage"

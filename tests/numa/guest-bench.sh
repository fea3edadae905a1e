#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/bench/migrate measures, and says all it should. How fast anything is,
# is not tested. Runs in the guest.
# timeout: 200
. "$(dirname "$0")/../integration/lib.sh"

[ -d /sys/devices/system/node/node1 ] || skip "one NUMA node here"
bench=$HT_SRC/contrib/bench/migrate
export TMPDIR=$HT_DIR
small=(--build "$HT_BUILD" --pairs 1 --size 4)

"$bench" "${small[@]}" --nodes 1,0 --json >"$HT_DIR/json"
cat "$HT_DIR/json"
json()
{
	jq -rc "$1" "$HT_DIR/json"
}
assert_eq "$(json '[.rates[].case]')" '["huge","small"]' "cases"
assert_eq "$(json '[.rates[] | .not_moved == 0 and .loop_ns > 0 and
	.request_ns > 0 and .batch > 0 and .lowest == .ratio and
	.met == (.ratio <= .target)] | all')" true "numbers"

for option in --pairs "--pairs 0" "--size x" "--nodes 0" "--nodes 1,1" extra; do
	# shellcheck disable=SC2086 # an option and its argument
	assert_status 1 "$bench" $option
	assert_match "$OUT" "^Usage: " "answer to '$option'"
done
assert_status 2 "$bench" "${small[@]}" --nodes 0,77
assert_match "$OUT" "no NUMA node 77" "message"

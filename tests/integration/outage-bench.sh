#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/bench/outage measures, and says all it should. How fast anything is,
# is not tested.
# timeout: 300
. "${0%/*}/lib.sh"

command -v jq >/dev/null || skip "no jq"
bench=$HT_SRC/contrib/bench/outage
export TMPDIR=$HT_DIR

"$bench" --build "$HT_BUILD" --kills 3 --files 2000 --json >"$HT_DIR/json"
cat "$HT_DIR/json"
assert_eq "$(jq '.kills, .files' "$HT_DIR/json" | tr '\n' ' ')" "3 2000 " \
	"numbers"
assert_eq "$(jq '.median_ms > 0 and .median_ms <= .p90_ms and
	.p90_ms <= .longest_ms' "$HT_DIR/json")" true "order"
assert_eq "$(jq '.median_met == (.median_ms < .median_target_ms) and
	.longest_met == (.longest_ms < .longest_target_ms)' "$HT_DIR/json")" \
	true "verdicts"

"$bench" --build "$HT_BUILD" --kills 1 --files 1 >"$HT_DIR/text"
cat "$HT_DIR/text"
assert_eq "$(grep -cE ' (met|missed)$' "$HT_DIR/text")" 2 "lines with a target"

for option in --kills "--kills 0" "--files x" --no-such extra; do
	# shellcheck disable=SC2086 # an option and its argument
	assert_status 1 "$bench" $option
	assert_match "$OUT" "^Usage: " "answer to '$option'"
done
assert_eq "$(find "$HT_DIR" -name 'hugetmpfs-outage.*')" "" "folders left"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/bench/datapath measures, says all it should, and finds no request for
# a read or a write. How fast anything is, is not tested.
# timeout: 240
. "${0%/*}/lib.sh"

command -v fio >/dev/null || skip "no fio"
command -v jq >/dev/null || skip "no jq"
datapath=$HT_SRC/contrib/bench/datapath
export TMPDIR=$HT_DIR

# ---- what it measures ----

"$datapath" --build "$HT_BUILD" --pairs 1 --seconds 1 --size 64 --files 50 \
	--json >"$HT_DIR/json"
cat "$HT_DIR/json"
json()
{
	jq -r "$1" "$HT_DIR/json"
}
assert_eq "$(json '[.rows[].case] | join(" ")')" "read_random_4k \
write_random_4k read_1m write_1m mapped_read_random_4k \
mapped_write_random_4k create stat stat_again stat_missing \
open list rename unlink" "cases"
assert_eq "$(json '[.rows[] | select(.tmpfs > 0 and .hugetmpfs > 0 and
	.ratio > 0 and .lowest <= .ratio and .ratio <= .highest)] | length')" \
	14 "cases with numbers"
assert_eq "$(json '[.rows[] | .target | values + 0] | join(" ")')" \
	"0.85 0.8 0.95 0.95" "targets"
assert_eq "$(json '[.rows[] | select(.target) |
	.met == (.ratio >= .target)] | all')" true "verdicts"
assert_eq "$(json .requests.read)" 0 "read requests"
assert_eq "$(json .requests.write)" 0 "write requests"
# it does look at the daemon that served: fio has opened the file
assert_ge "$(json .requests.other)" 1 "other requests"
assert_ge "$(json .operations)" 10000 "reads and writes of fio"

# ---- as text, and wrong usage ----

"$datapath" --build "$HT_BUILD" --pairs 1 --seconds 1 --size 16 --files 5 \
	>"$HT_DIR/text"
cat "$HT_DIR/text"
assert_eq "$(grep -cE ' (met|missed)$' "$HT_DIR/text")" 4 "lines with a target"
assert_match "$(tail -n 1 "$HT_DIR/text")" "^  read 0, write 0, others" \
	"last line"
for option in --pairs "--pairs 0" "--seconds x" --no-such extra; do
	# shellcheck disable=SC2086 # an option and its argument
	assert_status 1 "$datapath" $option
	assert_match "$OUT" "^Usage: " "answer to '$option'"
done
assert_eq "$(find "$HT_DIR" -name 'hugetmpfs-datapath.*')" "" "folders left"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/bench/recovery measures, says all it should, and leaves the settings
# of khugepaged as they were, also when it is interrupted. How fast anything is,
# is not tested.
# timeout: 300
. "${0%/*}/lib.sh"

command -v jq >/dev/null || skip "no jq"
bench=$HT_SRC/contrib/bench/recovery
thp=/sys/kernel/mm/transparent_hugepage
[ -w $thp/khugepaged/max_ptes_shared ] || skip "no khugepaged for shared memory"
export TMPDIR=$HT_DIR

settings()
{
	grep . $thp/enabled $thp/khugepaged/*_{millisecs,scan} \
		$thp/khugepaged/max_*
}

json()
{
	jq -r "$1" "$HT_DIR/json"
}

before=$(settings)
small=(--build "$HT_BUILD" --pairs 1 --size 16 --defaults 1)
cases="resident unmapped half_swapped swapped storm punched mappers pinned"
mkdir "$HT_DIR/plots"
status=0
"$bench" "${small[@]}" --plots "$HT_DIR/plots" --json >"$HT_DIR/json" ||
	status=$?
if [ $status = 2 ]; then
	# neither swap nor a memory cgroup can be had everywhere
	cases="resident unmapped punched mappers pinned"
	"$bench" "${small[@]}" --cases "${cases// /,},access" --json \
		>"$HT_DIR/json"
fi
cat "$HT_DIR/json"
assert_eq "$(settings)" "$before" "settings of khugepaged"

# ---- what it measures ----

expected=
for one in $cases; do
	for side in loop khugepaged hugetmpfs; do
		[[ $one.$side =~ ^(unmapped|storm).khugepaged$ ]] ||
			expected+="$one.$side "
	done
done
expected+=resident.defaults
assert_eq "$(json '.rates[] | .case + "." + .by')" "${expected// /$'\n'}" "rates"
assert_eq "$(json '[.rates[] | select(.mib_per_second >= 0 and .huge >= 0 and
	.huge <= 1 and .lowest <= .ratio and .ratio <= .highest)] | length')" \
	"$(json '.rates | length')" "rates with numbers"
assert_eq "$(json '[.rates[] | select(.by == "hugetmpfs") |
	.mib_per_second > 0] | all')" true "rates of hugetmpfs"
assert_eq "$(json '[.rates[] | select(.target) |
	.met == (.ratio >= .target)] | all')" true "verdicts"
assert_eq "$(json '[.accesses[].during] | sort | join(" ")')" \
	"background defaults hugetmpfs khugepaged loop rest" "accesses"
assert_eq "$(json '[.accesses[] | select(.p50_ns > 0 and .p50_ns <= .p99_ns and
	.p99_ns <= .p999_ns)] | length')" 6 "accesses with numbers"
if [ $status = 0 ] && command -v gnuplot >/dev/null; then
	assert_eq "$(ls "$HT_DIR/plots")" "access.png
rates.png" "plots"
fi

# ---- as text, interrupted, and wrong usage ----

"$bench" "${small[@]}" --defaults 0 --cases resident,access >"$HT_DIR/text"
cat "$HT_DIR/text"
# one without a rate has no ratio, and khugepaged may have done nothing
assert_ge "$(grep -cE ' (met|missed)$' "$HT_DIR/text")" 2 "lines with a target"
assert_eq "$(grep -cE '^resident +(loop|khugepaged|hugetmpfs) ' "$HT_DIR/text")" \
	3 "lines with rates"

"$bench" "${small[@]}" --defaults 1000 --cases resident >"$HT_DIR/text" &
pid=$!
is_taken()
{
	[ "$(cat $thp/khugepaged/scan_sleep_millisecs)" = 3600000 ]
}
wait_for 60 is_taken
kill -TERM $pid
status=0
wait $pid || status=$?
assert_eq $status 143 "status when ended"
assert_eq "$(settings)" "$before" "settings of khugepaged when ended"

for option in --pairs "--pairs 0" "--size x" "--cases no" --no-such extra; do
	# shellcheck disable=SC2086 # an option and its argument
	assert_status 1 "$bench" $option
	assert_match "$OUT" "^Usage: " "answer to '$option'"
done
assert_eq "$(find "$HT_DIR" -name 'hugetmpfs-recovery.*')" "" "folders left"

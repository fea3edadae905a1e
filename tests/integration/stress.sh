#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Twenty processes change a few files in every way while recovery runs over
# them and pages are swapped out; each byte is compared with a model.
# HT_STRESS_SECONDS (30) is the time.
# timeout: 3600
# sanitized threads
. "${0%/*}/lib.sh"

stress=$HT_BUILD/tests/integration/stress
seconds=${HT_STRESS_SECONDS:-$(scaled 30 4)}

# Fails, and shows the seed, when a byte is lost.
run_stress() # ARG...
{
	local output

	echo "stress $*"
	output=$("$stress" "$@" "$MNT") || fail "$output"
	echo "$output"
	[[ $output =~ ([0-9]+)" extents recovered" ]]
	assert_ge "${BASH_REMATCH[1]}" 10 "extents recovered"
}

# so that MADV_PAGEOUT has somewhere to put the pages
swap_start 256

mount_start size=1G,huge=within_size
# what cannot fail proves nothing: one spoilt byte must be found
assert_status 1 "$stress" -c -t 20 "$MNT"
assert_match "$OUT" "instead of" "what was found"
run_stress -t $((seconds / 2))
mount_stop

mount_start size=1G,huge=never
run_stress -t $((seconds - seconds / 2))
assert_eq "$(find "$MNT" -type f | wc -l)" 0 "files left"

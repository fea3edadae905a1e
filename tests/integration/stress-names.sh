#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Twenty processes create, link, rename and remove names in the same few
# directories, and each knows what its own must be.
# timeout: 3600
# sanitized threads
. "${0%/*}/lib.sh"

stress=$HT_BUILD/tests/integration/stress-names
seconds=${HT_STRESS_SECONDS:-$(scaled 30 4)}

mount_start size=256M,mode=1777
# what cannot fail proves nothing: a name that is gone must be found
assert_status 1 "$stress" -c -t 20 "$MNT"
output=$("$stress" -t $((seconds / 2)) "$MNT") || fail "$output"
echo "$output"
assert_eq "$(find "$MNT" -mindepth 1 | wc -l)" 0 "names left"

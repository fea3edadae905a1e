#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each operation, with system calls of the daemon failing: each sixteenth of them,
# all with HT_FAULTS_STRIDE=1.
# timeout: 1200
# sanitized
. "${0%/*}/lib.sh"
# shellcheck source=tests/integration/operations.inc
. "${0%/*}/operations.inc"

mount_start size=64M
"$HT_BUILD/tests/integration/faults" "$(mount_keeper)" "$MNT" \
	"${HT_FAULTS_STRIDE:-16}" ||
	fail "a call that failed has left something wrong"
operations_all_came

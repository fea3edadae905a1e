#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each operation, with the daemon killed at its steps: at every fourth of them,
# at all with HT_TAKEOVER_STRIDE=1.
# timeout: 1200
# sanitized
. "${0%/*}/lib.sh"
# shellcheck source=tests/integration/operations.inc
. "${0%/*}/operations.inc"

mount_start size=64M
"$HT_BUILD/tests/integration/takeover-unlink" "$(mount_keeper)" "$MNT" ||
	fail "an inode that was losing all its names at once"
"$HT_BUILD/tests/integration/takeover-steps" "$(mount_keeper)" "$MNT" \
	"${HT_TAKEOVER_STRIDE:-$((4 * ${HT_SCALE:-1}))}" ||
	fail "an operation was not as if nothing had happened"
operations_all_came

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each operation, with each of the daemon's calls failing in turn that want
# memory.
# timeout: 600
# sanitized
. "${0%/*}/lib.sh"
# shellcheck source=tests/integration/operations.inc
. "${0%/*}/operations.inc"

HUGETMPFS=$HT_BUILD/tests/integration/hugetmpfs-short
export HT_MEMORY=$HT_DIR/memory
truncate -s 4096 "$HT_MEMORY"

mount_start size=64M
"$HT_BUILD/tests/integration/faults-memory" "$(mount_keeper)" "$MNT" \
	"$HT_MEMORY" || fail "a want of memory has left something wrong"
operations_all_came

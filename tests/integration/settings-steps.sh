#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A setting is changed, and keeper or daemon are killed at the steps of that: at
# every third of them, at all with HT_TAKEOVER_STRIDE=1. The keeper has an fd store.
# timeout: 300
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/manager.inc"

manager_start size=64M,recover=off
"$HT_BUILD/tests/integration/settings-steps" "$MNT" "${HT_TAKEOVER_STRIDE:-3}" ||
	fail "a setting that was answered as done was lost"
kill -TERM "$(mount_keeper)"
wait "$MANAGER"

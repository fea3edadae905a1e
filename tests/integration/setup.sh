#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# contrib/setup, run again, needs no network and changes nothing.
# timeout: 300
. "${0%/*}/lib.sh"

[ -f "$HT_SRC/build/Makefile" ] || skip "contrib/setup has not run here"
[ -f "$HT_SRC/.prefix/.complete" ] ||
	pkg-config --atleast-version=3.18.3 fuse3 ||
	skip "no libfuse by contrib/setup here"

# sources may have changed since; that is built without network, too
assert_status 0 unshare -n "$HT_SRC/contrib/setup"
touch "$HT_DIR/before"
assert_status 0 unshare -n "$HT_SRC/contrib/setup"
assert_eq "$OUT" "setup: build/ is up to date" "output of the second run"
changed=$(find "$HT_SRC" -path "$HT_SRC/.git" -prune -o \
	-type f -newer "$HT_DIR/before" -print)
assert_eq "$changed" "" "files that the second run wrote"

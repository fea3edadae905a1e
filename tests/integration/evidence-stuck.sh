#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An application whose address space is locked for as long as it likes holds up
# neither what is recovered for others, on the same file too, nor requests, nor
# the end of the daemon; also where only one work may be under way.
# timeout: 300
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

HT_RECOVER=yes
extents=16
STUCK=$HT_BUILD/tests/integration/stuck

build() # FILE
{
	dd if=/dev/urandom of="$1" bs=64K count=$((extents * 32)) status=none
}

is_pmd_mapped() # NAME PATH
{
	[ "$(smaps_kib "${APP_PID[$1]}" ShmemPmdMapped "$2")" = \
		$((extents << 11)) ]
}

# A file server that will not answer: a mount whose data goes through a daemon
# that is stopped.
mount_start size=256M,huge=never,recoveries=1
mount_start size=16M,passthrough=off "$HT_DIR/server"
server=$(mount_daemon "$HT_DIR/server")
truncate -s 1M "$HT_DIR/server/page"
build "$MNT/shared"
build "$MNT/other"

mkfifo "$HT_DIR/in" "$HT_DIR/out"
"$STUCK" "$MNT/shared" "$HT_DIR/server/page" \
	<"$HT_DIR/in" >"$HT_DIR/out" &
stuck=$!
exec {in}>"$HT_DIR/in" {out}<"$HT_DIR/out"
read -r -t 10 word address <&"$out"
assert_eq "$word" ready "stuck"
at_exit "kill -CONT $server"
stop_process "$server"
dd if="/proc/$stuck/mem" of=/dev/null bs=1 count=1 iflag=skip_bytes \
	skip="$address" status=none &
reader=$!
sleep 0.5
echo go >&"$in"
sleep 0.5
if timeout 2 cat "/proc/$stuck/smaps" >"$HT_DIR/smaps" 2>&1; then
	skip "the address space cannot be locked this way here"
fi

app_start shared -a "$MNT/shared"
app_start other -a "$MNT/other"
app_do shared touch
app_do other touch
wait_for 60 is_pmd_mapped other "$MNT/other"
wait_for 60 is_pmd_mapped shared "$MNT/shared"
# what is asked for is answered, too
build "$MNT/asked"
assert_eq "$(timeout 60 "$EXTENTS" recover "$MNT/asked" |
	awk '{ printf "%s ", $3 }')" "$(words done $extents)" "a request"

# a look has met it by now, or does at the next one, and says so; so has a worker
was_met()
{
	"$HUGETMPFSCTL" counters --json "$MNT" |
		jq -e '.scan_stuck >= 1 and .worker_stuck >= 1' >"$HT_DIR/met"
}
wait_for 90 was_met

# nor does the end of the daemon wait for those that are stuck
mountpoint -q "$cleanup_fusectl" ||
	mount -t fusectl none "$cleanup_fusectl"
keeper=$(mount_keeper)
daemon=$(mount_daemon)
cleanup_abort "$MNT"
wait_for 60 is_gone "$daemon"
wait_for 60 grep -qx "state dead" "/run/hugetmpfs/$keeper/mount"
if timeout 2 cat "/proc/$stuck/smaps" >"$HT_DIR/smaps" 2>&1; then
	fail "the address space was not locked to the end"
fi

kill -CONT "$server"
wait "$reader" || : # the page may not be readable after all
read -r -t 10 word <&"$out"
assert_eq "$word" free "released"
exec {in}>&- {out}<&-
wait "$stuck"
app_stop shared
app_stop other
kill "$keeper"
wait_for 30 is_gone "$keeper"

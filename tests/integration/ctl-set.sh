#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hugetmpfsctl set: settings of recovery are shown and changed while the mount
# serves, all or none, also by the options of the mount and for a next daemon.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

HT_RECOVER=yes
ctl=$HUGETMPFSCTL

setting() # KEY
{
	"$ctl" set --json "$MNT" | jq -c ".$1"
}

options()
{
	"$ctl" status --no-scan "$MNT" | sed -n 's/^options *//p'
}

refused() # MESSAGE WORD...
{
	local message=$1 before after

	shift
	before=$("$ctl" set --json "$MNT")
	assert_status 1 "$ctl" set "$MNT" "$@"
	assert_eq "${OUT%%$'\n'*}" "hugetmpfsctl: $MNT: $message" "message"
	after=$("$ctl" set --json "$MNT")
	assert_eq "$after" "$before" "settings after a refusal"
}

mount_start size=64M,huge=never,max_holes=7,recover=all

echo "shown, with what the mount was given"
assert_eq "$(setting max_holes)" 7 "max_holes"
assert_eq "$(setting recover)" '"all"' "recover"
assert_eq "$(setting free_block)" true "free_block"
assert_eq "$("$ctl" set "$MNT" | awk '{ print $1 }' | sort | tr '\n' ' ')" \
	"bytes_per_second compact cpu_percent free_block latency_us max_holes \
numa pressure_percent recover recoveries " "settings"
assert_eq "$("$ctl" status --no-scan --json "$MNT" | jq -Sc .settings)" \
	"$("$ctl" set --json "$MNT" | jq -Sc .)" "the same in the status"

echo "changed"
assert_status 0 "$ctl" set "$MNT" recoveries=2 bytes_per_second=200m compact=on
assert_eq "$OUT" "" "output"
assert_eq "$(setting recoveries)" 2 "recoveries"
assert_eq "$(setting bytes_per_second)" $((200 << 20)) "bytes_per_second"
assert_eq "$(setting compact)" true "compact"
assert_eq "$(setting max_holes)" 7 "what is not named"
assert_match ",$(options)," ",recoveries=2,bytes_per_second=200m,compact=on," \
	"options"

echo "refused"
refused "bad value '-1' for option bytes_per_second: it is a number of bytes \
from 0 (no limit) to 9223372036854775807, or with a suffix k, m, g, t, p or e" \
	recoveries=3 bytes_per_second=-1
refused "bad value '18446744073709551616' for option recoveries: it is a number \
from 0 to 256" recoveries=18446744073709551616
refused "bad value 'much' for option cpu_percent: it is a number from 0 to \
25600" max_holes=1 cpu_percent=much
refused "bad value '' for option latency_us: it is a number from 100 to \
1000000" latency_us=
refused "unknown setting 'size'" size=1G
refused "unknown setting ''" =
assert_status 1 "$ctl" set "$MNT" recoveries
assert_status 1 "$ctl" set "$MNT" recoveries=1,max_holes=2
assert_status 1 "$ctl" set
assert_status 2 "$ctl" set "$HT_DIR" recoveries=1
assert_status 2 setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$ctl" set "$MNT" recoveries=1
assert_eq "$(setting recoveries)" 2 "recoveries"

echo "off and on"
"$ctl" set "$MNT" recoveries=0
head -c 8M /dev/urandom >"$MNT/file"
assert_status 3 "$ctl" recover --json "$MNT/file"
assert_eq "$(jq -c .total.after.reasons <<<"$OUT")" '{"policy":4}' "reasons"
"$ctl" set "$MNT" recoveries=1
assert_status 0 "$ctl" recover --json "$MNT/file"
assert_eq "$(jq -c .total.after.huge <<<"$OUT")" 4 "huge extents"

echo "the background is not faster than it may be"
is_huge()
{
	[ "$(smaps_kib "${APP_PID[rate]}" ShmemPmdMapped "$MNT/rate")" = 24576 ]
}
"$ctl" set "$MNT" recover=mapped bytes_per_second=6m pressure_percent=0 \
	free_block=off
head -c 24M /dev/urandom >"$MNT/rate"
begun=$(date +%s%N)
app_start rate -a "$MNT/rate"
app_do rate checksum
sum=$REPLY
wait_for 60 is_huge
assert_ge $((($(date +%s%N) - begun) / 1000000)) 3000 "ms for 24 MiB"
assert_app_checksum rate "$sum"
app_stop rate

echo "a next daemon has them, too"
daemon=$(mount_daemon)
kill -9 "$daemon"
wait_for 60 is_gone "$daemon"
stat "$MNT" >"$HT_DIR/stat" # answered by the next one
assert_eq "$(setting recoveries) $(setting max_holes)" "1 7" "settings"
mount_kill
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(setting recoveries) $(setting max_holes)" "1 7" "settings"

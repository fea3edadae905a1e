#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
# Huge extents go home by themselves, where no request and no small entry tells
# of them: to the node that their policy names, and with follow to the one that
# their mappers run on, after two looks; not while those run on several, nor
# where a mapper's memory may not be. Runs in the guest.
. "$(dirname "$0")/../integration/lib.sh"
. "$HT_SRC/tests/integration/app.inc"
. "$HT_SRC/tests/numa/nodes.inc"

HT_RECOVER=yes
extents=4
mount_start size=256M,huge=never
"$HUGETMPFSCTL" trace "$MNT" >"$HT_DIR/trace" &

counter() # NAME
{
	"$HUGETMPFSCTL" counters "$MNT" | awk -v name="$1" '$1 == name { print $2 }'
}

# A file that was written and is closed makes the next look come at once.
has_looked() # LOOKS
{
	echo >"$MNT/closed"
	[ "$(counter scan_looks)" -ge "$1" ]
}

wait_looks() # COUNT
{
	wait_for 300 has_looked $(($(counter scan_looks) + $1))
}

is_home() # NAME NODE
{
	echo >"$MNT/closed"
	are_on "$MNT/$1" $extents huge "$2"
}

# Has the application run in a group, from now on: one that sleeps is moved when
# it wakes up.
run_in() # NAME GROUP
{
	echo "${APP_PID[$1]}" >"$2/cgroup.procs"
	app_do "$1" touch
}

# A huge file on node 0, mapped by the application of its name, which runs there.
make_huge() # NAME
{
	write_on 0 "$MNT/$1" $extents 0 512
	app_start "$1" -a "$MNT/$1"
	run_in "$1" "${runs[0]}"
	assert "$HUGETMPFSCTL" recover "$MNT/$1" >/dev/null
	assert_app_huge "$1" $extents
	assert_extents "$MNT/$1" $extents huge 0
	app_do "$1" checksum
	sum[$1]=$REPLY
}

# What the daemon, and the kernel, know of a file that does not go home.
tell() # NAME
{
	local pid=${APP_PID[$1]}

	echo "$1: process $pid, on CPU $(sed 's/.*) //' "/proc/$pid/stat" |
		cut -d ' ' -f 37) $(cat "/proc/$pid/cgroup")"
	grep -E '^(Cpus|Mems)_allowed_list' "/proc/$pid/status"
	"$HUGETMPFSCTL" map "$MNT/$1"
	"$HUGETMPFSCTL" why "$MNT/$1"
	"$HUGETMPFSCTL" counters "$MNT"
	tail -n 60 "$HT_DIR/trace"
	cat /proc/buddyinfo /proc/pressure/memory
}

# It has come to be there as a whole, and its mapper still has it huge.
wait_home() # NAME NODE
{
	( wait_for 300 is_home "$1" "$2" ) || {
		tell "$1" || :
		exit 1
	}
	assert_app_huge "$1" $extents
	assert_eq "$(kernel_nodes "$1" "$MNT/$1")" "N$2=$((extents * 512)) " \
		"pages by node of $1"
	assert_app_checksum "$1" "${sum[$1]}"
}

declare -A runs sum
for node in 0 1; do
	group_make "runs$node" "0-1" \
		"$(cat /sys/devices/system/node/node$node/cpulist)"
	runs[$node]=$REPLY
done

follow() # NAME
{
	assert "$HUGETMPFSCTL" policy set --numa follow "$MNT/$1"
}

make_huge bind
assert "$HUGETMPFSCTL" policy set --numa bind:1 "$MNT/bind"

# its mapper runs where it is already
make_huge stays
follow stays
# a second mapper runs elsewhere
make_huge spread
app_start other -a "$MNT/spread"
run_in other "${runs[1]}"
follow spread
# its mapper runs elsewhere, but may have no memory there
group_make forbidden 0 "$(cat /sys/devices/system/node/node1/cpulist)"
forbidden=$REPLY
make_huge forbidden
run_in forbidden "$forbidden"
follow forbidden
# its mapper comes to run elsewhere: two looks that name the other node, and none
# of them before
make_huge goes
follow goes
wait_looks 2
assert_extents "$MNT/goes" $extents huge 0
looks=$(counter scan_looks)
run_in goes "${runs[1]}"
wait_home goes 1
assert_ge "$(counter scan_looks)" $((looks + 2)) "looks"

wait_looks 3
wait_home bind 1
for name in stays spread forbidden; do
	assert_extents "$MNT/$name" $extents huge 0
done
for name in bind stays spread other forbidden goes; do
	app_stop $name
done

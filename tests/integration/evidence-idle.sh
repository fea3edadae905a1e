#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 200
# What it costs when there is nothing to do: processor time of the daemon, all
# threads, with 1 GiB mapped huge and 500 other processes. The time to measure
# can be given in seconds: HT_IDLE_SECONDS=60.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

HT_RECOVER=yes
seconds=${HT_IDLE_SECONDS:-30}
mib=1024
available=$(($(meminfo_kib MemAvailable) / 1024))
[ $available -gt $((mib * 2)) ] || mib=$((available / 4 * 2))

# Processor time of the daemon in ms, of threads that have ended as well.
daemon_ms()
{
	local stat

	read -r stat <"/proc/$daemon/stat"
	stat=${stat##*) }
	# shellcheck disable=SC2086 # words
	set -- $stat
	echo $(((${12} + ${13}) * 1000 / ticks))
}

ticks=$(getconf CLK_TCK)
mount_start "size=$((mib + 64))M,huge=always"
daemon=$(mount_daemon)
app_start one -s $((mib << 20)) "$MNT/file"
app_do one fill 3
for ((i = 0; i < 500; i++)); do
	sleep 1000 &
done
sleep 12
app_do one pmd
echo "mapped huge: $((REPLY >> 20)) of $mib MiB"
before=$(daemon_ms)
looks=$("$HUGETMPFSCTL" counters "$MNT" | awk '/^scan_looks/ { print $2 }')
sleep "$seconds"
used=$(($(daemon_ms) - before))
looks=$(($("$HUGETMPFSCTL" counters "$MNT" |
	awk '/^scan_looks/ { print $2 }') - looks))
echo "processor time: $used ms in $seconds s and $looks looks:" \
	"$((used * 1000 / seconds / 10)) thousandths of a percent of a core"
assert_ge "$looks" $((seconds / 20)) "looks"
assert_le "$used" $((seconds * 20)) "milliseconds of processor time"
app_stop one

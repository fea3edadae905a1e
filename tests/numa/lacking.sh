#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that forbids more than others, io_uring and ptrace, and where it was
# booted so has less: it mounts and recovers all the same, and status names what
# is missing, no more. The settings stay, so it comes last. With less of all:
#
#	tests/numa/guest -n 1 -a "cgroup_disable=memory psi=0 \
#		transparent_hugepage=never" tests/numa/lacking.sh
# timeout: 120
# shellcheck source=tests/integration/lib.sh
. "${0%/*}/../integration/lib.sh"
# shellcheck source=tests/integration/app.inc
. "${0%/*}/../integration/app.inc"

extents=4
[ -e /etc/guest ] || skip "these settings are for a guest"
echo 2 >/proc/sys/kernel/io_uring_disabled
# not even root may attach, until the next boot
[ ! -e /proc/sys/kernel/yama/ptrace_scope ] ||
	echo 3 >/proc/sys/kernel/yama/ptrace_scope

lacking="io_uring "
grep -qw memory /sys/fs/cgroup/cgroup.controllers ||
	lacking+="memory_cgroups "
cat /proc/pressure/memory >/dev/null 2>&1 || lacking+="pressure "
echo "without $lacking"

is_mapped_huge()
{
	app_do one pmd
	[ "$REPLY" = $((extents << 21)) ]
}

echo "status names it"
mount_start size=64M,huge=never
missing=$("$HUGETMPFSCTL" status --json --no-scan "$MNT" |
	jq -r '.interfaces[] | select(.present | not).name' | tr '\n' ' ')
assert_eq "$missing" "$lacking" "what is missing"
for name in $missing; do
	assert_match "$("$HUGETMPFSCTL" status --no-scan "$MNT")" \
		$'\n'"  $name +absent: ....." "status"
done

echo "recovery when it is asked for"
app_start one -a -s $((extents << 21)) "$MNT/file"
app_do one fill 7
app_do one checksum
sum=$REPLY
refute grep -q huge <<<"$(states_of "$MNT/file")"
assert_status 0 "$HUGETMPFSCTL" recover --quiet "$MNT/file"
assert_eq "$(states_of "$MNT/file")" "$(words huge $extents)" "states"
app_do one touch
assert is_mapped_huge
assert_app_checksum one "$sum"
app_stop one
mount_stop "$MNT"

echo "in the background"
HT_RECOVER=yes mount_start size=64M,huge=never
app_start one -a -s $((extents << 21)) "$MNT/file"
app_do one fill 8
app_do one checksum
sum=$REPLY
wait_for 60 is_mapped_huge
assert_app_checksum one "$sum"
app_stop one

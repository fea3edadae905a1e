#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A mount that begins, with one system call of parent, keeper or daemon failing,
# or one call that wants memory: it serves, or says why not and leaves nothing.
# Then the same with daemons that take over. Of the system calls each 89th fails,
# of the others each 13th; each of either in turn with HT_FAULTS_STRIDE=1.
# timeout: 7200
. "${0%/*}/lib.sh"

# by which libc is loaded: mmap, mprotect, brk
case $(uname -m) in
x86_64) loading='9|10|12' ;;
aarch64) loading='222|226|214' ;;
*) skip "only where registers are those of x86-64 or arm64" ;;
esac
error=$HT_DIR/error
pids=$HT_DIR/pids
options=size=64M,recover=off
export HT_MEMORY=$HT_DIR/memory
truncate -s 4096 "$HT_MEMORY"
mkdir "$MNT"

# The Nth call that wants memory fails, of WHO (0: all, 1: daemons); N of 0: none.
short_of_memory() # N WHO
{
	printf '%b' "$(printf '\\x%02x\\x%02x\\0\\0\\0\\0\\0\\0\\x%02x' \
		$(($1 & 255)) $(($1 >> 8)) "$2")" |
		dd of="$HT_MEMORY" conv=notrunc status=none
}

# Whether there were not so many calls.
is_over()
{
	[ "$(od -An -tu8 -N8 "$HT_MEMORY" | tr -d ' ')" != 0 ]
}

# Killed while libc itself was being loaded, which can tell nobody.
is_killed_loading() # STATUS
{
	[ "$1" = 98 ] && grep -qE "system call ($loading) " "$HT_DIR/call"
}

has_ended() # WHAT STATUS
{
	local pid

	mount_keeper "$HT_DIR/other" >"$HT_DIR/keeper" ||
		fail "$1: another mount has lost its folder"
	if [ "$2" = 0 ]; then
		echo content >"$MNT/file" || fail "$1: cannot write"
		assert_eq "$(cat "$MNT/file")" content "$1: what was written"
		"$HUGETMPFSCTL" status --no-scan "$MNT" >"$HT_DIR/status" ||
			fail "$1: no status"
		mount_stop
		return
	fi
	[ -s "$error" ] || is_killed_loading "$2" ||
		fail "$1: ended with $2, and said nothing"
	wait_for 30 is_unmounted
	[ ! -s "$pids" ] || while read -r pid; do
		wait_for 30 is_gone "$pid"
	done <"$pids"
	refute mount_keeper >"$HT_DIR/keeper"
}

is_unmounted()
{
	! mount_is_there
}

# one that has nothing to do with it
mount_start $options "$HT_DIR/other"

echo "system calls"
stride=${HT_FAULTS_STRIDE:-89}
for ((nth = 0; ; nth += stride)); do
	status=0
	"$HT_BUILD/tests/integration/faults-start" $nth "$pids" "$HUGETMPFS" \
		-o $options "$MNT" >"$HT_DIR/call" 2>"$error" || status=$?
	if [ $status = 99 ]; then
		mount_stop
		break
	fi
	has_ended "$(cat "$HT_DIR/call")" $status
done
echo "up to call $nth"

echo "memory"
: >"$pids"
stride=${HT_FAULTS_STRIDE:-13}
HUGETMPFS=$HT_BUILD/tests/integration/hugetmpfs-short
# until a mount that has come up has some left
for ((nth = 1; ; nth += stride)); do
	short_of_memory $nth 0
	status=0
	"$HUGETMPFS" -o $options "$MNT" 2>"$error" || status=$?
	is_over && break
	has_ended "want of memory $nth" $status
done
short_of_memory 0 0
mount_stop
echo "up to call $nth"

echo "memory of daemons that take over"
is_relieved() # DAEMON
{
	local now

	now=$(mount_daemon)
	[ -n "$now" ] && [ "$now" != "$1" ] &&
		# the one that serves, which has no other to come after it
		[ "$(cat "$MNT/file")" = content ]
}

mount_start $options
echo content >"$MNT/file"
exec 9<"$MNT/file"
failed=0
for ((nth = 1; ; nth += stride)); do
	# a keeper bears only so many that die before they serve
	if [ $failed = 4 ]; then
		exec 9<&-
		short_of_memory 0 0
		mount_stop
		mount_start $options
		echo content >"$MNT/file"
		exec 9<"$MNT/file"
		failed=0
	fi
	daemon=$(mount_daemon)
	short_of_memory $nth 1
	kill -KILL "$daemon"
	wait_for 30 is_relieved "$daemon"
	is_over && break
	failed=$((failed + 1))
done
short_of_memory 0 0
exec 9<&-
echo "up to call $nth"

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What every integration test begins with: . "${0%/*}/lib.sh"
#
# A test is one script tests/integration/NAME.sh. It passes when it ends with
# 0; any command that fails ends it (set -e), and fail, assert* say why. 77 is
# "skipped". "# timeout: SECONDS" among its first lines replaces the 120 seconds
# that a test may take. It runs as root, by tests/run or alone:
#
#	sudo tests/integration/NAME.sh
#
# HT_BUILD names the build tree (found by itself in build/ or at the top),
# HT_DIR is the test's own folder: whatever it makes lies there, with one
# hugetmpfs at $MNT. Helper programs tests/integration/X.c are built as
# $HT_BUILD/tests/integration/X. HT_SCALE=N makes what is large or long in some
# tests N times smaller, for slow machines. A line "# sanitized" makes contrib/check run
# the test with AddressSanitizer as well, "# sanitized threads" also with
# ThreadSanitizer.
set -Eeuo pipefail
shopt -s inherit_errexit
umask 022
export LC_ALL=C

HT_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cleanup.sh
. "$HT_SRC/tests/cleanup.sh"

# ---- the end of a test ----

skip() # REASON
{
	echo "skipped: $*"
	exit 77
}

fail() # MESSAGE
{
	echo "FAILED: $*"
	exit 1
}

# COMMAND is run when the test ends, however it ends; the last one first.
at_exit() # COMMAND
{
	HT_AT_EXIT="$1
$HT_AT_EXIT"
}

# A test that passed must be able to unmount, and nothing may be left of the
# mount then; what else it started is ended here.
ht_end_well()
{
	local jobs left

	jobs=$(jobs -p)
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$jobs" ] || kill $jobs 2>/dev/null
	wait
	cleanup_umount "$HT_DIR" || return 1
	cleanup_swaps "$HT_DIR"
	cleanup_cgroups "$HT_DIR"
	left=$(cleanup_wait "$HT_DIR")
	[ -z "$left" ] && return 0
	printf 'FAILED: left behind:\n%s\n' "$left"
	return 1
}

# Sanitizers write their reports into files, as daemons have no terminal.
ht_sanitizer_reports()
{
	local report status=0

	for report in "$HT_DIR"/sanitizer.*; do
		[ -f "$report" ] || continue
		echo "FAILED: $report:"
		head -n 60 "$report"
		status=1
	done
	return $status
}

ht_on_exit()
{
	local status=$?

	trap - EXIT ERR TERM INT
	set +e
	eval "$HT_AT_EXIT"
	export -n HT_DIR
	cd /
	kill "$HT_WATCHDOG" 2>/dev/null
	wait "$HT_WATCHDOG"
	if [ $status = 0 ]; then
		ht_end_well || status=1
	fi
	[ $status = 0 ] || cleanup_all "$HT_DIR"
	ht_sanitizer_reports || status=1
	if [ -n "$HT_OWN_DIR" ]; then
		rm -rf --one-file-system "$HT_DIR"
		[ $status != 0 ] || echo "${HT_LAST_LINE:-passed}"
	fi
	exit $status
}

ht_on_error() # STATUS LINE COMMAND
{
	echo "FAILED: line $2: status $1: $3"
}

# Nothing of a test may wait for ever: after its time its FUSE connections
# are aborted, which wakes up everybody, and then it is ended.
ht_watchdog() # SECONDS
{
	local main=$$

	(
		trap - EXIT ERR INT
		trap 'kill $!; exit 0' TERM
		export -n HT_DIR
		sleep "$1" &
		wait $!
		echo "FAILED: took longer than $1 seconds"
		cleanup_abort "$HT_DIR"
		kill -TERM "$main"
		# a shell heeds a signal only after its current command
		sleep 1
		# shellcheck disable=SC2046 # a list of numbers
		kill $(cleanup_pids "$HT_DIR") 2>/dev/null
	) &
	HT_WATCHDOG=$!
}

# ---- assertions ----

assert() # COMMAND ARG...
{
	"$@" || fail "line ${BASH_LINENO[0]}: expected to succeed: $*"
}

refute() # COMMAND ARG...
{
	if "$@"; then
		fail "line ${BASH_LINENO[0]}: expected to fail: $*"
	fi
}

assert_eq() # ACTUAL EXPECTED WHAT
{
	[ "$1" = "$2" ] ||
		fail "line ${BASH_LINENO[0]}: $3: '$1', expected '$2'"
}

assert_ge() # ACTUAL MINIMUM WHAT
{
	[ "$1" -ge "$2" ] ||
		fail "line ${BASH_LINENO[0]}: $3: $1, expected at least $2"
}

assert_le() # ACTUAL MAXIMUM WHAT
{
	[ "$1" -le "$2" ] ||
		fail "line ${BASH_LINENO[0]}: $3: $1, expected at most $2"
}

assert_match() # TEXT EXTENDED_REGEX WHAT
{
	[[ $1 =~ $2 ]] ||
		fail "line ${BASH_LINENO[0]}: $3: '$1' does not match '$2'"
}

# Runs the command; its exit code must be STATUS. Output is left in $OUT.
assert_status() # STATUS COMMAND ARG...
{
	local expected=$1 status=0

	shift
	OUT=$("$@" 2>&1) || status=$?
	[ "$status" = "$expected" ] || fail "line ${BASH_LINENO[0]}:" \
		"exit code $status, expected $expected: $*: $OUT"
}

# Of a process without a parent that waits, the leader stays as a zombie; its
# other threads may still be on their way out, with all their fds, when it is one.
is_gone() # PID
{
	[ ! -d "/proc/$1" ] || {
		grep -qs '^State:[[:space:]]*Z' "/proc/$1/status" &&
			[ "$(ls "/proc/$1/task" 2>/dev/null)" = "$1" ]
	}
}

# Waits until COMMAND succeeds, for at most SECONDS. One try counts for no more
# than a tenth of them: where the machine stood still, only the clock went on.
wait_for() # SECONDS COMMAND ARG...
{
	local seconds=$1 last=$SECONDS waited=0 most=$(($1 / 10 + 1)) took

	shift
	until "$@"; do
		took=$((SECONDS - last))
		last=$SECONDS
		waited=$((waited + (took < most ? took : most)))
		[ $waited -le "$seconds" ] ||
			fail "line ${BASH_LINENO[0]}: not after $seconds s: $*"
		sleep 0.05
	done
}

# Whether so many pages are free on the mount: a removed file gives its room back
# some time after its name has gone.
has_room() # PAGES
{
	[ "$(stat -f -c %f "$MNT")" -ge "$1" ]
}

# Stops a process; a thread that runs does not stop before the signal gets there.
stop_process() # PID
{
	kill -STOP "$1"
	wait_for 60 is_stopped "$1"
}

is_stopped() # PID
{
	! grep -h '^State:' "/proc/$1/task/"*/status |
		grep -v 'T (stopped)' >/dev/null
}

# NUMBER, or the HT_SCALEth part of it, but not less than LEAST.
scaled() # NUMBER LEAST
{
	local number=$(($1 / ${HT_SCALE:-1}))

	echo $((number > $2 ? number : $2))
}

# ---- the mount ----

# Mounts the hugetmpfs that was built, with "-o OPTIONS", at $MNT, or at the
# second argument (which must lie below $HT_DIR); it is unmounted at the end.
# Nothing is recovered without being asked for, but with HT_RECOVER set.
# MOUNT_RUN is what goes before the command that mounts.
MOUNT_RUN=()
mount_start() # [OPTIONS [MOUNTPOINT]]
{
	local mnt=${2:-$MNT}

	if [ -z "${HT_RECOVER:-}" ]; then
		set -- "${1:+$1,}recover=off" "$mnt"
	fi

	mkdir -p "$mnt"
	"${MOUNT_RUN[@]}" "$HUGETMPFS" ${1:+-o "$1"} "$mnt" ||
		fail "line ${BASH_LINENO[0]}: mount failed"
	mount_is_there "$mnt" || fail "$mnt is not in mountinfo"
}

mount_is_there() # [MOUNTPOINT]
{
	[ -n "$(cleanup_mounts "${1:-$MNT}")" ]
}

# Unmounts and waits until the keeper is gone with all it had.
mount_stop() # [MOUNTPOINT]
{
	local mnt=${1:-$MNT} keeper

	keeper=$(mount_keeper "$mnt")
	cleanup_umount_one "$mnt"
	wait_for 60 is_gone "$keeper"
}

# Pid of the keeper; mount_daemon: of the daemon, the child of the keeper that leads
# its own process group, as what daemons leave behind does not.
mount_keeper() # [MOUNTPOINT]
{
	local file

	for file in /run/hugetmpfs/[0-9]*/mount; do
		if grep -qFx "mountpoint ${1:-$MNT}" "$file" 2>/dev/null; then
			file=${file#/run/hugetmpfs/}
			echo "${file%/mount}"
			return 0
		fi
	done
	return 1
}

mount_daemon() # [MOUNTPOINT]
{
	local keeper

	keeper=$(mount_keeper "$@")
	# the kernel passes over a child when the one before it is reaped just then
	ht_daemon_of "$keeper" || ht_daemon_of "$keeper" ||
		ht_daemon_of "$keeper" || :
}

ht_daemon_of() # KEEPER
{
	local pid group

	for pid in $(cat "/proc/$1/task/$1/children"); do
		group=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null |
			cut -d ' ' -f 3) || continue
		if [ "$group" = "$pid" ]; then
			echo "$pid"
			return
		fi
	done
	return 1
}

# Lets one daemon after the other die, until the keeper gives up and the mount
# is dead. One that is killed by SIGKILL would be taken over from very often.
mount_kill() # [KEEPER]
{
	local keeper=${1:-$(mount_keeper)}

	wait_for 30 ht_is_dead_now "$keeper"
}

ht_is_dead_now() # KEEPER
{
	grep -qx "state dead" "/run/hugetmpfs/$1/mount" && return
	# one that was stopped, too
	pkill -USR1 -P "$1" && pkill -CONT -P "$1"
	return 1
}

# ---- what the kernel says ----

# KiB of a field of /proc/meminfo, e.g. ShmemHugePages.
meminfo_kib() # FIELD
{
	awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo
}

# KiB of a field of smaps (e.g. ShmemPmdMapped) summed up over the mappings
# of the file at PATH in process PID.
smaps_kib() # PID FIELD PATH
{
	awk -v field="$2:" -v path="$3" '
		/^[0-9a-f]+-[0-9a-f]+ / {
			name = $0
			for (i = 0; i < 5; i++)
				sub(/^[^ ]+ +/, "", name)
			ours = name == path || name == path " (deleted)"
		}
		ours && $1 == field { sum += $2 }
		END { print sum + 0 }' "/proc/$1/smaps"
}

# ---- swap ----

# A swap file of its own, MIB large; on a file system that cannot swap to a
# file, through a loop device. Removed at the end of the test.
swap_start() # MIB
{
	local file=$HT_DIR/swapfile device

	dd if=/dev/zero of="$file" bs=1M count="$1" status=none
	chmod 600 "$file"
	mkswap -q "$file" >/dev/null
	swapon "$file" 2>/dev/null && return 0
	device=$(losetup -f --show "$file") || skip "no loop device for swap"
	swapon "$device" || skip "no swap can be added here"
}

swap_stop()
{
	cleanup_swaps "$HT_DIR"
	rm -f "$HT_DIR/swapfile"
}

# ---- memory cgroups, version 1 or 2 ----

# Makes the memory cgroup NAME of this test and prints its folder.
cgroup_create() # NAME [LIMIT_BYTES]
{
	local root=/sys/fs/cgroup dir

	if [ -d "$root/memory" ]; then
		root=$root/memory
	elif grep -qw memory "$root/cgroup.controllers" 2>/dev/null; then
		echo +memory >"$root/cgroup.subtree_control"
	else
		skip "no memory cgroup here"
	fi
	dir=$root/${HT_DIR##*/}-$1
	mkdir "$dir"
	[ -z "${2:-}" ] || cgroup_limit "$dir" "$2"
	echo "$dir"
}

# What is more than that is swapped out before this returns, or it fails.
cgroup_limit() # DIR BYTES|max
{
	local bytes=$2

	if [ -e "$1/memory.max" ]; then
		# the kernel kills where that is not low enough already
		echo "$bytes" >"$1/memory.high"
		[ "$bytes" = max ] ||
			wait_for 60 ht_cgroup_is_below "$1" "$bytes"
		echo "$bytes" >"$1/memory.max"
		echo max >"$1/memory.high"
		return
	fi
	[ "$bytes" != max ] || bytes=-1
	echo "$bytes" >"$1/memory.limit_in_bytes"
}

# Each time that the limit is written the kernel tries to get below it.
ht_cgroup_is_below() # DIR BYTES
{
	echo "$2" >"$1/memory.high"
	[ "$(cat "$1/memory.current")" -le "$2" ]
}

# Runs COMMAND in place of this shell, inside the cgroup: use in ( ).
cgroup_exec() # DIR COMMAND ARG...
{
	echo "$BASHPID" >"$1/cgroup.procs"
	shift
	exec "$@"
}

# Bytes charged to it.
cgroup_bytes() # DIR
{
	cat "$1/memory.usage_in_bytes" 2>/dev/null || cat "$1/memory.current"
}

# Bytes of shared memory (tmpfs) charged to it.
cgroup_shmem_bytes() # DIR
{
	awk '$1 == "shmem" { print $2 }' "$1/memory.stat"
}

# ---- programs of the build, for all users ----

is_public() # FILE
{
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$1"
}

# Prints where a program of the build is for others than root, who cannot get
# to a source tree below /root: there a copy, with its library if it has one.
public_program() # PROGRAM
{
	local dir=$HT_DIR/public name=${1##*/} real=$1 library

	if is_public "$1"; then
		echo "$1"
		return
	fi
	# libtool's scripts know the tree alone
	[ ! -x "$HT_BUILD/.libs/$name" ] || real=$HT_BUILD/.libs/$name
	mkdir -p "$dir/real"
	cp "$real" "$dir/real/"
	for library in "$HT_BUILD"/.libs/lib*.so.*; do
		[ ! -f "$library" ] || cp "$library" "$dir/real/"
	done
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$dir/real" \
		"$dir/real/$name" >"$dir/$name"
	chmod 755 "$dir/$name"
	echo "$dir/$name"
}

# ---- beginning ----

[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
[ -c /dev/fuse ] || { echo "skipped: no /dev/fuse"; exit 77; }
if [ -z "${HT_BUILD:-}" ]; then
	HT_BUILD=$HT_SRC
	[ ! -x "$HT_SRC/build/hugetmpfs" ] || HT_BUILD=$HT_SRC/build
fi
HUGETMPFS=$HT_BUILD/hugetmpfs
HUGETMPFSCTL=$HT_BUILD/hugetmpfsctl
[ -x "$HUGETMPFS" ] || { echo "$HUGETMPFS is not built"; exit 1; }
export HT_BUILD HUGETMPFS HUGETMPFSCTL

HT_AT_EXIT=
HT_WATCHDOG=
HT_OWN_DIR=
HT_DIR=${HT_RUN_DIR:-}
if [ -z "$HT_DIR" ]; then
	HT_DIR=$(mktemp -d "${HT_BASE:-/tmp}/hugetmpfs-test.XXXXXX")
	HT_OWN_DIR=yes
fi
HUGETMPFSCTL=$(public_program "$HUGETMPFSCTL")
export HT_DIR
ht_sanitizers()
{
	local log=log_path=$HT_DIR/sanitizer

	export ASAN_OPTIONS=$log UBSAN_OPTIONS=$log
	# a report at the end of a daemon is no reason to take it for a crash
	export LSAN_OPTIONS=$log:exitcode=0
	export TSAN_OPTIONS=$log:exitcode=0:atexit_sleep_ms=0
	TSAN_OPTIONS+=:suppressions=$HT_SRC/tests/tsan.supp
}
ht_sanitizers
MNT=$HT_DIR/mnt
trap ht_on_exit EXIT
trap 'ht_on_error $? $LINENO "$BASH_COMMAND"' ERR
trap 'exit 1' TERM INT
ht_watchdog "${HT_TIMEOUT:-$(sed -n '1,15s/^# timeout: //p' "$0" | grep . || echo 120)}"

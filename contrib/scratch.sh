# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A scratch folder for scripts that show or measure hugetmpfs. Whatever lies
# below it or was started from it - mounts, swap, processes - is gone when the
# script ends, however it ends:
#
#	. contrib/scratch.sh
#	scratch_begin NAME SECONDS	makes $SCRATCH, sets a limit of time
#	scratch_programs [BUILD]	finds $HUGETMPFS and $HUGETMPFSCTL
#
# $SCRATCH_TOP is the source tree, SCRATCH_SAY what stands before messages.
SCRATCH_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRATCH=
SCRATCH_WATCHDOG=
SCRATCH_CGROUP=
# shellcheck source=tests/cleanup.sh
. "$SCRATCH_TOP/tests/cleanup.sh"
# what is executed carries this, so that it can be found
cleanup_mark=HUGETMPFS_SCRATCH

# The script cannot run here.
scratch_unable() # MESSAGE...
{
	echo "$SCRATCH_SAY: $*" >&2
	exit 2
}

# The last resort when something hangs: everybody who waits for a mount of
# ours gets an error, and what still runs is ended.
scratch_watchdog() # SECONDS
{
	local main=$$

	(
		trap - EXIT INT
		trap 'kill $!; exit 0' TERM
		export -n HUGETMPFS_SCRATCH
		sleep "$1" &
		wait $!
		echo "$SCRATCH_SAY: not done after $1 seconds, ended" >&2
		cleanup_abort "$SCRATCH"
		kill -TERM "$main"
		# a shell heeds a signal only after its current command
		sleep 1
		# shellcheck disable=SC2046 # a list of numbers
		kill $(cleanup_pids "$SCRATCH") 2>/dev/null
	) &
	SCRATCH_WATCHDOG=$!
}

# In the ordinary way first: what does not end by itself is a failure.
scratch_tidy()
{
	local left

	cleanup_umount "$SCRATCH" || return 1
	cleanup_swaps "$SCRATCH"
	cleanup_cgroups "$SCRATCH"
	left=$(cleanup_wait "$SCRATCH")
	[ -n "$left" ] || return 0
	printf '%s: left behind:\n%s\n' "$SCRATCH_SAY" "$left" >&2
	return 1
}

scratch_end()
{
	local status=$?

	trap - EXIT
	trap '' INT TERM HUP
	set +e
	export -n HUGETMPFS_SCRATCH
	cd /
	kill "$SCRATCH_WATCHDOG" 2>/dev/null
	wait "$SCRATCH_WATCHDOG" 2>/dev/null
	if [ $status = 0 ]; then
		scratch_tidy || status=1
	fi
	[ $status = 0 ] || cleanup_all "$SCRATCH"
	rm -rf --one-file-system "$SCRATCH"
	exit $status
}

# The folder is on a disk where it can be, as swap files must be.
scratch_begin() # NAME SECONDS
{
	SCRATCH_SAY=$1
	[ "$(id -u)" = 0 ] || scratch_unable "only root can mount: run it by sudo"
	SCRATCH=$(mktemp -d "${TMPDIR:-/var/tmp}/hugetmpfs-$1.XXXXXX") || exit 2
	export HUGETMPFS_SCRATCH=$SCRATCH
	trap scratch_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	scratch_watchdog "$2"
}

# Those of the build tree BUILD, else of the source tree, else the installed.
scratch_programs() # [BUILD]
{
	local dir

	for dir in ${1:+"$1"} "$SCRATCH_TOP/build" "$SCRATCH_TOP"; do
		if [ -x "$dir/hugetmpfs" ] && [ -x "$dir/hugetmpfsctl" ]; then
			SCRATCH_BUILD=$(cd "$dir" && pwd)
			HUGETMPFS=$SCRATCH_BUILD/hugetmpfs
			HUGETMPFSCTL=$SCRATCH_BUILD/hugetmpfsctl
			return 0
		fi
		[ -z "${1:-}" ] || scratch_unable "nothing is built in $1"
	done
	SCRATCH_BUILD=
	HUGETMPFS=$(PATH=$PATH:/usr/local/sbin:/usr/sbin command -v hugetmpfs) &&
		HUGETMPFSCTL=$(command -v hugetmpfsctl) ||
		scratch_unable "hugetmpfs is neither built nor installed:" \
			"run contrib/setup"
}

# A memory cgroup, version 1 or 2, for scratch_in_cgroup. Where none can be
# made, that does without.
scratch_cgroup()
{
	local root=/sys/fs/cgroup

	if [ -d $root/memory ]; then
		root=$root/memory
	else
		echo +memory 2>/dev/null >$root/cgroup.subtree_control || :
		grep -qsw memory $root/cgroup.subtree_control || return 0
	fi
	SCRATCH_CGROUP=$root/${SCRATCH##*/}-cgroup
	mkdir "$SCRATCH_CGROUP" 2>/dev/null || SCRATCH_CGROUP=
}

# Runs COMMAND in place of this shell: use in ( ).
scratch_in_cgroup() # COMMAND ARG...
{
	[ -z "$SCRATCH_CGROUP" ] ||
		echo "$BASHPID" >"$SCRATCH_CGROUP/cgroup.procs"
	exec "$@"
}

# Has the kernel take memory from the cgroup.
scratch_reclaim() # MIB
{
	[ -n "$SCRATCH_CGROUP" ] || return 0
	# the one of version 2 fails when it did not get all
	if [ -e "$SCRATCH_CGROUP/memory.reclaim" ]; then
		echo "${1}M" 2>/dev/null >"$SCRATCH_CGROUP/memory.reclaim" || :
	else
		echo 0 2>/dev/null >"$SCRATCH_CGROUP/memory.force_empty" || :
	fi
}

# What is more than that is swapped out before this returns, or it fails.
scratch_limit() # MIB|max
{
	local limit=$1

	[ "$limit" = max ] || limit+=M
	if [ -e "$SCRATCH_CGROUP/memory.max" ]; then
		echo "$limit" 2>/dev/null >"$SCRATCH_CGROUP/memory.max"
		return
	fi
	echo "${limit/max/-1}" 2>/dev/null \
		>"$SCRATCH_CGROUP/memory.limit_in_bytes"
}

# MiB of its memory that are on swap as well, as far as that can be told.
scratch_swapcached_mib()
{
	local mib=

	[ -z "$SCRATCH_CGROUP" ] || mib=$(awk '$1 == "swapcached" {
		print int($2 / 2 ^ 20) }' "$SCRATCH_CGROUP/memory.stat")
	echo "${mib:-$(scratch_meminfo_mib SwapCached)}"
}

# MiB of a field of /proc/meminfo, e.g. ShmemHugePages.
scratch_meminfo_mib() # FIELD
{
	awk -v field="$1:" '$1 == field { print int($2 / 1024) }' /proc/meminfo
}

# A swap file of our own, used before any other; where the file system cannot
# swap to a file, through a loop device. Fails where neither works.
scratch_swap() # MIB
{
	local file=$SCRATCH/swapfile device

	[ "$(df --output=avail -m "$SCRATCH" | tail -n 1)" -gt $(($1 + 64)) ] ||
		return 1
	touch "$file"
	chmod 600 "$file"
	# swapping to btrfs needs this, others do not know it
	chattr +C "$file" 2>/dev/null || :
	fallocate -l "${1}M" "$file" 2>/dev/null ||
		dd if=/dev/zero of="$file" bs=1M count="$1" status=none || return 1
	mkswap "$file" >/dev/null 2>&1 || return 1
	swapon -p 32767 "$file" 2>/dev/null && return 0
	device=$(losetup -f --show "$file" 2>/dev/null) || return 1
	swapon -p 32767 "$device" 2>/dev/null
}

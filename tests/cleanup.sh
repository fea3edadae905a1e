# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Finds and removes what a test left behind. Everything a test makes lies below
# its own folder DIR, and its processes carry HT_DIR=DIR in their environment:
# nothing else is ever touched.

# A test exports HT_DIR after its start and until its end, so that all that it
# executes is marked, but no shell of its own and nothing that is called here.
# tests/run marks by HT_RUN_DIR, which the shells of a test carry as well.
cleanup_mark=HT_DIR
cleanup_fusectl=/sys/fs/fuse/connections

# Lines "DEVICE TYPE MOUNTPOINT" of the mounts at or below DIR, newest first.
# Reads mountinfo only: looking at a dead FUSE mount itself would hang.
cleanup_mounts() # DIR
{
	awk -v dir="$1" '
		$5 == dir || index($5, dir "/") == 1 {
			for (i = 7; $i != "-"; i++)
				;
			print $3, $(i + 1), $5
		}' /proc/self/mountinfo | tac
}

# Makes whoever waits for a FUSE file system at or below DIR get an error.
cleanup_abort() # DIR
{
	local dev type mountpoint

	mountpoint -q "$cleanup_fusectl" ||
		mount -t fusectl none "$cleanup_fusectl" 2>/dev/null || :
	cleanup_mounts "$1" | while read -r dev type mountpoint; do
		case $type in
		fuse | fuse.*)
			echo 1 2>/dev/null \
				>"$cleanup_fusectl/${dev#*:}/abort" || :
			;;
		esac
	done
}

# Pids of the processes of the test: by environment, and keepers by the
# mount point that they serve.
cleanup_pids() # DIR
{
	local file pid

	grep -lzFx "$cleanup_mark=$1" /proc/[0-9]*/environ 2>/dev/null |
		while IFS=/ read -r _ _ pid _; do
			[ -d "/proc/$pid" ] && echo "$pid"
		done
	for file in /run/hugetmpfs/[0-9]*/mount; do
		grep -qF "mountpoint $1/" "$file" 2>/dev/null || continue
		pid=${file#/run/hugetmpfs/}
		pid=${pid%/mount}
		[ -d "/proc/$pid" ] && echo "$pid"
	done
	return 0
}

# Says in one line each what is there that belongs to the test.
cleanup_list() # DIR
{
	local pid file

	cleanup_mounts "$1" | sed 's/^/mount: /'
	cleanup_pids "$1" | sort -nu | while read -r pid; do
		[ -d "/proc/$pid" ] &&
			echo "process: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
	done 2>/dev/null # it may end meanwhile
	for file in /run/hugetmpfs/[0-9]*/mount; do
		grep -qF "mountpoint $1/" "$file" 2>/dev/null &&
			echo "runtime folder: ${file%/mount}"
	done
	cleanup_anchors "$1" | sed 's/^/anchor: /'
	awk -v dir="$1/" 'index($1, dir) == 1 { print "swap: " $1 }' /proc/swaps
	cleanup_loops "$1" | sed 's/^/loop device: /'
}

# Files of the test that their keeper has left.
cleanup_anchors() # DIR
{
	local file

	for file in /run/hugetmpfs/anchors/*/state; do
		grep -qF "mountpoint $1/" "$file" 2>/dev/null &&
			echo "${file%/state}"
	done
	return 0
}

cleanup_loops() # DIR
{
	local file backing

	for file in /sys/block/loop*/loop/backing_file; do
		backing=$(cat "$file" 2>/dev/null) || continue
		case $backing in
		"$1"/*)
			file=${file#/sys/block/}
			echo "/dev/${file%%/*}"
			;;
		esac
	done
}

cleanup_swaps() # DIR
{
	local device

	awk -v dir="$1/" 'index($1, dir) == 1 { print $1 }' /proc/swaps |
		while read -r device; do
			swapoff "$device" || :
		done
	cleanup_loops "$1" | while read -r device; do
		if grep -q "^$device " /proc/swaps; then
			swapoff "$device" || :
		fi
		losetup -d "$device" || :
	done
}

# What has ended may still be on its way out: prints what is there of the test
# after 3 seconds, nothing as soon as there is nothing.
cleanup_wait() # DIR
{
	local end=$((SECONDS + 4)) list

	while list=$(cleanup_list "$1"); [ -n "$list" ]; do
		[ $SECONDS -lt $end ] || break
		sleep 0.1
	done
	[ -z "$list" ] || echo "$list"
}

# Memory cgroups of the test, named after its folder; they must be empty.
cleanup_cgroups() # DIR
{
	find /sys/fs/cgroup -mindepth 1 -maxdepth 3 -type d \
		-name "${1##*/}-*" -exec rmdir {} + 2>/dev/null || :
}

# A file that was open keeps the mount for some time after its process is gone.
cleanup_umount_one() # MOUNTPOINT
{
	local _

	for _ in {1..50}; do
		umount "$1" 2>/dev/null && return
		sleep 0.2
	done
	umount "$1"
}

# Unmounts whatever is mounted at or below DIR the ordinary way; fails when
# something is busy.
cleanup_umount() # DIR
{
	local dev type mountpoint status=0

	while read -r dev type mountpoint; do
		cleanup_umount_one "$(printf %b "$mountpoint")" || status=1
	done < <(cleanup_mounts "$1")
	return $status
}

# Ends and removes everything of the test except DIR itself, by force.
cleanup_all() # DIR
{
	local dir=$1 dev type mountpoint pids file tries

	cleanup_abort "$dir"
	cleanup_mounts "$dir" | while read -r dev type mountpoint; do
		umount -l "$(printf %b "$mountpoint")" 2>/dev/null || :
	done
	for tries in TERM TERM KILL; do
		pids=$(cleanup_pids "$dir")
		[ -n "$pids" ] || break
		# shellcheck disable=SC2086 # a list of numbers
		kill -"$tries" $pids 2>/dev/null || :
		sleep 0.3
	done
	cleanup_swaps "$dir"
	for file in /run/hugetmpfs/[0-9]*/mount; do
		if grep -qF "mountpoint $dir/" "$file" 2>/dev/null; then
			rm -rf "${file%/mount}"
		fi
	done
	cleanup_anchors "$dir" | while read -r file; do
		umount "$file/files" 2>/dev/null || :
		rm -rf --one-file-system "$file"
	done
	cleanup_cgroups "$dir"
}

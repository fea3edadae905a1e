#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A kernel that lacks an interface: for each that is optional, one after the
# other, and for all of them, a mount where it is missing says so and what that
# means, and recovers swapped pages by another way, or says that it cannot. The
# content stays.
# timeout: 300
# sanitized
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

without=$HT_BUILD/tests/integration/without
[ -x "$without" ] || skip "built without libseccomp"
# files of /proc are covered, cgroups unmounted: for this test alone
if [ -z "${HT_INNER:-}" ]; then
	env -u HT_DIR HT_INNER=yes HT_RUN_DIR="$HT_DIR" unshare -m "$0"
	exit
fi

extents=4
ctl=$HUGETMPFSCTL
# what cannot be opened, whoever tries
mknod "$HT_DIR/nothing" c 0 0
declare -A file_of=(
	[kpageflags]=/proc/kpageflags
	[kpagecgroup]=/proc/kpagecgroup
	[pressure]=/proc/pressure/memory
	[buddyinfo]=/proc/buddyinfo
	[compact_memory]=/proc/sys/vm/compact_memory
)
covered=()

# Groups that do not count memory, as with cgroup_disable=memory.
other_cgroups()
{
	mount -t cgroup2 cgroup /sys/fs/cgroup
	echo "cpuset cpu io pids" >"$HT_DIR/controllers"
	mount --bind "$HT_DIR/controllers" /sys/fs/cgroup/cgroup.controllers
}

# Takes away what is no system call.
hide() # NAME
{
	local file=${file_of[$1]:-}

	if [ "$1" = memory_cgroups ]; then
		# there is no way back
		! mountpoint -q /sys/fs/cgroup || umount -R -l /sys/fs/cgroup
		other_cgroups
	elif [ -z "$file" ]; then
		fail "no way is known to take $1 away"
	elif [ -e "$file" ]; then
		mount --bind "$HT_DIR/nothing" "$file"
		covered+=("$file")
	fi
}

# Mounts as on a kernel without them.
start_without() # MOUNT_OPTIONS NAME...
{
	local options=$1 name calls=

	shift
	for name in "$@"; do
		case ${way_of[$name]} in
		call) calls=$calls,$name ;;
		*) hide "$name" ;;
		esac
	done
	MOUNT_RUN=()
	[ -z "$calls" ] || MOUNT_RUN=("$without" "${calls#,}")
	mount_start "$options"
}

stop_without()
{
	mount_stop
	[ ${#covered[@]} = 0 ] || umount "${covered[@]}"
	covered=()
}

# Lines "NAME MEANING" of what is missing, by the status as JSON.
missing()
{
	"$ctl" status --json --no-scan "$MNT" | jq -r '.interfaces[] |
		select(.present | not) | "\(.name) \(.absence)"'
}

# Just these are missing, in both forms of status, and what depends on them.
assert_absent() # NAME...
{
	local is should=" $* " text line name

	# the same advice, given to another process
	[[ $should != *" MADV_COLLAPSE "* ]] ||
		should+='process_madvise(MADV_COLLAPSE) '
	is=$(missing)
	text=$'\n'$("$ctl" status --no-scan "$MNT")
	for name in "$@"; do
		[[ $'\n'$is == *$'\n'"$name "* ]] ||
			fail "$name is not missing, but:"$'\n'"$is"
	done
	while read -r name line; do
		[[ "$should$missing_here" == *" $name "* ]] ||
			fail "$name is missing"
		assert_ge ${#line} 10 "length of what it means"
		printf -v line '\n  %-32sabsent: %s\n' "$name" "$line"
		[[ $text == *"$line"* ]] || fail "$text: no$line"
	done <<<"$is"
}

# Half of it is on swap, by the kernel's word.
is_out()
{
	app_do one pageout
	[ "$(smaps_kib "${APP_PID[one]}" Swap "$MNT/file")" -ge \
		$((extents << 10)) ]
}

# With the application's stores on swap, in part.
prepare()
{
	app_start one -a -s $((extents << 21)) "$MNT/file"
	app_do one fill 7
	app_do one checksum
	sum=$REPLY
	wait_for 30 is_out
	app_do one load $(((extents - 1) << 21))
	refute grep -q huge <<<"$(states_of "$MNT/file")"
}

assert_content()
{
	assert_app_checksum one "$sum"
	app_stop one
}

assert_recovers()
{
	prepare
	assert_status 0 "$ctl" recover --quiet "$MNT/file"
	assert_eq "$(states_of "$MNT/file")" "$(words huge $extents)" "states"
	app_do one touch
	app_do one pmd
	assert_eq "$REPLY" $((extents << 21)) "bytes mapped huge"
	assert_content
}

assert_refuses()
{
	prepare
	assert_status 3 "$ctl" recover "$MNT/file"
	assert_match "$OUT" 'this kernel cannot collapse pages of a file' \
		"the refusal"
	assert_content
}

is_mapped_huge()
{
	app_do one pmd
	[ "$REPLY" = $((extents << 21)) ]
}

# What the application uses becomes huge with no command given.
check_background() # NAME...
{
	local HT_RECOVER=yes

	echo "in the background, without $*"
	start_without size=64M,huge=never "$@"
	app_start one -a -s $((extents << 21)) "$MNT/file"
	app_do one fill 8
	app_do one checksum
	sum=$REPLY
	wait_for 60 is_mapped_huge
	assert_content
	stop_without
}

# Why it is busy is not known, nor what a file says of itself.
check_limits()
{
	echo "what is not known without kpageflags and user_xattrs"
	start_without size=64M,huge=never kpageflags user_xattrs
	head -c 2M /dev/urandom >"$MNT/pinned"
	app_start pin -a "$MNT/pinned"
	app_do pin pin 40960
	assert_eq "$(recover "$MNT/pinned")" "again " "a pinned page"
	app_stop pin
	assert_status 1 setfattr -n user.hugetmpfs.recover -v off "$MNT"
	assert_match "$OUT" "Operation not supported" "no xattrs"
	stop_without
}

check() # recovers|refuses NAME...
{
	local verdict=$1

	shift
	echo "without $*"
	start_without size=64M,huge=never "$@"
	assert_absent "$@"
	"assert_$verdict"
	stop_without
}

# what this kernel lacks anyway
mount_start size=64M
missing_here=$(missing | awk '{ printf " %s ", $1 }')
mount_stop
declare -A way_of
all=()
while read -r name way; do
	way_of[$name]=$way
	all+=("$name")
done < <("$without" --list)
swap_start 64

check_background PROCMAP_QUERY pressure
check_limits
check refuses PAGEMAP_SCAN kpageflags
# those that it gets along without
ways_round=()
for name in "${all[@]}"; do
	case $name in
	MADV_COLLAPSE | kpageflags) ;;
	*) ways_round+=("$name") ;;
	esac
	# one alone where there is time; without cgroups is the rest
	[ -z "${HT_SCALE:-}" ] && [ "$name" != memory_cgroups ] || continue
	case $name in
	MADV_COLLAPSE) check refuses "$name" ;;
	*) check recovers "$name" ;;
	esac
done
[ -n "${HT_SCALE:-}" ] || check recovers memory_cgroups
check recovers "${ways_round[@]}"
check refuses "${all[@]}"

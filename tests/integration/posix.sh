#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The behaviour suite, first on a native tmpfs, which is the reference: each
# check must hold there. Then on hugetmpfs, where the same must hold.
# timeout: 400
. "${0%/*}/lib.sh"

# Checks that fail on hugetmpfs and cannot be helped from user space; they
# must fail, so that the list stays true.
known_differences=(
	# the kernel opens the backing file with the flags of the open(2)
	io.append_flag_taken_back
)

is_known() # TEST
{
	local known

	for known in "${known_differences[@]}"; do
		[ "$1" != "$known" ] || return 0
	done
	return 1
}

# Runs all topics in DIRECTORY, or in SMALL what needs a mount that fills up.
# Prints what fails, leaves the names in $failed.
run_topics() # DIRECTORY SMALL
{
	local program topic directory word test line last

	failed=()
	for program in "$HT_BUILD"/tests/integration/posix/*; do
		[ -f "$program" ] && [ -x "$program" ] || continue
		topic=${program##*/}
		directory=$1
		[ "$topic" != full ] || directory=$2
		while IFS= read -r line; do
			last=$line
			read -r word test _ <<<"$line"
			case $word in
			FAIL) failed+=("$test"); echo "$line" ;;
			ok) ;;
			*) echo "$line" ;;
			esac
		done < <("$program" "$directory" 2>&1 || echo "  exit code $?")
		# the summary is the last line, so the program came to its end
		assert_match "$last" "^($topic: .*passed|  exit code 1)" \
			"end of $topic"
		topics=$((topics + 1))
	done
}

topics=0
large=size=1G,huge=within_size,mode=1777
small=size=32M,nr_inodes=1000,huge=within_size,mode=1777

echo "on tmpfs:"
mkdir "$HT_DIR"/{tmpfs,small}
mount -t tmpfs -o $large ht-tmpfs "$HT_DIR/tmpfs"
mount -t tmpfs -o $small ht-small "$HT_DIR/small"
POSIX_ENTRIES=5000 run_topics "$HT_DIR/tmpfs" "$HT_DIR/small"
assert_ge $topics 22 "topics"
[ ${#failed[@]} = 0 ] || fail "not true of tmpfs: ${failed[*]}"
umount "$HT_DIR/tmpfs" "$HT_DIR/small"

echo "on hugetmpfs:"
mount_start $large
mount_start $small "$HT_DIR/small"
POSIX_ENTRIES=${POSIX_ENTRIES:-100000} run_topics "$MNT" "$HT_DIR/small"
for test in "${known_differences[@]}"; do
	[[ " ${failed[*]} " == *" $test "* ]] ||
		fail "$test holds now: take it off the list"
done
for test in "${failed[@]}"; do
	is_known "$test" || fail "other than on tmpfs: ${failed[*]}"
done

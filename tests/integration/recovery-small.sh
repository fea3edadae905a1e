#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A file that was built of smaller pages is not called huge before it is one
# huge page an extent, although its pages are large and in a row. Recovery
# makes it huge for everybody who has it mapped, wherever that is possible.
# sanitized threads
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

extents=8

# Random content, written by COUNT bytes at a time.
build() # FILE BLOCK
{
	dd if=/dev/urandom of="$1" bs="$2" count=$(((extents << 21) / $2)) \
		status=none
}

not_huge() # FILE
{
	[[ " $(states_of "$1")" != *" huge "* ]]
}

# The kernel's own view says so as well; it may be moving some of the pages just
# now, or have swapped them.
has_small() # NAME
{
	app_do "$1" touch
	app_do "$1" pages
	[ "$REPLY" = "$(printf "%${extents}s" '' | tr ' ' s)" ]
}

for huge in within_size never; do
	echo "huge=$huge"
	mount_start size=256M,huge=$huge
	for block in 4096 65536; do
		file=$MNT/by-$block
		build "$file" $block
		sum=$(sha256sum <"$file")
		# files of within_size may be huge from the beginning, but
		# not those that grew by 64 KiB
		if [ $huge = never ] || [ $block = 65536 ]; then
			assert not_huge "$file"
		fi
		app_start "a$block" -a "$file"
		app_start "b$block" -a "$file"
		app_start "off$block" -m "$file"
		app_do "a$block" checksum
		before=$REPLY
		if [ $huge = never ]; then
			wait_for 20 has_small "a$block"
		fi
		app_do "b$block" touch
		app_do "off$block" touch

		plan=$("$EXTENTS" dry-run "$file" | awk '{ printf "%s ", $2 }')
		assert_eq "$plan" "$(states_of "$file")" "after a dry run"

		assert_eq "$(recover "$file")" "$(words done $extents)" recovery
		assert_eq "$(states_of "$file")" "$(words huge $extents)" states
		for name in "a$block" "b$block"; do
			# without being touched again, but for what
			# khugepaged took meanwhile: it leaves never alone
			if [ $huge = never ]; then
				app_do "$name" pmd
				assert_eq "$REPLY" $((extents << 21)) \
					"PMDs of $name"
			fi
			assert_app_huge "$name" $extents
			assert_app_checksum "$name" "$before"
		done
		assert_app_checksum "off$block" "$before"
		assert_eq "$(sha256sum <"$file")" "$sum" "content"
		app_stop "a$block"
		app_stop "b$block"
		app_stop "off$block"
	done
	mount_stop
done

# only misaligned mappers, and then nobody at all
mount_start size=256M,huge=never
build "$MNT/file" 65536
app_start off -m "$MNT/file"
app_do off checksum
before=$REPLY
reasons=$(recover "$MNT/file")
assert_match "$reasons" "^(done |misaligned ){$extents}$" "misaligned mapper"
assert_app_checksum off "$before"
app_stop off
assert_eq "$(recover "$MNT/file")" "$(words done $extents)" "without mapper"
assert_eq "$(states_of "$MNT/file")" "$(words huge $extents)" "then"

# a child shares the mapping
build "$MNT/second" 65536
app_start parent -a "$MNT/second"
app_do parent fork
child=$REPLY
sleep 0.2
assert_eq "$(recover "$MNT/second")" "$(words done $extents)" "with a child"
assert_eq "$(smaps_kib "$child" ShmemPmdMapped "$MNT/second")" \
	$((extents << 11)) "ShmemPmdMapped of the child"
assert_app_huge parent $extents
app_stop parent
wait_for 60 test ! -d "/proc/$child"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A newly installed program takes over and nobody notices; one that cannot is
# refused, and the daemon goes on.
# timeout: 1200
# sanitized
. "${0%/*}/lib.sh"

mkdir "$HT_DIR/sbin"
program=$HT_DIR/sbin/hugetmpfs
built=$HUGETMPFS
HUGETMPFS=$program

install_program() # FILE
{
	cp "$1" "$program.new"
	mv "$program.new" "$program"
}

upgrade()
{
	"$HUGETMPFSCTL" upgrade "$MNT"
}

# WHAT is installed is refused with MESSAGE, and nothing happens.
refused() # MESSAGE
{
	local daemon

	daemon=$(mount_daemon)
	assert_status 2 upgrade
	assert_match "$OUT" "$1" "message"
	assert_eq "$(mount_daemon)" "$daemon" "daemon after: $1"
	assert_eq "$(cat "$MNT/file")" content "file after: $1"
}

one_child()
{
	[ "$(wc -w <"/proc/$keeper/task/$keeper/children")" = 1 ]
}

nr_fds() # PID
{
	find "/proc/$1/fd" -mindepth 1 -printf . | wc -c
}

install_program "$built"
mount_start size=256M
keeper=$(mount_keeper)
echo content >"$MNT/file"

echo "the program that is installed now takes over"
install_program "$built"
before=$(mount_daemon)
mkdir "$MNT/directory"
exec 8>"$MNT/open" 9<"$MNT/directory"
rm "$MNT/open"
rmdir "$MNT/directory"
assert_match "$(upgrade)" \
	"^$MNT: version [0-9.]+, was [0-9.]+; the daemon is process [0-9]+$" \
	"output"
daemon=$(mount_daemon)
[ "$daemon" != "$before" ] || fail "it is the same daemon"
assert [ "/proc/$daemon/exe" -ef "$program" ]
assert_eq "$(mount_keeper)" "$keeper" "keeper"
echo content >&8
assert_eq "$(cat /proc/self/fd/8)" content "file without a name"
assert_eq "$(stat -L -c %F,%h /dev/fd/9)" directory,0 "removed directory"
exec 8>&- 9<&-
assert_eq "$("$HUGETMPFSCTL" upgrade --json "$MNT" | jq -r .daemon_pid)" \
	"$(mount_daemon)" "daemon in the JSON"
# the connection of the last upgrade may not be closed yet, here and below
fds=$(nr_fds "$keeper")
for _ in 1 2 3; do
	upgrade
done
keeps_fds()
{
	[ "$(nr_fds "$keeper")" -le "$fds" ]
}
wait_for 60 keeps_fds

echo "options that were changed hold afterwards"
"$HUGETMPFSCTL" set "$MNT" recoveries=3
upgrade
assert_match "$("$HUGETMPFSCTL" set "$MNT")" "recoveries +3" "setting"

echo "what cannot take over is refused"
rm "$program"
refused "cannot open $program: No such file or directory"
install_program /bin/true
refused "$program is no hugetmpfs that can take over: tried, it ended with exit code 0"
echo "#!/bin/true" >"$HT_DIR/script"
chmod +x "$HT_DIR/script"
install_program "$HT_DIR/script"
refused "tried, it ended with exit code 127"
install_program "$HT_BUILD/tests/integration/impostor"
echo trial=crash >"$HT_DIR/sbin/how"
refused "$program was killed by signal 6 \(Aborted\) when it was tried"
echo trial=fail >"$HT_DIR/sbin/how"
refused "tried, it ended with exit code 3"
if [ -n "${HT_UPGRADE_SLOW:-}" ]; then
	echo trial=hang >"$HT_DIR/sbin/how"
	refused "$program did not answer in time"
fi

echo "from what fails later the program before takes over"
for how in crash fail ${HT_UPGRADE_SLOW:+hang}; do
	echo "trial=pass daemon=$how" >"$HT_DIR/sbin/how"
	assert_status 2 upgrade
	assert_match "$OUT" "did not come up; the one before goes on" "message"
	assert_eq "$(cat "$MNT/file")" content "file after $how"
	assert "$HUGETMPFSCTL" status --no-scan "$MNT" >"$HT_DIR/status"
done
assert_eq "$(nr_fds "$keeper")" "$fds" "fds of the keeper"
# which even says that it serves
echo "trial=pass daemon=pass" >"$HT_DIR/sbin/how"
upgrade
assert_eq "$(cat "$MNT/file")" content "file after a program that dies"
wait_for 60 one_child
assert_eq "$(readlink "/proc/$(mount_daemon)/exe")" "$program (deleted)" \
	"program after one that dies"

echo "tables of another version are refused before anything stops"
install_program "$built"
table=
for fd in "/proc/$keeper/fd/"*; do
	case $(readlink "$fd") in
	/memfd:hugetmpfs-table*) table=$fd ;;
	esac
done
set_version() # NUMBER: in the header of the tables
{
	printf '%b' "\\x$(printf %02x "$1")" |
		dd of="$table" bs=1 seek=8 conv=notrunc status=none
}
version=$(od -An -tu4 -j8 -N4 "$table" | tr -d ' ')
set_version $((version + 1))
refused "the tables of the mount have version $((version + 1)), this program \
\(hugetmpfs [0-9.]+\) knows version $version"
set_version "$version"
upgrade

echo "a daemon that cannot start leaves the files, and attach brings them back"
set_version $((version + 1))
kill -KILL "$(mount_daemon)"
wait_for 60 grep -qx "state dead" "/run/hugetmpfs/$keeper/mount"
assert_status 2 ls "$MNT"
assert_status 2 upgrade
assert_match "$OUT" "--attach" "message of a dead mount"
"$HUGETMPFS" --attach "$MNT"
assert_eq "$(cat "$MNT/file")" content "file after an attach"

rm "$MNT/file"
times=${HT_UPGRADES:-5}
echo "$times upgrades under load"
"$HT_BUILD/tests/integration/takeover" "$keeper" "$MNT" "$times" \
	"$HUGETMPFSCTL" upgrade "$MNT" >"$HT_DIR/log" || {
	cat "$HT_DIR/log"
	fail "not as if nothing had happened"
}
tail -n 1 "$HT_DIR/log"
mount_stop

echo "without passthrough nobody can take over"
mount_start passthrough=off
assert_status 2 upgrade
assert_match "$OUT" "with passthrough=off no daemon can take over" "message"

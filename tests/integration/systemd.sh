#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# systemd itself, as process 1 of a container, runs the unit of contrib: keeper,
# daemon or both die, the program is away for some time, a reload, a stop and a
# restart while files are open.
# timeout: 600
. "${0%/*}/container.inc"
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

unit=hugetmpfs@mnt-huge.service

# ---- outside ----

if [ "${1:-}" != inside ]; then
	container_prepare
	mkdir -p "$CONTAINER"/{sbin,etc/hugetmpfs}
	cp "$HUGETMPFS" "$CONTAINER/sbin/"
	sed "s|@sbindir@|$CONTAINER/sbin|; s|@bindir@|$HT_BUILD|" \
		"$HT_SRC/contrib/systemd/hugetmpfs@.service.in" \
		>"$CONTAINER/etc/systemd/system/hugetmpfs@.service"
	container_start
	status=0
	container_run "$HT_SRC/tests/integration/systemd.sh" inside \
		"$CONTAINER/sbin/hugetmpfs" || status=$?
	exit $status
fi

# ---- inside ----

program=$2
MNT=/mnt/huge

show() # PROPERTY
{
	systemctl show -P "$1" "$unit"
}

is_shown() # PROPERTY VALUE
{
	[ "$(show "$1")" = "$2" ]
}

# Whether a line of the unit, chosen by OPTIONs, matches.
is_logged() # REGEX OPTION...
{
	grep -q "$1" <<<"$(journalctl -q --no-pager -o cat -u "$unit" "${@:2}")"
}

set_options() # OPTIONS
{
	echo "OPTIONS=$1" >/etc/hugetmpfs/mnt-huge.conf
}

serves_anew() # OLD_KEEPER
{
	local keeper

	keeper=$(show MainPID)
	[ "$keeper" != "$1" ] && [ "$keeper" != 0 ] &&
		is_shown ActiveState active
}

is_not_mounted()
{
	! mount_is_there
}

# What an application holds; it goes on through all that comes.
begin_to_use()
{
	dd if=/dev/urandom of="$MNT/file" bs=1M count=8 status=none
	sum=$(md5sum <"$MNT/file")
	app_start app "$MNT/file"
	app_do app checksum
	checksum=$REPLY
	mkdir "$MNT/directory"
	exec 8>"$MNT/open" 9<"$MNT/directory"
	rm "$MNT/open"
	rmdir "$MNT/directory"
	written=
}

assert_unnoticed() # AFTER
{
	assert_eq "$(md5sum <"$MNT/file")" "$sum" "content after $1"
	assert_app_checksum app "$checksum"
	echo "$1" >&8
	written+=$1$'\n'
	assert_eq "$(cat /proc/self/fd/8)" "${written%$'\n'}" \
		"file without a name"
	assert_eq "$(stat -L -c %F,%h /dev/fd/9)" directory,0 \
		"removed directory after $1"
	assert_eq "$(show NFileDescriptorStore)" 5 "stored fds after $1"
}

# Somebody waits meanwhile, and is answered.
kill_keeper() # AND_DAEMON
{
	local keeper

	keeper=$(show MainPID)
	# shellcheck disable=SC2046 # one pid or none
	kill -KILL $([ -z "$1" ] || mount_daemon) "$keeper"
	mkdir "$MNT/waited"
	rmdir "$MNT/waited"
	wait_for 60 serves_anew "$keeper"
}

at_exit '[ $status = 0 ] || journalctl -q --no-pager -n 100'
mkdir /sys/fs/cgroup/hugetmpfs-test
echo $$ >/sys/fs/cgroup/hugetmpfs-test/cgroup.procs
mount -t tmpfs none /mnt

echo "the unit is as systemd wants it"
refute grep "hugetmpfs@" <<<"$(systemd-analyze verify --man=no \
	/etc/systemd/system/hugetmpfs@.service 2>&1)"

echo "it starts, as the manual says"
mkdir "$MNT"
set_options size=64M,recover=off
systemctl enable --now "$unit"
assert_eq "$(show ActiveState)" active "state"
assert mount_is_there
assert_eq "$(stat -f -c '%b*%S' "$MNT")" "$((64 * 256))*4096" "size"
assert_eq "$("$HUGETMPFSCTL" status --no-scan --json "$MNT" |
	jq -r .survival)" fd_store "survival"
assert grep -qx $'Seccomp:\t2' "/proc/$(show MainPID)/status"
begin_to_use
assert_unnoticed start

echo "the keeper dies more often than by default a unit is restarted"
for _ in {1..6}; do
	kill_keeper ""
	assert_unnoticed "death of the keeper"
done
assert_eq "$(show NRestarts)" 6 "restarts"
wait_for 60 is_logged "^the keeper of $MNT has died, another one goes on$" \
	-p warning

echo "keeper and daemon die"
kill_keeper too
assert_unnoticed "death of both"

echo "the daemon dies"
keeper=$(show MainPID)
kill -KILL "$(mount_daemon)"
assert_unnoticed "death of the daemon"
assert_eq "$(show MainPID)" "$keeper" "keeper"

echo "reload is upgrade"
cp "$program" "$program.new"
mv "$program.new" "$program"
daemon=$(mount_daemon)
systemctl reload "$unit"
assert_unnoticed reload
assert_eq "$(show MainPID)" "$keeper" "keeper"
refute [ "$(mount_daemon)" = "$daemon" ]
kill_keeper ""
assert_unnoticed "death after reload"

echo "the keeper dies while the program is being installed"
keeper=$(show MainPID)
mv "$program" "$program.away"
kill -KILL "$keeper"
wait_for 60 is_logged "status=203/EXEC"
mv "$program.away" "$program"
wait_for 60 serves_anew "$keeper"
assert_unnoticed "the time without a program"

echo "what goes on with a dead mount may be hindered, and tries again"
mount_kill
assert_eq "$(show ActiveState)" active "state with a dead mount"
mount -t tmpfs none "$MNT"
keeper=$(show MainPID)
kill -KILL "$keeper"
wait_for 60 is_logged "^something is mounted over the dead mount on $MNT$" \
	-p err
wait_for 60 is_logged "status=75/"
umount "$MNT"
wait_for 60 serves_anew "$keeper"
assert_eq "$(md5sum <"$MNT/file")" "$sum" "content of what was mounted anew"
assert_app_checksum app "$checksum"
exec 8>&- 9<&-
app_stop app

echo "a stop while files are open"
begin_to_use
systemctl stop --no-block "$unit"
wait_for 60 is_not_mounted
assert_app_checksum app "$checksum"
echo open >&8
assert_eq "$(cat /proc/self/fd/8)" open "file without a name"
assert_eq "$(show ActiveState)" deactivating "state"
exec 8>&- 9<&-
app_stop app
wait_for 60 is_shown ActiveState inactive
assert_eq "$(show Result)" success "result"
assert_eq "$(show NFileDescriptorStore)" 0 "stored fds"

echo "a restart while a file is open for longer than systemd waits"
systemctl start "$unit"
echo content >"$MNT/file"
exec 8>"$MNT/open"
keeper=$(show MainPID)
systemctl restart --no-block "$unit"
wait_for 60 is_shown NFileDescriptorStore 0
kill -KILL "$keeper" # as systemd does after TimeoutStopSec
wait_for 60 serves_anew "$keeper"
assert mount_is_there
assert_eq "$(ls "$MNT")" "" "files after a restart"
exec 8>&-

echo "unmounted by hand it has ended"
cleanup_umount_one "$MNT"
wait_for 60 is_shown ActiveState inactive
assert_eq "$(show Result)" success "result"

echo "wrong options are said once"
set_options nonsense=1
assert_status 1 systemctl start "$unit"
assert_eq "$(show ActiveState),$(show ExecMainStatus),$(show NRestarts)" \
	failed,1,0 "state"
wait_for 60 is_logged "^unknown option 'nonsense=1'$"

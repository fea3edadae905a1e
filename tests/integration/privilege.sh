#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the processes behind a mount are still able to do: capabilities, no new
# privileges, system calls; also after a takeover.
# sanitized
. "${0%/*}/lib.sh"

syscall=$HT_BUILD/tests/integration/syscall

# A field of /proc/PID/status.
status_of() # PID FIELD
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# The field must be the same in all threads; some may end meanwhile.
threads_have() # PID FIELD VALUE
{
	assert_eq "$({ cat "/proc/$1/task"/*/status 2>/dev/null || :; } |
		awk -v field="$2:" '$1 == field { print $2 }' | sort -u)" \
		"$3" "$2 of all threads of $1"
}

# Bits of a set by their numbers, as /proc shows it.
set_of() # NUMBER...
{
	local bits=0 number

	for number; do
		bits=$((bits | 1 << number))
	done
	printf '%016x\n' $bits
}

# chown, dac_override, dac_read_search, fowner, fsetid, kill, setgid, setuid,
# linux_immutable, ipc_lock, sys_ptrace, sys_admin, sys_nice, mknod, lease,
# setfcap
daemon_set=$(set_of 0 1 2 3 4 5 6 7 9 14 19 21 23 27 28 31)
keeper_set=$(set_of 2 14 21)

limited() # DAEMON
{
	threads_have "$1" CapEff "$daemon_set"
	threads_have "$1" CapPrm "$daemon_set"
	threads_have "$1" CapBnd "$daemon_set"
	threads_have "$1" CapInh "$(set_of)"
	threads_have "$1" NoNewPrivs 1
}

echo "capabilities of the daemon, of each thread"
mount_start size=64M
daemon=$(mount_daemon)
limited "$daemon"
assert_status 0 "$HUGETMPFSCTL" status --json --no-scan "$MNT"
assert_eq "$(jq -r .capabilities <<<"$OUT")" "chown,dac_override,\
dac_read_search,fowner,fsetid,kill,setgid,setuid,linux_immutable,ipc_lock,\
sys_ptrace,sys_admin,sys_nice,mknod,lease,setfcap" "names"

echo "of the keeper: few in force, none that has to do with the machine"
keeper=$(mount_keeper)
assert_eq "$(status_of "$keeper" CapEff)" "$keeper_set" "CapEff"
assert_eq "$(status_of "$keeper" NoNewPrivs)" 1 "NoNewPrivs"
# net_admin, sys_module, sys_rawio, sys_boot, sys_time
machine=$(set_of 12 16 17 22 25)
for field in CapPrm CapBnd; do
	assert_eq $((0x$(status_of "$keeper" $field) & 0x$machine)) 0 $field
	assert_eq $((0x$(status_of "$keeper" $field) & 0x$daemon_set)) \
		$((0x$daemon_set)) "$field, for a daemon"
done

echo "neither leaves a core dump"
for pid in $keeper $daemon; do
	assert_eq "$("$syscall" "$pid" dumpable)" 0 "dumpable, $pid"
done

echo "the next daemon has no more"
echo content >"$MNT/file"
kill -KILL "$daemon"
assert_eq "$(cat "$MNT/file")" content "after a takeover"
daemon=$(mount_daemon)
limited "$daemon"

filter=$(jq -r .seccomp <<<"$OUT")
assert_match "$filter" '^(on|off: built .*)$' "filter of system calls"
if [ "$filter" = on ]; then
	echo "system calls of the daemon"
	threads_have "$daemon" Seccomp 2
	for call in execve reboot mount setns ptrace init_module bpf \
		socket-inet mmap-exec unshare-namespace; do
		assert_eq "$("$syscall" "$daemon" $call)" ENOSYS "$call"
	done
	# these are let through, and fail by themselves
	assert_eq "$("$syscall" "$daemon" close)" EBADF "close"
	assert_eq "$("$syscall" "$daemon" unshare-files)" done "unshare"
	echo more >"$MNT/file"
	assert_eq "$(cat "$MNT/file")" more "after that"
	assert_eq "$(status_of "$keeper" Seccomp)" 0 "of the keeper"
fi

echo "with debug messages there is no filter, and core dumps are"
umount "$MNT"
mount_start debug=keeper
assert_status 0 "$HUGETMPFSCTL" status --no-scan "$MNT"
assert_match "$OUT" $'\nseccomp +off: (debug messages are asked for|built .*)\n' \
	"status"
threads_have "$(mount_daemon)" Seccomp 0
assert_eq "$("$syscall" "$(mount_daemon)" dumpable)" 1 "dumpable"
limited "$(mount_daemon)"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads, writes, stores and loads are the kernel's business alone: the daemon
# is not asked once for any of them.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

# Times the daemon's threads have slept and woken up again.
switches() # PID
{
	awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }' \
		/proc/"$1"/task/*/status
}

# 50,000 reads and writes of 4 KiB each through one descriptor.
read_and_write() # FILE
{
	python3 - "$1" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
page = b"x" * 4096
for i in range(50000):
    os.pwrite(fd, page, i % 4096 * 4096)
    if os.pread(fd, 4096, i % 4096 * 4096) != page:
        sys.exit("read something else than was written")
END
}

# Leaves in $asked how often the daemon had to wake up for COMMAND.
count_switches() # COMMAND ARG...
{
	local daemon before

	daemon=$(mount_daemon)
	daemon=${daemon%% *}
	sleep 0.3 # let it come to rest
	before=$(switches "$daemon")
	"$@"
	asked=$(($(switches "$daemon") - before))
	echo "$*: the daemon woke up $asked times"
}

store_and_load()
{
	local _

	for _ in 1 2 3 4 5 6 7 8 9 10; do
		app_do one fill 5
		app_do one checksum
		app_do one access 100000
	done
}

type python3 >/dev/null || skip "no python3"
mount_start size=256M
truncate -s 16M "$MNT/file"
count_switches read_and_write "$MNT/file"
assert_le "$asked" 100 "of reads and writes"
app_start one -s $((16 << 20)) "$MNT/mapped"
count_switches store_and_load
assert_le "$asked" 100 "of stores and loads"
app_stop one
mount_stop

# without passthrough each is a request: the count above can tell
mount_start size=256M,passthrough=off
truncate -s 16M "$MNT/file"
count_switches read_and_write "$MNT/file"
assert_ge "$asked" 1000 "without passthrough"

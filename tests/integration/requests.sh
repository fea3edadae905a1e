#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads, writes, stores and loads are the kernel's business alone: the daemon
# is not asked once for any of them.
. "${0%/*}/lib.sh"
. "${0%/*}/app.inc"

mount_start size=256M

# Times the daemon's threads have slept and woken up again.
switches() # PID
{
	awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }' \
		/proc/"$1"/task/*/status
}

daemon=$(mount_daemon)
daemon=${daemon%% *}
app_start one -s $((16 << 20)) "$MNT/mapped"
truncate -s 16M "$MNT/file"
exec {fd}<>"$MNT/file"
sleep 0.3 # let it come to rest
before=$(switches "$daemon")
# 100,000 requests of 4 KiB through one descriptor
dd if=/dev/zero bs=4K count=4096 status=none >&$fd
for _ in 1 2 3 4 5 6 7 8 9 10; do
	app_do one fill 5
	app_do one checksum
	app_do one access 100000
done
python=$(command -v python3) || skip "no python3"
"$python" - $fd <<'END'
import os, sys
fd = int(sys.argv[1])
page = b"x" * 4096
for i in range(50000):
    os.pwrite(fd, page, i % 4096 * 4096)
    if os.pread(fd, 4096, i % 4096 * 4096) != page:
        sys.exit(1)
END
after=$(switches "$daemon")
echo "switches of the daemon: $((after - before))"
assert_le $((after - before)) 300 "switches of the daemon"
exec {fd}>&-
app_stop one

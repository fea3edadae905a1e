#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# In a guest with two NUMA nodes, Debian's 6.12 and memory cgroups of version 2:
# what the tools say about nodes, where new pages are put, what goes home by
# itself, who pays for huge pages, recovery, and kernels
# that lack interfaces. Three minutes where the cores are idle.
# timeout: 900
set -eu

here=$(dirname "$0")
tests=tests/integration
exec "$here/guest" -t 880 \
	tests/numa/nodes.sh tests/numa/policy.sh tests/numa/follow.sh \
	$tests/charge-recover.sh $tests/charge-fallocate.sh \
	$tests/recovery-swap.sh $tests/recovery-cgroup.sh $tests/storm.sh \
	$tests/absence.sh tests/numa/home.sh tests/numa/guest-bench.sh

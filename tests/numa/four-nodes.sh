#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# In a guest with four NUMA nodes at different distances, two of them without
# CPUs, and the newest kernel that Debian's stable release can have, or else its
# own: what the tools say about nodes, and where recovery puts what has a policy,
# also when nodes are full; and what is done where less is allowed. One minute and
# a half where the cores are idle.
# timeout: 900
set -eu

guest=$(dirname "$0")/guest
tests="tests/numa/nodes.sh tests/numa/placement.sh tests/numa/lacking.sh"
status=0
# shellcheck disable=SC2086 # a list of names without blanks
"$guest" -n 4 -t 880 -k trixie-backports $tests || status=$?
[ $status = 77 ] || exit $status
# shellcheck disable=SC2086
exec "$guest" -n 4 -t 880 $tests

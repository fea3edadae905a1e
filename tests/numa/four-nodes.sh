#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# In a guest with four NUMA nodes at different distances, two of them without
# CPUs: what the tools say about nodes.
# timeout: 900
set -eu

exec "$(dirname "$0")/guest" -n 4 -t 880 tests/numa/nodes.sh

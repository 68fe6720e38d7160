#!/usr/bin/env bash
# Runs a command whose temporary files are in memory, where that has room for them: tests write and sync much, and keep little.
#   tests/in_memory.sh ctest --test-dir build/release -j 6
set -euo pipefail

room=$(df --output=avail -B1G /dev/shm 2>/dev/null | tail -n 1 || true)
memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
limit=$(awk '/^[0-9]+$/ { printf "%d", $1 / 2^30 }' /sys/fs/cgroup/memory.max 2>/dev/null || true)
if [ "${room:-0}" -lt 8 ] || [ "$memory" -lt 16 ] || [ "${limit:-16}" -lt 16 ]; then exec "$@"; fi

folder=$(mktemp -d /dev/shm/vlsi-tests-XXXXXX)
trap 'rm -rf "$folder"' EXIT
TMPDIR=$folder TEST_TMPDIR=$folder "$@"

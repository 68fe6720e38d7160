#!/usr/bin/env bash
# Proves the program on a device and measures it there, in at most 8 minutes, without a network: one table, and with --json one file.
#   bench/gpu.sh [--device cuda] [--json FILE] [--only PART,...] [--limit SECONDS]   in a checkout with a build, or in a bundle
#   bench/gpu.sh --device cpu --tiny                                                 the same in a minute, on small shapes
# PYTHON=…/bin/python names the Python whose torch the program takes, and that runs the peer where it has transformers and PEFT.
set -euo pipefail
export PYTHON=${PYTHON:-python3}
case $PYTHON in */*) PYTHON=$(cd "$(dirname "$PYTHON")" && pwd)/$(basename "$PYTHON") ;; esac
exec "$PYTHON" "$(dirname "$0")/gpu.py" "$@"

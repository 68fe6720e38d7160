#!/usr/bin/env bash
# Makes dist/vlsi-….whl, which pip installs: the program with the shared libraries that it needs, for the version of torch that it was built
# against, whether for CPUs or GPUs. Sets up and builds first, if need be.
set -euo pipefail
cd "$(dirname "$0")/.."

bash cmake/setup.sh
preset=release
[ "${VLSI_TORCH:-cpu}" = cpu ] || preset=$VLSI_TORCH
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset" --target vlsi
cmake --install "build/$preset" --prefix "build/$preset/installed" >/dev/null
python3 cmake/package/make.py "build/$preset/installed" --torch ".deps/libtorch-${VLSI_TORCH:-cpu}" --patchelf "$(bash cmake/package/patchelf.sh)" --wheel dist

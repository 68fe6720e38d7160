#!/usr/bin/env bash
# Builds the program, compiles every header alone, and runs every test. `--build-only` stops after the build; `--asan` runs the tests under the address and
# undefined-behaviour sanitizers instead.
#   VLSI_TORCH=cuda tests/run.sh --build-only    builds against the CUDA wheel
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release build_only=0
for argument in "$@"; do
  case "$argument" in
    --build-only) build_only=1 ;;
    --asan) preset=asan ;;
    *) echo "tests/run.sh: unknown argument '$argument'; expected --build-only or --asan" >&2; exit 2 ;;
  esac
done
[ "${VLSI_TORCH:-cpu}" = cpu ] || preset=$VLSI_TORCH
echo "tests/run.sh: set-up (once, about 2 minutes), build (4 to 6 minutes the first time), headers, benchmarks and tests (about 7)"

if [ "$build_only" = 0 ]; then bash cmake/setup.sh tests; else bash cmake/setup.sh; fi
python3 tests/data/qwen2/make_tokenizer.py build/test-data/qwen2
python3 tests/data/qwen2/make_tokenizer.py build/test-data/llava_onevision llava_onevision
cmake --preset "$preset" >build/configure.log 2>&1 || { tail -n 30 build/configure.log >&2; exit 1; }
cmake --build --preset "$preset"
[ "$build_only" = 0 ] || exit 0
if [ "$preset" != asan ]; then
  cmake --build --preset "$preset" --target bench
  python3 tests/headers_alone.py "build/$preset"
fi
# (Three times the cores that there are: many wait, for other programs or for time to pass. The sanitizers take up to ten times as long.)
tests/in_memory.sh ctest --test-dir "build/$preset" --output-on-failure -j $(($(nproc) * 3)) --timeout 7200

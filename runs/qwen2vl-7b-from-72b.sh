#!/usr/bin/env bash
# Qwen2-VL-7B learns from Qwen2-VL-72B: verbalize both, interact, fine-tune (runs/qwen2vl/7b-from-72b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe qwen2vl 7b 72b 1024 "$@"

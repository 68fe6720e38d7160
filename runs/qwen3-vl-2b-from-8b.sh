#!/usr/bin/env bash
# Qwen3-VL-2B learns from Qwen3-VL-8B: verbalize both, interact, fine-tune (runs/qwen3-vl/2b-from-8b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe qwen3-vl 2b 8b 1024 "$@"

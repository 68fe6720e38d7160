#!/usr/bin/env bash
# LLaVA-OneVision-7B learns from LLaVA-OneVision-72B: verbalize both, interact, fine-tune (runs/llava-ov/7b-from-72b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe llava-ov 7b 72b 1600 "$@"

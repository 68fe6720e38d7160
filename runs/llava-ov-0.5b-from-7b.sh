#!/usr/bin/env bash
# LLaVA-OneVision-0.5B learns from LLaVA-OneVision-7B: verbalize both, interact, fine-tune (runs/llava-ov/0.5b-from-7b.yaml).
set -euo pipefail
cd "$(dirname "$0")/.."
source runs/recipe.sh
recipe llava-ov 0.5b 7b 1600 "$@"

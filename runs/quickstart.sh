#!/usr/bin/env bash
# The whole method on real pictures: easy-VQA, a teacher trained from scratch, and a student distilled from it by VLsI, beside
# fine-tuning only and last-layer distillation with the same number of student updates.
#
#   runs/quickstart.sh [--seeds N]     N independent repetitions (default 1); the tables then show mean, spread and intervals
#
# runs/quickstart/study.yaml says what is run. Results stay in runs/out/quickstart, with a log in the folder of each stage; a second
# start goes on where the first was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=1
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) seeds=${2:?--seeds wants a number}; shift 2 ;;
    *) echo "quickstart: unknown argument '$1'; usage: runs/quickstart.sh [--seeds N]" >&2; exit 2 ;;
  esac
done
[[ "$seeds" =~ ^[1-9][0-9]?$ ]] || { echo "quickstart: --seeds is '$seeds', expected 1 to 99" >&2; exit 2; }
echo "quickstart: set-up and build take about 6 minutes the first time; then about 13 minutes a seed on two cores" >&2

bash cmake/setup.sh
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { tail -n 30 build/configure.log >&2; exit 1; }
cmake --build --preset release --target vlsi >build/build.log 2>&1 || { tail -n 30 build/build.log >&2; exit 1; }
vlsi=build/release/vlsi

out=runs/out/quickstart
images=.deps/easy-vqa/easy_vqa/data
if [ ! -d "$images" ]; then
  .deps/python/bin/pip install -q --disable-pip-version-check --no-deps --target .deps/easy-vqa easy-vqa==1.0
fi
started=$SECONDS
[ -f $out/data/test.json ] || python3 runs/quickstart/prepare.py data .deps/easy-vqa/easy_vqa $out/data
[ -f $out/tokenizer/tokenizer.json ] || python3 runs/make_tokenizer.py $out/data/train.json $out/tokenizer --size 384
python3 runs/quickstart/prepare.py models $out/tokenizer $out/models

"$vlsi" study runs/quickstart/study.yaml --set "seeds=[$(seq -s , "$seeds")]"
python3 runs/quickstart/layers.py $out/seed-1
echo
echo "took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s after set-up and build"
echo "models, verbalizers, metrics and predictions: $out/seed-*/"
reported=()
for run in vlsi vlsi-random vlsi-no-step-3 last-layer sft verbalize student teacher; do
  for seed in $(seq "$seeds"); do reported+=("$out/seed-$seed/$run"); done
done
"$vlsi" report "${reported[@]}" --out $out/report.html --samples 3 --threads 1 >$out/report.log 2>&1 || { tail -n 5 $out/report.log >&2; exit 1; }
echo "the report, with what the layers say: $out/report.html"

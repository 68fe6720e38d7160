#!/usr/bin/env bash
# The whole method on real pictures: easy-VQA, a teacher trained from scratch, and a student distilled from it by VLsI, beside
# fine-tuning only and last-layer distillation with the same number of student updates.
#
#   runs/quickstart.sh [--seeds N]     N independent repetitions (default 1); the table then shows mean and spread
#
# Results stay in runs/out/quickstart; a second start continues behind the last finished run.
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
echo "quickstart: set-up and build take about 6 minutes the first time; then about 9 minutes a seed on two cores" >&2

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

# step NAME DIRECTORY COMMAND...: runs the command unless DIRECTORY has its result; a run that was stopped is continued.
run() {
  local name=$1 directory=$2; shift 2
  [ -f "$directory/summary.json" ] && return
  echo "quickstart: $name" >&2
  local resume=(); [ -f "$directory/config.yaml" ] && resume=(--resume)
  "$vlsi" "$@" "${resume[@]}"
}
evaluate() {  # DIRECTORY: the accuracy of DIRECTORY/model on the test questions
  [ -f "$1/evaluation/results.json" ] && return
  "$vlsi" evaluate --benchmark easy-vqa --model "$1/model" --data $out/data/test.json --images $images --out "$1/evaluation" >/dev/null
}

# The vision tower, shared and frozen from here on.
[ -d $out/models/vision ] || "$vlsi" init --config $out/models/vision.json --tokenizer $out/tokenizer --out $out/models/vision
run "the vision tower learns to see" $out/vision finetune runs/quickstart/vision.yaml

directories=()
for seed in $(seq "$seeds"); do
  here=$out/seed-$seed
  directories+=("$here")
  mkdir -p "$here/configs"
  for config in teacher student verbalize vlsi; do
    sed "s#/seed-1/#/seed-$seed/#g" runs/quickstart/$config.yaml >"$here/configs/$config.yaml"
  done
  for model in teacher student; do
    [ -d "$here/models/$model" ] || "$vlsi" init --config $out/models/$model.json --tokenizer $out/tokenizer \
      --vision-from $out/vision/model --out "$here/models/$model" --seed "$seed"
  done
  run "seed $seed: the teacher" "$here/teacher" finetune "$here/configs/teacher.yaml" --seed "$seed"
  run "seed $seed: the student before distillation, on 1,000 labels" "$here/student" finetune "$here/configs/student.yaml" --seed "$seed"
  if [ ! -f "$here/answered.json" ]; then
    echo "quickstart: seed $seed: the teacher answers the questions that have no label" >&2
    "$vlsi" answer --model "$here/teacher/model" --data $out/data/asked.json --images $images --out "$here/teacher-answers.json" --max-new-tokens 4
    python3 runs/quickstart/answers.py "$here/teacher-answers.json" $out/data/labelled.json "$here/answered.json"
  fi

  # Four ways to spend 460 student updates.
  run "seed $seed: fine-tuning only" "$here/sft" finetune "$here/configs/vlsi.yaml" --seed "$seed" --set out="$here/sft" \
    --set finetune.iterations=460 --set finetune.optimizer.learning_rate=1e-3 --set finetune.optimizer.final_learning_rate=1e-5
  run "seed $seed: last-layer distillation" "$here/last-layer" distill "$here/configs/vlsi.yaml" --seed "$seed" \
    --set out="$here/last-layer" --set interact.intermediate_loss=none
  run "seed $seed: step 1, verbalization" "$here/verbalize" distill "$here/configs/verbalize.yaml" --seed "$seed"
  run "seed $seed: VLsI without step 3" "$here/vlsi-no-step-3" distill "$here/configs/vlsi.yaml" --seed "$seed" \
    --set out="$here/vlsi-no-step-3" --set interact.iterations=460 --set finetune.iterations=0
  run "seed $seed: VLsI" "$here/vlsi" distill "$here/configs/vlsi.yaml" --seed "$seed"

  echo "quickstart: seed $seed: the test questions" >&2
  for model in teacher student sft last-layer vlsi-no-step-3 vlsi; do evaluate "$here/$model"; done
done

echo
python3 runs/quickstart/table.py "${directories[@]}"
python3 runs/quickstart/layers.py "${directories[0]}"
echo
echo "took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s after set-up and build"
echo "models, verbalizers, metrics and predictions: $out/seed-*/"

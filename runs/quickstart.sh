#!/usr/bin/env bash
# The whole method on real pictures: easy-VQA, a teacher trained from scratch, and a student distilled from it by VLsI, beside
# fine-tuning only and last-layer distillation with the same number of student updates.
#
#   runs/quickstart.sh [--seeds N]     N independent repetitions (default 1); the table then shows mean and spread
#
# Results stay in runs/out/quickstart, with a log beside each run; a second start continues behind the last finished run.
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

# run NAME DIRECTORY COMMAND...: runs the command unless DIRECTORY has its result; a run that was stopped is continued.
run() {
  local name=$1 directory=$2; shift 2
  [ -f "$directory/summary.json" ] && return
  local resume=(); [ -f "$directory/config.yaml" ] && resume=(--resume)
  logged "$name" "$directory" "$vlsi" "$@" "${resume[@]}"
}
# logged NAME FILE COMMAND...: runs the command, what it says in FILE.log; says NAME before, and the end of the log if it fails.
logged() {
  local name=$1 log=$2.log; shift 2
  echo "quickstart: $name" >&2
  "$@" >>"$log" 2>&1 || { echo "quickstart: $name failed; the end of $log:" >&2; tail -n 5 "$log" >&2; exit 1; }
}
# side_by_side LANE LANE: two functions at once. Narrow models use two cores best as two programs of one thread each.
side_by_side() {
  OMP_NUM_THREADS=1 "$1" & local first=$!
  OMP_NUM_THREADS=1 "$2" & local second=$!
  local failed=0
  wait $first || failed=1
  wait $second || failed=1
  [ $failed = 0 ] || exit 1
}
evaluate() {  # MODEL...: the accuracy of each on the test questions
  local model
  for model in "$@"; do
    [ -f "$here/$model/evaluation/results.json" ] || logged "seed $seed: the test questions, $model" "$here/$model-evaluation" "$vlsi" evaluate \
      --benchmark easy-vqa --model "$here/$model/model" --data $out/data/test.json --images $images --out "$here/$model/evaluation"
  done
}

answer_questions() {
  [ -f "$here/answered.json" ] && return
  logged "seed $seed: the teacher answers the questions that have no label" "$here/answers" "$vlsi" answer --model "$here/teacher/model" \
    --data $out/data/train.json --images $images --out "$here/teacher-answers.json" --max-new-tokens 4
  python3 runs/quickstart/answers.py "$here/teacher-answers.json" $out/data/labelled.json "$here/answered.json"
}
verbalize() {
  run "seed $seed: the student before distillation, on 1,000 labels" "$here/student" finetune "$here/configs/student.yaml" --seed "$seed"
  run "seed $seed: step 1, verbalization" "$here/verbalize" distill "$here/configs/verbalize.yaml" --seed "$seed"
}
# Five ways to spend 460 student updates.
interact() {
  run "seed $seed: VLsI" "$here/vlsi" distill "$here/configs/vlsi.yaml" --seed "$seed"
  run "seed $seed: VLsI without step 3" "$here/vlsi-no-step-3" distill "$here/configs/vlsi.yaml" --seed "$seed" \
    --set out="$here/vlsi-no-step-3" --set interact.iterations=460 --set finetune.iterations=0
}
compare() {
  run "seed $seed: fine-tuning only" "$here/sft" finetune "$here/configs/vlsi.yaml" --seed "$seed" --set out="$here/sft" \
    --set finetune.iterations=460 --set finetune.optimizer.learning_rate=1e-3 --set finetune.optimizer.final_learning_rate=1e-5
  run "seed $seed: last-layer distillation" "$here/last-layer" distill "$here/configs/vlsi.yaml" --seed "$seed" \
    --set out="$here/last-layer" --set interact.intermediate_loss=none
  run "seed $seed: VLsI with random ordered matches" "$here/vlsi-random" distill "$here/configs/vlsi.yaml" --seed "$seed" \
    --set out="$here/vlsi-random" --set interact.matching.temperature=1e9
}
evaluate_learned() { evaluate teacher student sft; }
evaluate_distilled() { evaluate last-layer vlsi-no-step-3 vlsi vlsi-random; }

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
  side_by_side verbalize answer_questions
  side_by_side interact compare
  side_by_side evaluate_learned evaluate_distilled
done

echo
python3 runs/quickstart/table.py "${directories[@]}"
python3 runs/quickstart/layers.py "${directories[0]}"
echo
echo "took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s after set-up and build"
echo "models, verbalizers, metrics and predictions: $out/seed-*/"
reported=()
for run in vlsi vlsi-random vlsi-no-step-3 last-layer sft verbalize student teacher; do
  for directory in "${directories[@]}"; do reported+=("$directory/$run"); done
done
"$vlsi" report "${reported[@]}" --out $out/report.html --samples 3 --threads 1 >$out/report.log 2>&1 || { tail -n 5 $out/report.log >&2; exit 1; }
echo "the report, with what the layers say: $out/report.html"

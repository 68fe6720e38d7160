#!/usr/bin/env bash
# Measures a part of the program against its peers and prints a table:
#   bench/run.sh objective  [--json FILE] [--rounds 1] [--only PART,...]   the verbal objective: times, accuracy, memory
#   bench/run.sh tokenizer  [--json FILE] [--rounds 7]   encoding, against the `tokenizers` library
#   bench/run.sh quickstart [--json FILE] [--rounds 3]   the quickstart's training, against plain PyTorch
#   bench/run.sh chain OLD NEW [--json FILE] [--rounds 3]   the quickstart's whole chain, two builds of the program
#   bench/run.sh true-size  [--json FILE] [--rounds 3] [--only KEY,...]   training at the shapes of Qwen2-VL 2B and 7B
#   bench/run.sh inference  [--json FILE] [--rounds 3] [--only KEY,...]   decoding, against llama.cpp and transformers
#   bench/run.sh families   [--json FILE] [--rounds 3] [--only KEY,...]   every family's vision tower; training of Qwen3-VL
#   bench/run.sh evaluation [--json FILE] [--rounds 3] [--only KEY,...] [--old PROGRAM]   tables against pandas, scoring, answering
#   bench/run.sh study      [--json FILE] [--rounds 3] [--only KEY,...]   step 2 in forms beyond the paper: the student's own answers
#   bench/run.sh data       [--json FILE] [--rounds 3] [--only KEY,...]   reading training data, against webdataset, pyarrow and transformers
# bench/gpu.sh is what proves and measures the program on a GPU.
# Builds what it needs in build/release, and makes the peers' Python in .deps/bench-python. --json writes {key: value}.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() { sed -n '2,12s/^# //p' bench/run.sh >&2; exit 2; }
[ $# -gt 0 ] || usage
what=$1
shift
if [ "$what" = chain ]; then
  echo "chain: takes about 7 minutes. Other work on the machine spoils the numbers."
  if [ ! -d .deps/easy-vqa/easy_vqa ]; then
    .deps/python/bin/pip install -q --disable-pip-version-check --no-deps --target .deps/easy-vqa easy-vqa==1.0 >&2
  fi
  exec python3 bench/chain.py "$@"
fi
case $what in
  objective)
    programs=(objective_bench objective_accuracy cached_teacher_bench)
    takes="8 minutes on two cores of an AMD Zen 5, twice that on Zen 4, as it says itself when it starts; more with --rounds 3, or with the
part readings; without 20 GiB of free memory, that of the peer is not measured" ;;
  tokenizer) programs=(tokenizer_bench) takes="2 minutes" ;;
  quickstart) programs=(vlsi) takes="15 minutes, after a finished runs/quickstart.sh" ;;
  true-size)
    what=true_size
    programs=(vlsi adamw_bench)
    takes="30 minutes on two cores, with 12 GiB of memory and 30 GB of disk; without the key smoke, 17 minutes" ;;
  inference)
    programs=(inference_bench)
    takes="15 minutes on two cores, with 10 GiB of memory and 4 GB of disk" ;;
  families) programs=(vlsi tower_bench) takes="15 minutes on two cores, with 6 GiB of memory and of disk" ;;
  evaluation)
    programs=(vlsi evaluation_bench)
    takes="5 minutes on two cores, with 8 GiB of memory for pandas and 2 GB of disk; with --old, after a finished runs/quickstart.sh" ;;
  study) programs=(vlsi) takes="10 minutes on two cores, with 6 GiB of memory and 5 GB of disk" ;;
  data)
    programs=(data_bench)
    takes="15 minutes on two cores, with 4 GiB of memory and 6 GB of disk; without the key mixture, 5 minutes" ;;
  *) echo "bench/run.sh: found '$what', expected objective, tokenizer, quickstart, chain, true-size, inference, families, evaluation, study or data" >&2; usage ;;
esac
echo "$what: takes about $takes; the first time, a build and an installation before it."
echo "Other work on the machine spoils the numbers."

python=.deps/bench-python/bin/python
[ -x $python ] || python3 -m venv .deps/bench-python
if ! cmp -s bench/peers/requirements.txt .deps/bench-python/installed; then
  $python -m pip install -q --disable-pip-version-check -r bench/peers/requirements.txt >&2
  cp bench/peers/requirements.txt .deps/bench-python/installed
fi
if [[ $what = true_size || $what = inference || $what = families || $what = study ]] && [ ! -d .deps/easy-vqa/easy_vqa ]; then
  $python -m pip install -q --disable-pip-version-check --no-deps --target .deps/easy-vqa easy-vqa==1.0 >&2
fi
[ -f build/release/build.ninja ] || cmake --preset release > /dev/null
cmake --build --preset release --target "${programs[@]}" > /dev/null
exec $python "bench/$what.py" --peer-python $python "$@"

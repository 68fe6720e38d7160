#!/usr/bin/env bash
# The paper's claims, asked again in small: a synthetic task whose answers need several steps, and a study file for every table and
# figure. docs/study.md says what each is about and what was found.
#
#   runs/study.sh                the whole: six seeds, two teachers; some five hours on two cores
#   runs/study.sh --quick        two seeds, the gate and the main rows; within half an hour
#   runs/study.sh --seeds N      another number of seeds
#   runs/study.sh --closed-gate  goes on where the gate is closed: what is found then says little about the interaction of layers
#
# Results stay in runs/out/study; study.html there is the page, that of --quick in quick/. What is stopped goes on with the same
# command, and stages that one of the two has made are not made again by the other.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds="" quick=0 closed_gate=0
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=1; shift ;;
    --closed-gate) closed_gate=1; shift ;;
    --seeds) seeds=${2:?--seeds wants a number}; shift 2 ;;
    *) echo "study: unknown argument '$1'; usage: runs/study.sh [--quick] [--seeds N] [--closed-gate]" >&2; exit 2 ;;
  esac
done
if [ -z "$seeds" ]; then [ $quick = 1 ] && seeds=2 || seeds=6; fi
[[ "$seeds" =~ ^[1-9][0-9]?$ ]] || { echo "study: --seeds is '$seeds', expected 1 to 99" >&2; exit 2; }

bash cmake/setup.sh
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { tail -n 30 build/configure.log >&2; exit 1; }
cmake --build --preset release --target vlsi >build/build.log 2>&1 || { tail -n 30 build/build.log >&2; exit 1; }

out=runs/out/study
shown=$out
[ $quick = 0 ] || shown=$out/quick
mkdir -p $shown/tables $shown/pages
[ -f $out/data/walks.json ] || python3 runs/study/scenes.py $out/data
[ -f $out/tokenizer/tokenizer.json ] || python3 runs/make_tokenizer.py $out/data/validation.json $out/tokenizer --size 448
python3 runs/study/models.py $out/tokenizer $out/models

trap 'echo "study: stopped; the same command goes on" >&2; exit 130' INT TERM
failed=()
run() {
  echo "study: runs/study/$1.yaml" >&2
  build/release/vlsi study "runs/study/$1.yaml" --set "seeds=[$(seq -s , "$seeds")]" --set "results=$shown/$1" --format json \
    --out "$shown/tables/$1.json" --page "$shown/pages/$1.html" || failed+=("$1")
}

run gate
gate=0
python3 runs/study/gate.py $shown/gate --seeds "$(seq -s , "$seeds")" | tee $shown/gate.txt || gate=$?
[ $gate -le 1 ] || exit $gate
if [ $gate = 1 ] && [ $closed_gate = 0 ]; then
  echo "study: the gate is closed; --closed-gate goes on all the same" >&2
  exit 1
fi
files=(main)
if [ $quick = 0 ]; then
  files+=(table-4d table-4e search-c figure-5 appendix-b peers table-4b table-4c table-4f search-b search-d search-e search-g search-h search-a
          figure-4 table-4a search-f test)
fi
for file in "${files[@]}"; do run "$file"; done
python3 runs/study/page.py $shown
python3 runs/study/collect.py $shown $shown/collected.json --stages $out/stages  # runs/study/results has such files
echo "study: the page is $shown/study.html"
if [ ${#failed[@]} -gt 0 ]; then
  echo "study: not everything was made of: ${failed[*]}; the same command tries again" >&2
  exit 1
fi

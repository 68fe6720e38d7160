#!/usr/bin/env bash
# Encoding speed against the `tokenizers` library, one thread each, in turns; prints medians and their ratio.
# PYTHON is an interpreter that has tokenizers 0.23.3; BUILD is the build folder; RUNS the number of turns.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
build=${BUILD:-build/release}
runs=${RUNS:-7}
vocabulary=build/test-data/qwen2
corpus=build/test-data/tokenizer_corpus.jsonl
export RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

[ -f $vocabulary/tokenizer.json ] || "$python" tests/data/qwen2/make_tokenizer.py $vocabulary
"$python" bench/peers/tokenizer_peer.py corpus $corpus
ours=() encode=() batch=() load=()
for ((i = 0; i < runs; ++i)); do
  read -r seconds load_seconds num_ids < <("$build/bench/tokenizer_bench" $vocabulary $corpus)
  read -r peer_encode peer_batch peer_num_ids < <("$python" bench/peers/tokenizer_peer.py time $vocabulary $corpus)
  [ "$num_ids" = "$peer_num_ids" ] || { echo "the two give $num_ids and $peer_num_ids ids" >&2; exit 1; }
  ours+=("$seconds") load+=("$load_seconds") encode+=("$peer_encode") batch+=("$peer_batch")
done
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
awk -v o="$(median "${ours[@]}")" -v e="$(median "${encode[@]}")" -v b="$(median "${batch[@]}")" -v l="$(median "${load[@]}")" \
  -v bytes="$(wc -c < $corpus)" 'BEGIN {
  printf "load            %.3f s\n", l
  printf "encode          %.3f s, %.1f MB/s\n", o, bytes / o / 1e6
  printf "peer, encode    %.3f s, ratio %.2f\n", e, e / o
  printf "peer, batch     %.3f s, ratio %.2f\n", b, b / o
}'

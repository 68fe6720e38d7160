#!/usr/bin/env python3
"""Encoding speed against the `tokenizers` library, one thread each, in turns. bench/run.sh tokenizer calls it.

    tokenizer.py [--rounds 7] [--json FILE] [--build build/release] [--peer-python PYTHON]

Prints medians and ratios; --json writes {key: value}, the ratios peer ÷ ours. Both must give the same number of ids.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = "build/test-data/qwen2"
CORPUS = "build/test-data/tokenizer_corpus.jsonl"
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def numbers(*command):
    command = [str(part) for part in command]
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".deps/bench-python/bin/python")
    options = parser.parse_args()

    peer = [options.peer_python, "bench/peers/tokenizer_peer.py"]
    if not (ROOT / VOCABULARY / "tokenizer.json").exists():
        numbers(options.peer_python, "tests/data/qwen2/make_tokenizer.py", VOCABULARY)
    numbers(*peer, "corpus", CORPUS)
    rounds = []
    for _ in range(options.rounds):
        seconds, load_seconds, num_ids = numbers(options.build / "bench/tokenizer_bench", VOCABULARY, CORPUS)
        peer_encode, peer_batch, peer_num_ids = numbers(*peer, "time", VOCABULARY, CORPUS)
        if num_ids != peer_num_ids:
            sys.exit(f"tokenizer.py: ours gives {num_ids:.0f} ids, the peer {peer_num_ids:.0f}; expected the same")
        rounds.append((load_seconds, seconds, peer_encode, peer_batch))
    load, ours, encode, batch = (statistics.median(column) for column in zip(*rounds))

    print(f"load            {load:.3f} s")
    print(f"encode          {ours:.3f} s, {(ROOT / CORPUS).stat().st_size / ours / 1e6:.1f} MB/s")
    print(f"peer, encode    {encode:.3f} s, ratio {encode / ours:.2f}")
    print(f"peer, batch     {batch:.3f} s, ratio {batch / ours:.2f}")
    if options.json:
        values = {"tokenizer_encode_to_ours": encode / ours, "tokenizer_batch_to_ours": batch / ours}
        options.json.write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()

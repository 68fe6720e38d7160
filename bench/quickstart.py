#!/usr/bin/env python3
"""The quickstart's training, ours against plain PyTorch + transformers, phase by phase, interleaved.

    bench/quickstart.py --peer-python PYTHON [--rounds 3] [--iterations 30] [--json FILE]

PYTHON is an interpreter with torch, transformers 5.23 and Pillow. Needs a finished runs/quickstart.sh, whose models and data it
uses. Prints seconds an iteration of both (median over the rounds; within a round, the median of its later iterations) and, last,
the ratio peer ÷ ours over the whole chain, each phase weighted by its iterations in the quickstart.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "runs/out/quickstart"
SEED = OUT / "seed-1"
IMAGES = ROOT / ".deps/easy-vqa/easy_vqa/data"

# name, quickstart iterations, our command and its --set, peer arguments
PHASES = [
    ("fine-tune the teacher", 1000, "finetune", "teacher", "finetune", {},
     ["--phase", "finetune", "--model", SEED / "teacher-start/model", "--train", "decoder,embeddings", "--data", OUT / "data/train.json"]),
    ("fine-tune the student", 300 + 760 + 3 * 60, "finetune", "student", "finetune", {},
     ["--phase", "finetune", "--model", SEED / "student-start/model", "--train", "decoder,embeddings", "--learning-rate", "2e-3",
      "--data", OUT / "data/labelled.json"]),
    ("verbalize the student", 600, "distill", "verbalize", "verbalize-student", {},
     ["--phase", "verbalize", "--model", SEED / "student/model", "--layers", "1,3,5", "--learning-rate", "2e-3",
      "--data", OUT / "data/labelled.json"]),
    ("verbalize the teacher", 600, "distill", "verbalize", "verbalize-teacher", {},
     ["--phase", "verbalize", "--model", SEED / "teacher/model", "--layers", "1,2,3,4,6", "--learning-rate", "2e-3",
      "--data", OUT / "data/train.json"]),
    ("interact", 2 * 700 + 760, "distill", "vlsi", "interact", {"finetune.iterations": 0},
     ["--phase", "interact", "--model", SEED / "student/model", "--teacher", SEED / "teacher/model", "--layers", "1,3,5",
      "--teacher-layers", "1,2,3,4,6", "--data", SEED / "answers/answers.json"]),
]


def ours(command, config, step, settings, iterations):
    """Median seconds between the later lines of a run's metrics."""
    out = Path(tempfile.mkdtemp(prefix="vlsi-bench-"))
    settings = {"out": out / "run", "data.validation": "[]", **settings}
    for key in ("finetune", "verbalize", "interact"):
        settings.setdefault(f"{key}.iterations", iterations if key == step.split("-")[0] else 0)
    arguments = [ROOT / "build/release/vlsi", command, ROOT / "runs/quickstart" / f"{config}.yaml"]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value}"]
    subprocess.run([str(a) for a in arguments], cwd=ROOT, check=True, capture_output=True)
    lines = [json.loads(line) for line in (out / "run/metrics.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines if line["step"] == step and "seconds" in line]
    shutil.rmtree(out)
    steps = [b - a for a, b in zip(seconds, seconds[1:])]
    return statistics.median(steps[len(steps) // 2:])


def peer(python, arguments, iterations):
    command = [python, ROOT / "bench/peers/quickstart_peer.py", *arguments, "--tokenizer", OUT / "tokenizer", "--images", IMAGES,
               "--iterations", iterations, "--threads", 2]
    text = subprocess.run([str(a) for a in command], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(text.strip().splitlines()[-1])["seconds_per_iteration"]


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--peer-python", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--iterations", type=int, default=30)
parser.add_argument("--json")
options = parser.parse_args()

values, totals = {}, [0.0, 0.0]
print(f"{'seconds an iteration':24}{'ours':>9}{'peer':>9}{'peer ÷ ours':>13}")
for name, weight, command, config, step, settings, peer_arguments in PHASES:
    rounds = [(ours(command, config, step, settings, options.iterations), peer(options.peer_python, peer_arguments, options.iterations))
              for _ in range(options.rounds)]
    mine, theirs = (statistics.median(column) for column in zip(*rounds))
    totals[0] += weight * mine
    totals[1] += weight * theirs
    values[name.replace(" ", "_")] = theirs / mine
    print(f"{name:24}{mine:9.3f}{theirs:9.3f}{theirs / mine:13.2f}", flush=True)
values["quickstart_peer_to_ours"] = totals[1] / totals[0]
print(f"{'whole chain':24}{totals[0]:8.0f}s{totals[1]:8.0f}s{totals[1] / totals[0]:13.2f}")
if options.json:
    Path(options.json).write_text(json.dumps(values, indent=2) + "\n")

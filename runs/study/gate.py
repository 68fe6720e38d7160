#!/usr/bin/env python3
"""Whether a regime can show what the interaction of layers is worth: asked of a study's runs before students are distilled.

    gate.py RESULTS [--seeds 1,2] [--words words] [--teacher teacher] [--student student] [--evaluation validation]

RESULTS is the study's `results`; of each of the seeds, or of all that have a folder there, the stages of these names are read: the
verbalization `words`, and the evaluations of the teacher and of the student before distillation. The gate is open for a seed where

  - the teacher's verbalizer losses (mean of the last 50 iterations, end of turn left out) fall by 0.05 nats or more at two thirds
    of the ways from one target layer to the next, or at more of them; and
  - the teacher is 15 points or more above the student.

Exit status: 0 open for every seed, 1 not, 2 where a file is missing or is none. Needs the standard library only.
"""

import argparse
import json
import math
import sys
from pathlib import Path

LEAST_FALL = 0.05  # nats
LEAST_LEAD = 15.0  # points
LAST = 50  # iterations


def number_of(seed):
    """Of a folder seed-N."""
    return int(seed.name.split("-")[1])


def metrics(run, step):
    with open(run / "metrics.jsonl") as file:
        return [record for record in map(json.loads, file) if record["step"] == step]


def layer_losses(records, last=LAST):
    """Means over the last records that have them, by target layer."""
    key = "layer_loss_words"
    values = [record[key] for record in records if key in record][-last:]
    if not values:
        raise ValueError(f"has no '{key}': it is no verbalization")
    return [sum(layer) / len(values) for layer in zip(*values)]


def falls(losses):
    """How many of the ways from a layer to the next one fall by enough, and how many must."""
    ways = list(zip(losses, losses[1:]))
    # Losses are logged to more digits than are told apart here.
    return sum(a - b >= LEAST_FALL - 1e-9 for a, b in ways), math.ceil(2 * len(ways) / 3)


def accuracy(evaluation):
    return 100 * json.loads((evaluation / "results.json").read_text())["accuracy"]


def judge(losses, teacher, student):
    """Whether the gate is open, and a line for each of its two conditions."""
    found, needed = falls(losses)
    deep = len(losses) > 1 and found >= needed
    ahead = teacher - student >= LEAST_LEAD - 1e-9
    return deep and ahead, [
        f"teacher's losses by layer {' '.join(f'{loss:.3f}' for loss in losses)}: {found} of {len(losses) - 1} ways fall by "
        f"{LEAST_FALL} nats, {needed} must: {'yes' if deep else 'NO'}",
        f"teacher {teacher:.1f} %, student before {student:.1f} %: {teacher - student:+.1f} points, {LEAST_LEAD:.0f} needed: "
        f"{'yes' if ahead else 'NO'}",
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="RESULTS")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[])
    parser.add_argument("--words", default="words")
    parser.add_argument("--teacher", default="teacher")
    parser.add_argument("--student", default="student")
    parser.add_argument("--evaluation", default="validation")
    args = parser.parse_args(arguments)
    found = sorted(args.out.glob("seed-*"), key=number_of)
    seeds = [args.out / f"seed-{seed}" for seed in args.seeds] or found
    if not seeds:
        print(f"gate: {args.out}: has no seed-N, expected a study's `results`", file=sys.stderr)
        return 2
    all_open = True
    for seed in seeds:
        try:
            is_open, lines = judge(layer_losses(metrics(seed / args.words, "verbalize-teacher")),
                                   accuracy(seed / f"{args.teacher}-{args.evaluation}"),
                                   accuracy(seed / f"{args.student}-{args.evaluation}"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"gate: {seed}: {error}", file=sys.stderr)
            return 2
        all_open = all_open and is_open
        print(f"{seed.name}: {'open' if is_open else 'CLOSED'}", *lines, sep="\n  ")
    return 0 if all_open else 1


if __name__ == "__main__":
    sys.exit(main())

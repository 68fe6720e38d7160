#!/usr/bin/env python3
"""The quickstart's result, one row a model.

    table.py SEED_DIR...

Reads SEED_DIR/<run>/evaluation/results.json and SEED_DIR/<run>/summary.json. With several directories: mean and standard
deviation over them.
"""

import json
import statistics
import sys
from pathlib import Path

ROWS = [
    ("teacher", "teacher, 8 x 128"),
    ("student", "student before, 8 x 48"),
    ("sft", "fine-tuning only"),
    ("last-layer", "last-layer distillation"),
    ("vlsi-no-step-3", "VLsI without step 3"),
    ("vlsi", "VLsI"),
    ("vlsi-random", "VLsI, random ordered matches"),
]
CATEGORIES = ["shape", "color", "yes/no"]


def read(seed, run):
    results = json.loads((seed / run / "evaluation" / "results.json").read_text())
    summary = json.loads((seed / run / "summary.json").read_text())
    accuracies = [results["accuracy"]] + [results["categories"][c]["accuracy"] for c in CATEGORIES]
    minutes = sum(step["seconds"] for step in summary["steps"]) / 60
    return [100 * a for a in accuracies] + [minutes, summary["peak_memory_bytes"] / 2**20]


def cell(values, digits):
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {statistics.stdev(values):.{digits}f}"


seeds = [Path(argument) for argument in sys.argv[1:]]
table = [["test accuracy, %", "all", *CATEGORIES, "minutes", "MiB"]]
for run, name in ROWS:
    columns = zip(*(read(seed, run) for seed in seeds))
    table.append([name] + [cell(values, digits) for values, digits in zip(columns, [1, 1, 1, 1, 1, 0])])
widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
for row in table:
    print("  ".join([row[0].ljust(widths[0])] + [text.rjust(width) for text, width in zip(row[1:], widths[1:])]))

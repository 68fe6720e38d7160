#!/usr/bin/env python3
"""What the layers say, from a run's metrics: verbalizer losses by depth, the matches, and the KL matrix.

    layers.py SEED_DIR
"""

import collections
import json
import sys
from pathlib import Path

seed = Path(sys.argv[1])


def lines(run):
    return [json.loads(line) for line in (seed / run / "metrics.jsonl").read_text().splitlines()]


def last_mean(records, key, count=50):
    """Mean of the last `count` values of a list-valued key, place by place."""
    values = [r[key] for r in records if key in r][-count:]
    return [sum(column) / len(values) for column in zip(*values)]


print("\nverbalizer loss of the answer words, shallow to deep (nats, mean of the last 50 iterations of step 1)")
verbalize = lines("verbalize")
for model, layers in (("teacher", "1 2 3 4 6"), ("student", "1 3 5")):
    losses = last_mean([r for r in verbalize if r["step"] == f"verbalize-{model}"], "layer_loss_words")
    text = "   ".join(f"{layer}: {loss:.3f}" for layer, loss in zip(layers.split(), losses))
    falls = all(a >= b for a, b in zip(losses, losses[1:]))
    print(f"  {model}   {text}   {'deeper is lower' if falls else 'NOT falling with depth'}")

interact = [r for r in lines("vlsi") if "matches" in r]
half = len(interact) // 2
print("\nmatched teacher layer of each student layer, first and second half of step 2")
for name, part in (("first ", interact[:half]), ("second", interact[half:])):
    counts = collections.Counter(tuple(match) for record in part for match in record["matches"])
    students = sorted({s for s, _ in counts})
    print(f"  {name}  " + "   ".join(
        f"{s}: " + ", ".join(f"{t} ({100 * counts[s, t] / len(part):.0f} %)" for t in sorted({t for q, t in counts if q == s}))
        for s in students))

matrices = [r["kl_matrix"] for r in interact if "kl_matrix" in r]
print("\nmean KL, student layer (row) to teacher layer (column): first and last logged iterations of step 2")
for first_row, last_row in zip(matrices[0], matrices[-1]):
    print("  " + "  ".join(f"{v:6.3f}" for v in first_row) + "     |   " + "  ".join(f"{v:6.3f}" for v in last_row))

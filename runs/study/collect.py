#!/usr/bin/env python3
"""What was found, small enough to keep: of every file and variant its number of seeds, accuracy, difference, intervals, time and memory.

    collect.py STUDY_OUT RESULTS.json

Reads STUDY_OUT/tables/*.json (vlsi study --format json), the gate's text where it is there, and of the stages by which programs they
were run; writes RESULTS.json (results/ beside this script holds one of each run). `least_seen` is a row's power: the difference to the baseline, in points, that its
seeds would have seen with 80 %, were the deviation over seeds that of the differences that were found. Needs the standard library only.
"""

import json
import math
import sys
from pathlib import Path

# Student's t by degrees of freedom: 97.5 % and 80 %.
T = {1: (12.706, 1.376), 2: (4.303, 1.061), 3: (3.182, 0.978), 4: (2.776, 0.941), 5: (2.571, 0.920), 6: (2.447, 0.906),
     7: (2.365, 0.896), 8: (2.306, 0.889), 9: (2.262, 0.883), 10: (2.228, 0.879), 11: (2.201, 0.876)}


def least_seen(deviation, count):
    """The difference that a two-sided test at 5 % over `count` seeds sees with a probability of 80 %; None where T does not reach."""
    return sum(T[count - 1]) * deviation / math.sqrt(count) if deviation is not None and count - 1 in T else None


def rounded(value, digits):
    return None if value is None else [round(v, digits) for v in value] if isinstance(value, list) else round(value, digits)


def row_of(row):
    found = {"variant": row["variant"], "title": row["title"], "n": row["score"]["count"], "accuracy": rounded(row["score"]["mean"], 2),
             "deviation": rounded(row["score"]["deviation"], 2),
             "kinds": {name: rounded(value["mean"], 1) for name, value in row["categories"].items()}}
    difference = row["difference"]
    if difference is not None:
        found |= {"difference": rounded(difference["mean"], 2), "seeds_interval": rounded(difference["seeds_interval"], 2),
                  "questions_interval": rounded(difference["questions_interval"], 2),
                  "least_seen": rounded(least_seen(difference["deviation"], difference["count"]), 2)}
    return found | {"seconds": rounded(row["seconds"]["mean"], 1), "mib": round(row["peak_memory_bytes"]["mean"] / 2**20)}


def programs_of(out):
    """What ran the stages: compiler, LibTorch, processor features; more than one where a study was made in pieces."""
    found = set()
    for path in (out / "stages").glob("*/stage.json"):
        stage = json.loads(path.read_text())
        program = stage["program"]
        found.add(f"{program['compiler']}, LibTorch {program['libtorch']}, {stage['processor']}, {program['vector_instructions']}")
    return sorted(found)


def collect(out):
    gate = out / "gate.txt"
    found = {"programs": programs_of(out), "gate": gate.read_text().splitlines() if gate.exists() else [], "files": {}}
    for path in sorted((out / "tables").glob("*.json")):
        found["files"][path.stem] = [{"evaluation": table["evaluation"], "baseline": table["baseline"],
                                      "rows": [row_of(row) for row in table["rows"]]} for table in json.loads(path.read_text())]
    return found


def text_of(found):
    """A line a row."""
    lines = ["{", f' "programs": {json.dumps(found["programs"])},', f' "gate": {json.dumps(found["gate"], indent=2)},', ' "files": {']
    files = []
    for name, tables in found["files"].items():
        parts = []
        for table in tables:
            head = json.dumps({key: value for key, value in table.items() if key != "rows"})[:-1]
            parts.append("   " + head + ', "rows": [\n' + ",\n".join("    " + json.dumps(row) for row in table["rows"]) + "]}")
        files.append(f'  "{name}": [\n' + ",\n".join(parts) + "]")
    return "\n".join(lines) + "\n" + ",\n".join(files) + "}}\n"


def main(out, results):
    if not (out / "tables").is_dir():
        print(f"collect: {out}: has no tables/, expected a study's `out`", file=sys.stderr)
        return 2
    results.write_text(text_of(collect(out)))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

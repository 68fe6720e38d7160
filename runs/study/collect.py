#!/usr/bin/env python3
"""What was found, small enough to keep: of every file and variant its accuracy with each seed, differences, intervals, time and memory.

    collect.py STUDY_OUT RESULTS.json [--stages FOLDER]

Reads STUDY_OUT/tables/*.json (vlsi study --format json), the gate's text where it is there, and of the stages, by default those in
STUDY_OUT/stages, by which programs they were run; writes RESULTS.json (results/ beside this script holds one of each run). `least_seen` is a row's power: the difference to the baseline, in points, that its
seeds would have seen with 80 %, were the deviation over seeds that of the differences that were found; of three pairs or more. Needs the standard library only.
"""

import argparse
import json
import math
import sys
from pathlib import Path

# Student's t by degrees of freedom, from 2: 97.5 % and 80 %.
T = dict(enumerate([(4.303, 1.061), (3.182, 0.978), (2.776, 0.941), (2.571, 0.920), (2.447, 0.906), (2.365, 0.896), (2.306, 0.889), (2.262, 0.883),
                    (2.228, 0.879), (2.201, 0.876), (2.179, 0.873), (2.160, 0.870), (2.145, 0.868), (2.131, 0.866), (2.120, 0.865), (2.110, 0.863),
                    (2.101, 0.862), (2.093, 0.861), (2.086, 0.860)], start=2))


def least_seen(deviation, count):
    """The difference that a two-sided test at 5 % over `count` pairs sees with a probability of 80 %; None where T does not reach."""
    return sum(T[count - 1]) * deviation / math.sqrt(count) if deviation is not None and count - 1 in T else None


def rounded(value, digits):
    return None if value is None else [round(v, digits) for v in value] if isinstance(value, list) else round(value, digits)


def difference_of(difference):
    return {"pairs": difference["count"], "difference": rounded(difference["mean"], 2),
            "seeds_interval": rounded(difference["seeds_interval"], 2), "questions_interval": rounded(difference["questions_interval"], 2),
            "least_seen": rounded(least_seen(difference["deviation"], difference["count"]), 2)}


def row_of(row):
    found = {"variant": row["variant"], "title": row["title"], "n": row["score"]["count"], "accuracy": rounded(row["score"]["mean"], 2),
             "deviation": rounded(row["score"]["deviation"], 2), "scores": {seed: round(score, 3) for seed, score in row["scores"].items()},
             "kinds": {name: rounded(value["mean"], 1) for name, value in row["categories"].items()}}
    if row["difference"] is not None:
        found |= difference_of(row["difference"])
    return found | {"seconds": rounded(row["seconds"]["mean"], 1), "seconds_with_inputs": rounded(row["seconds_with_inputs"]["mean"], 1),
                    "mib": round(row["peak_memory_bytes"]["mean"] / 2**20)}


def comparison_of(comparison):
    return {"variant": comparison["variant"], "minus": comparison["minus"], "title": comparison["title"],
            **difference_of(comparison["difference"])}


def programs_of(stages):
    """What ran the stages: compiler, LibTorch, processor features; more than one where a study was made in pieces."""
    found = set()
    for path in stages.glob("*/stage.json"):
        stage = json.loads(path.read_text())
        program = stage["program"]
        found.add(f"{program['compiler']}, LibTorch {program['libtorch']}, {stage['processor']}, {program['vector_instructions']}")
    return sorted(found)


def collect(out, stages):
    gate = out / "gate.txt"
    found = {"programs": programs_of(stages), "gate": gate.read_text().splitlines() if gate.exists() else [], "files": {}}
    for path in sorted((out / "tables").glob("*.json")):
        found["files"][path.stem] = [{"evaluation": table["evaluation"], "baseline": table["baseline"],
                                      "rows": [row_of(row) for row in table["rows"]],
                                      "comparisons": [comparison_of(one) for one in table["comparisons"]]} for table in json.loads(path.read_text())]
    return found


def text_of(found):
    """A line a row."""
    lines = ["{", f' "programs": {json.dumps(found["programs"])},', f' "gate": {json.dumps(found["gate"], indent=2)},', ' "files": {']
    files = []
    for name, tables in found["files"].items():
        parts = []
        for table in tables:
            head = json.dumps({key: value for key, value in table.items() if not isinstance(value, list)})[:-1]
            lists = [f'"{key}": [\n' + ",\n".join("    " + json.dumps(row) for row in value) + "]"
                     for key, value in table.items() if isinstance(value, list) and value]
            parts.append("   " + ", ".join([head, *lists]) + "}")
        files.append(f'  "{name}": [\n' + ",\n".join(parts) + "]")
    return "\n".join(lines) + "\n" + ",\n".join(files) + "}}\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="STUDY_OUT")
    parser.add_argument("results", type=Path, metavar="RESULTS.json")
    parser.add_argument("--stages", type=Path)
    args = parser.parse_args(arguments)
    if not (args.out / "tables").is_dir():
        print(f"collect: {args.out}: has no tables/, expected where study.sh writes", file=sys.stderr)
        return 2
    args.results.write_text(text_of(collect(args.out, args.stages or args.out / "stages")))
    return 0


if __name__ == "__main__":
    sys.exit(main())

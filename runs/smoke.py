#!/usr/bin/env python3
"""What a recipe's smoke run reads beside its models, and what it says at the end.

    smoke.py data EASY_VQA_DIR OUT.json      100 conversations of easy-VQA as LLaVA JSON
    smoke.py report RUN_DIR                  a table of the run: seconds an update of each step, peak memory

Needs the standard library only.
"""

import json
import sys
from pathlib import Path

CONVERSATIONS = 100


def write_data(package, out):
    questions = json.loads((package / "data" / "train" / "questions.json").read_text())
    records = [
        {
            "id": f"train-{number}",
            "image": f"train/images/{image}.png",
            "conversations": [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}],
        }
        for number, (question, answer, image) in enumerate(questions[:CONVERSATIONS])
    ]
    out.write_text(json.dumps(records, indent=1) + "\n")


def report(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    print(f"{'step':18} {'update':>6} {'tokens':>7} {'answers':>8} {'loss':>9} {'seconds':>8}")
    before = {}
    for line in lines:
        step = line["step"]
        seconds = line["seconds"] - before.get(step, 0)
        before[step] = line["seconds"]
        print(f"{step:18} {line['iteration']:6} {line['tokens']:7} {line['answer_tokens']:8} {line['loss']:9.3f} {seconds:8.1f}")
    peak = json.loads((run / "summary.json").read_text())["peak_memory_bytes"]
    print(f"peak memory, file pages included: {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "data":
        write_data(Path(sys.argv[2]), Path(sys.argv[3]))
    elif len(sys.argv) == 3 and sys.argv[1] == "report":
        report(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)

#!/usr/bin/env python3
"""The quickstart's whole chain with two builds of the program, a tenth of its updates, taking turns.

    bench/chain.py OLD NEW [--rounds 3] [--tenths 1] [--json FILE]

OLD and NEW are two `vlsi` programs. Every stage of runs/quickstart.sh (models, vision tower, teacher, student, verbalization, the
teacher's answers, VLsI and its baselines, evaluation, report) is run by one and then by the other, in the other order the next
round. Prints the median seconds of each stage, and last new ÷ old over the whole chain: the median over the rounds of the ratio of
the sums. Needs easy-VQA in .deps/easy-vqa, as runs/quickstart.sh puts it there.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / ".deps/easy-vqa/easy_vqa"
QUESTIONS = 300  # that are answered and evaluated


def prepare(folder):
    """Data, tokenizer and model configurations, which both programs read; runs/quickstart.sh makes them so."""
    def python(*arguments):
        subprocess.run(["python3", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)

    python("runs/quickstart/prepare.py", "data", PACKAGE, folder / "data")
    python("runs/make_tokenizer.py", folder / "data/train.json", folder / "tokenizer", "--size", 384)
    python("runs/quickstart/prepare.py", "models", folder / "tokenizer", folder / "models")
    for name in ("train", "test", "validation"):
        records = json.loads((folder / f"data/{name}.json").read_text())
        (folder / f"data/some-{name}.json").write_text(json.dumps(records[:QUESTIONS]))


def stages(out, here, tenths):
    """name, arguments of the program; `out` holds what is prepared, `here` what this program makes."""
    def config(name):
        text = (ROOT / f"runs/quickstart/{name}.yaml").read_text()
        text = text.replace("runs/out/quickstart/data/validation", f"{out}/data/some-validation")
        text = text.replace("runs/out/quickstart/data", f"{out}/data")
        text = text.replace("runs/out/quickstart/seed-1", str(here)).replace("runs/out/quickstart", str(here))
        (here / f"{name}.yaml").write_text(text)
        return here / f"{name}.yaml"

    def run(command, name, to, **iterations):
        sets = {"out": here / to, **{f"{step}.iterations": max(1, count * tenths // 10) for step, count in iterations.items()}}
        return [command, config(name), *(word for key, value in sets.items() for word in ("--set", f"{key}={value}"))]

    def init(name, *more):
        return ["init", "--config", out / f"models/{name}.json", "--tokenizer", out / "tokenizer", "--out", here / f"{name}-start/model", *more]

    def evaluate(name):
        return ["evaluate", "--benchmark", "easy-vqa", "--model", here / name / "model", "--data", out / "data/some-test.json", *images,
                "--out", here / name / "evaluation"]

    images = ["--images", PACKAGE / "data"]
    (here / "answers").mkdir(parents=True)
    return [
        ("vision tower: init", init("vision")),
        ("vision tower", run("finetune", "vision", "vision", finetune=1000)),
        ("teacher: init", init("teacher", "--vision-from", here / "vision/model")),
        ("teacher", run("finetune", "teacher", "teacher", finetune=1000)),
        ("student: init", init("student", "--cut-from", here / "teacher/model")),
        ("student", run("finetune", "student", "student", finetune=300)),
        ("verbalization", run("distill", "verbalize", "verbalize", verbalize=600)),
        ("teacher's answers", ["answer", "--model", here / "teacher/model", "--data", out / "data/some-train.json", *images,
                               "--out", here / "answers/answers.json", "--max-new-tokens", "4"]),
        ("VLsI", run("distill", "vlsi", "vlsi", interact=700, finetune=60)),
        ("fine-tuning only", run("finetune", "vlsi", "sft", finetune=760)),
        ("last-layer distillation", run("distill", "vlsi", "last-layer", interact=700, finetune=60)
         + ["--set", "interact.intermediate_loss=none"]),
        ("random matches", run("distill", "vlsi", "vlsi-random", interact=700, finetune=60)
         + ["--set", "interact.matching.temperature=1e9"]),
        ("evaluation, teacher", evaluate("teacher")),
        ("evaluation, student", evaluate("vlsi")),
        ("report", ["report", here / "vlsi", here / "verbalize", "--out", here / "report.html", "--samples", "3"]),
    ]


def seconds(program, arguments):
    begin = time.monotonic()
    done = subprocess.run([str(word) for word in (program, *arguments)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{program} {arguments[0]} ended with {done.returncode}: {done.stderr}")
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tenths", type=int, default=1, help="of the quickstart's updates")
    parser.add_argument("--json")
    options = parser.parse_args()
    programs = [options.old.resolve(), options.new.resolve()]
    root = Path(tempfile.mkdtemp(prefix="vlsi-chain-"))
    prepare(root)
    rounds = []  # [{stage: [old, new]}]
    for number in range(options.rounds):
        both = [stages(root, root / f"{side}-{number}", options.tenths) for side in ("old", "new")]
        times = {}
        for index, (name, _) in enumerate(both[0]):
            order = (0, 1) if (index + number) % 2 == 0 else (1, 0)
            found = {side: seconds(programs[side], both[side][index][1]) for side in order}
            times[name] = [found[0], found[1]]
        rounds.append(times)
    shutil.rmtree(root)

    print(f"{'median seconds':26}{'old':>9}{'new':>9}{'new ÷ old':>12}")
    for name in rounds[0]:
        old, new = (statistics.median(times[name][side] for times in rounds) for side in (0, 1))
        print(f"{name:26}{old:9.2f}{new:9.2f}{new / old:12.3f}")
    sums = [[sum(pair[side] for pair in times.values()) for side in (0, 1)] for times in rounds]
    ratio = statistics.median(new / old for old, new in sums)
    print(f"{'whole chain':26}" + "".join(f"{statistics.median(s[side] for s in sums):9.1f}" for side in (0, 1)) + f"{ratio:12.3f}")
    if options.json:
        Path(options.json).write_text(json.dumps({"chain_new_to_old": ratio}, indent=2) + "\n")


if __name__ == "__main__":
    main()

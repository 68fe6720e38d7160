#!/usr/bin/env python3
"""Evaluation: tables with pictures against pandas, scoring, and two programs that answer the same questions.

    bench/evaluation.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--old PROGRAM] [--json FILE]

PYTHON is an interpreter with pandas. Keys:
tsv_to_pandas: seconds to read a table of 2 GB (--gigabytes) whose rows have pictures in base64, pandas.read_csv ÷ ours, on all threads;
tsv_peak_mb is the most memory of ours, the pages of the file that are mapped at the time included.
scoring_million_s: seconds of `vlsi evaluate --predictions` for 1,000,000 (--predictions) answers to a table of MMStar's columns, from
the start of the program to its end, for every community's profile; without an ending the slowest.
evaluate_old_to_new: seconds of `vlsi evaluate` on easy-VQA's test questions, PROGRAM ÷ ours, with the same answers; without --old it is
left out. Needs the student and the data of a finished runs/quickstart.sh, or --model and --data.
The sides of a ratio take turns; it is that of their medians, printed with its range over the rounds. Prints and, with --json, writes
{key: value}.
"""

import base64
import json
import random
import shutil
import statistics
import time

from keys import ROOT, VLSI, Keys, main, run

PROFILES = ["vlmevalkit", "lmms", "official", "vlsi"]
PICTURE_BYTES = 200_000
OPTIONS = [["a cat", "a dog", "a fish", "a bird"], ["red", "green", "blue", "black"], ["1", "2", "3", "4"]]


def seconds_of(*command):
    start = time.perf_counter()
    run(*command)
    return time.perf_counter() - start


def write_pictures(path, num_bytes):
    """Rows of a picture of random bytes each, in base64, a question and four options."""
    drawn = random.Random(1)
    pictures = [base64.b64encode(drawn.randbytes(PICTURE_BYTES + 3 * i)).decode() for i in range(64)]
    with path.open("w") as table:
        table.write("index\timage\tquestion\tA\tB\tC\tD\tanswer\tcategory\n")
        row = 0
        while table.tell() < num_bytes:
            table.write(f"{row}\t{pictures[row % 64]}\t\"What is in the picture, \"\"{row}\"\"?\"\ta cat\ta dog\ta fish\ta bird\tA\tanimals\n")
            row += 1


def write_answers(folder, count):
    """A table of questions with MMStar's columns and one of predictions, in the styles that models have."""
    drawn = random.Random(2)
    with (folder / "MMStar.tsv").open("w") as table, (folder / "predictions.tsv").open("w") as answers:
        table.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\tl2_category\n")
        answers.write("index\tprediction\n")
        for row in range(count):
            options = drawn.choice(OPTIONS)
            gold, said = drawn.randrange(4), drawn.randrange(4)
            style = drawn.choice(["{0}", "{0}. {1}", "({0})", "The answer is {0}.", "{1}", "I think that it is {1}, as far as one sees."])
            table.write(f"{row}\tWhat is shown in picture number {row}?\t" + "\t".join(options)
                        + f"\t{'ABCD'[gold]}\tcategory {row % 6}\tfiner {row % 18}\n")
            answers.write(f"{row}\t{style.format('ABCD'[said], options[said])}\n")


class Evaluation(Keys):
    def __init__(self, options):
        super().__init__(options, "evaluation", options.scratch)

    def tsv_to_pandas(self):
        path = self.folder / "pictures.tsv"
        write_pictures(path, int(self.options.gigabytes * 1e9))
        peaks = {"ours": [], "peer": []}

        def read(side, *command):
            found = json.loads(run(*command, path).splitlines()[-1])
            peaks[side].append(found["peak_mb"])
            return found["seconds"]

        read("ours", ROOT / "build/release/bench/evaluation_bench")  # the file is in memory from here on, as far as it has room
        peer, own = self.rounds(lambda: read("peer", self.options.peer_python, ROOT / "bench/peers/evaluation_peer.py"),
                                lambda: read("ours", ROOT / "build/release/bench/evaluation_bench"))
        path.unlink()
        print(f"{self.options.gigabytes} GB: ours {own:.2f} s, {max(peaks['ours']):.0f} MB; pandas {peer:.2f} s, {max(peaks['peer']):.0f} MB")
        return {"tsv_to_pandas": peer / own, "tsv_peak_mb": max(peaks["ours"])}

    def scoring_million_s(self):
        write_answers(self.folder, self.options.predictions)
        values = {}
        for profile in PROFILES:
            out = self.folder / profile
            values[f"scoring_million_s_{profile}"] = statistics.median(
                seconds_of(VLSI, "evaluate", "--benchmark", "mmstar", "--profile", profile, "--data", self.folder / "MMStar.tsv",
                           "--predictions", self.folder / "predictions.tsv", "--out", out) for _ in range(self.options.rounds))
            shutil.rmtree(out)
        return values | {"scoring_million_s": max(values.values())}

    def evaluate_old_to_new(self):
        if not self.options.old:
            return {}
        answers = {}

        def answer(side, program):
            out = self.folder / side
            shutil.rmtree(out, ignore_errors=True)  # answers that are there are not asked for again
            seconds = seconds_of(program, "evaluate", "--model", self.options.model, "--benchmark", "easy-vqa", "--data", self.options.data,
                                 *(["--images", self.options.images] if self.options.images else []), "--out", out)
            lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
            answers[side] = {line["id"]: line["answer"] for line in lines}
            return seconds

        old, new = self.rounds(lambda: answer("old", self.options.old), lambda: answer("new", VLSI))
        same = sum(answers["new"].get(key) == text for key, text in answers["old"].items())
        print(f"{len(answers['new'])} questions: old {old:.1f} s, new {new:.1f} s; {same} answers alike")
        return {"evaluate_old_to_new": old / new}


def add_options(parser):
    quickstart = ROOT / "runs/out/quickstart"
    parser.add_argument("--old", help="an older vlsi program")
    parser.add_argument("--model", default=quickstart / "seed-1/student/model")
    parser.add_argument("--data", default=quickstart / "data/test.json")
    parser.add_argument("--images", help="the data's pictures, where they are not beside the file")
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--scratch", help="a folder for the files [build]")


if __name__ == "__main__":
    main(Evaluation, __doc__, "tsv_to_pandas,scoring_million_s,evaluate_old_to_new", add_options)

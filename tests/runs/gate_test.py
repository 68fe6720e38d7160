"""The gate of the study's regimes. Needs the standard library only."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNS = Path(__file__).resolve().parents[2] / "runs"
sys.path.insert(0, str(RUNS / "study"))
import gate  # noqa: E402


class Gate(unittest.TestCase):
    def test_counts_falls_of_a_twentieth_of_a_nat(self):
        self.assertEqual(gate.falls([1.0, 0.95, 0.91, 0.80]), (2, 2))
        self.assertEqual(gate.falls([1.0, 1.2, 0.8, 0.8, 0.7]), (2, 3))
        self.assertEqual(gate.falls([2.0, 1.0]), (1, 1))

    def test_wants_both_conditions(self):
        deep, flat = [1.0, 0.8, 0.6, 0.6], [1.0, 0.8, 0.8, 0.8]
        self.assertTrue(gate.judge(deep, 80.0, 65.0)[0])
        self.assertFalse(gate.judge(deep, 80.0, 65.1)[0])
        self.assertFalse(gate.judge(flat, 80.0, 20.0)[0])
        self.assertFalse(gate.judge([1.0], 80.0, 20.0)[0], "one layer has no depth")

    def test_reads_the_last_iterations_of_step_1(self):
        records = [{"layer_loss_words": [float(i), 1.0]} for i in range(100)] + [{"loss": 1.0}]
        self.assertEqual(gate.layer_losses(records), [74.5, 1.0])  # the mean of 50 to 99
        with self.assertRaises(ValueError):
            gate.layer_losses([{"loss": 1.0}])

    def make_seed(self, seed, losses, teacher, student):
        """What the gate reads of a seed; without losses no verbalization is there."""
        for name, right in (("teacher-validation", teacher), ("student-validation", student)):
            (seed / name).mkdir(parents=True)
            (seed / name / "results.json").write_text(json.dumps({"accuracy": right}))
        if losses:
            (seed / "words").mkdir()
            lines = [{"step": "verbalize-student", "layer_loss_words": [0.0, 0.0, 0.0]},
                     {"step": "verbalize-teacher", "layer_loss_words": losses}]
            (seed / "words" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run_gate(self, losses, teacher, student, *arguments):
        """Exit status and what was printed, of a study's folder with seed 1, and with seed 4 half made."""
        with tempfile.TemporaryDirectory() as folder:
            self.make_seed(Path(folder) / "seed-1", losses, teacher, student)
            (Path(folder) / "seed-4").mkdir()
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = gate.main([folder, *arguments])
            return status, out.getvalue() + err.getvalue()

    def test_says_open_or_closed_by_its_status(self):
        status, text = self.run_gate([1.0, 0.8, 0.6], 0.8, 0.6, "--seeds", "1")
        self.assertEqual(status, 0, text)
        self.assertIn("seed-1: open", text)
        self.assertIn("1.000 0.800 0.600: 2 of 2 ways", text)
        self.assertIn("+20.0 points", text)
        status, text = self.run_gate([1.0, 0.8, 0.8], 0.8, 0.6, "--seeds", "1")
        self.assertEqual(status, 1)
        self.assertIn("seed-1: CLOSED", text)

    def test_says_what_is_missing(self):
        status, text = self.run_gate(None, 0.8, 0.6)
        self.assertEqual(status, 2)
        self.assertIn("words/metrics.jsonl", text)
        status, text = self.run_gate([1.0, 0.8], 0.8, 0.6, "--teacher", "other")
        self.assertEqual(status, 2)
        self.assertIn("other-validation", text)
        with tempfile.TemporaryDirectory() as folder:
            err = io.StringIO()
            with contextlib.redirect_stderr(err):
                self.assertEqual(gate.main([folder]), 2)
            self.assertIn("seed-N", err.getvalue())


class Script(unittest.TestCase):
    """study.sh with programs in place of its own that do nothing, but for the gate."""

    def run_script(self, *arguments, seeds, losses, vlsi=""):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for path in ("cmake/setup.sh", "bin/cmake", "build/release/vlsi"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text("#!/bin/sh\n" + (vlsi if path.endswith("vlsi") else ""))
                (folder / path).chmod(0o755)
            (folder / "runs/study").mkdir(parents=True)
            for script in ("make_tokenizer", "study/scenes", "study/models", "study/page", "study/collect"):
                (folder / f"runs/{script}.py").write_text("")
            for script in ("study.sh", "study/gate.py"):
                shutil.copy(RUNS / script, folder / "runs" / script)
            for seed in seeds:
                Gate().make_seed(folder / f"runs/out/study/quick/gate/seed-{seed}", losses, 0.8, 0.6)
            (folder / "runs/out/study/quick/gate/seed-9").mkdir(parents=True)
            return subprocess.run(["bash", folder / "runs/study.sh", *arguments], capture_output=True, text=True,
                                  env=os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"})

    def test_goes_on_where_the_gate_of_its_seeds_is_open_or_opened(self):
        done = self.run_script("--quick", seeds=(1, 2), losses=[1.0, 0.8, 0.6])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the page is", done.stderr + done.stdout)
        flat = [1.0, 1.0, 1.0]
        closed = self.run_script("--quick", seeds=(1, 2), losses=flat)
        self.assertEqual(closed.returncode, 1)
        self.assertIn("the gate is closed", closed.stderr)
        self.assertEqual(self.run_script("--quick", "--closed-gate", seeds=(1, 2), losses=flat).returncode, 0)

    def test_stops_where_the_gate_cannot_be_asked(self):
        for more in ((), ("--closed-gate",)):
            stopped = self.run_script("--quick", *more, seeds=(1,), losses=[1.0, 0.8, 0.6])
            self.assertEqual(stopped.returncode, 2, stopped.stderr)
            self.assertIn("seed-2", stopped.stderr)
            self.assertNotIn("closed", stopped.stderr)


    def test_stops_with_its_study(self):
        # (An interrupt from a terminal goes to both; the program ends with status 1.)
        stopped = self.run_script("--quick", seeds=(1, 2), losses=[1.0, 0.8, 0.6], vlsi="kill -INT $PPID; exit 1\n")
        self.assertEqual(stopped.returncode, 130, stopped.stderr)
        self.assertEqual(stopped.stderr.count("runs/study/"), 1, "no other file is begun")
        self.assertIn("the same command goes on", stopped.stderr)


if __name__ == "__main__":
    unittest.main()

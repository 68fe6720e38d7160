"""The gate of the study's regimes. Needs the standard library only."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runs" / "study"))
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

    def run_gate(self, losses, teacher, student, *arguments):
        """Exit status and what was printed, of a study's folder with one seed; without losses no verbalization is there."""
        with tempfile.TemporaryDirectory() as folder:
            seed = Path(folder) / "seed-1"
            for name, right in (("teacher-validation", teacher), ("student-validation", student)):
                (seed / name).mkdir(parents=True)
                (seed / name / "results.json").write_text(json.dumps({"accuracy": right}))
            if losses:
                (seed / "words").mkdir()
                lines = [{"step": "verbalize-student", "layer_loss_words": [0.0, 0.0, 0.0]},
                         {"step": "verbalize-teacher", "layer_loss_words": losses}]
                (seed / "words" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = gate.main([folder, *arguments])
            return status, out.getvalue() + err.getvalue()

    def test_says_open_or_closed_by_its_status(self):
        status, text = self.run_gate([1.0, 0.8, 0.6], 0.8, 0.6)
        self.assertEqual(status, 0, text)
        self.assertIn("seed-1: open", text)
        self.assertIn("1.000 0.800 0.600: 2 of 2 ways", text)
        self.assertIn("+20.0 points", text)
        status, text = self.run_gate([1.0, 0.8, 0.8], 0.8, 0.6)
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


if __name__ == "__main__":
    unittest.main()

"""The small file of a study's results. Needs the standard library only."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runs" / "study"))
import collect  # noqa: E402
import tables  # noqa: E402


class Collect(unittest.TestCase):
    def test_knows_the_least_difference_that_is_seen(self):
        # Four seeds: 3.182 + 0.978 standard errors.
        self.assertAlmostEqual(collect.least_seen(2.0, 4), 4.160)
        self.assertIsNone(collect.least_seen(2.0, 1))

    def test_keeps_a_row_a_variant(self):
        def number(mean, deviation=None, count=1):
            return {"mean": mean, "deviation": deviation, "count": count}

        base = {"variant": "base", "title": "Base", "score": number(50.004, 1, 4), "categories": {"hop": number(99.96)},
                "seconds": number(8.04), "peak_memory_bytes": number(3 * 2**20), "difference": None}
        other = base | {"variant": "other", "difference": number(1.234, 2.0, 4) | {"seeds_interval": [-1.949, 4.417],
                                                                                   "questions_interval": None}}
        table = {"evaluation": "validation", "baseline": "base", "categories": ["hop"], "rows": [base, other]}
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            (out / "tables").mkdir()
            (out / "tables" / "main.json").write_text(json.dumps([table]))
            (out / "gate.txt").write_text("seed-1: open\n")
            for stage, compiler in (("a", "Clang 19.1.7"), ("b", "Clang 19.1.7"), ("c", "GNU 12.2.0")):
                (out / "stages" / stage).mkdir(parents=True)
                program = {"compiler": compiler, "libtorch": "2.13.0", "vector_instructions": "AVX512"}
                (out / "stages" / stage / "stage.json").write_text(json.dumps({"processor": "CPU", "program": program}))
            self.assertEqual(collect.main(out, out / "results.json"), 0)
            found = json.loads((out / "results.json").read_text())
        self.assertEqual(found["programs"], ["Clang 19.1.7, LibTorch 2.13.0, CPU, AVX512", "GNU 12.2.0, LibTorch 2.13.0, CPU, AVX512"])
        self.assertEqual(found["gate"], ["seed-1: open"])
        (kept,) = found["files"]["main"]
        self.assertEqual(kept["baseline"], "base")
        self.assertEqual(kept["rows"][0], {"variant": "base", "title": "Base", "n": 4, "accuracy": 50.0, "deviation": 1,
                                           "kinds": {"hop": 100.0}, "seconds": 8.0, "mib": 3})
        self.assertEqual(kept["rows"][1]["difference"], 1.23)
        self.assertEqual(kept["rows"][1]["least_seen"], 4.16)
        self.assertEqual(kept["rows"][1]["seeds_interval"], [-1.95, 4.42])
        self.assertIsNone(kept["rows"][1]["questions_interval"])

    def test_prints_a_verdict_where_both_intervals_agree(self):
        row = {"title": "Other", "n": 6, "accuracy": 51.24, "deviation": 0.5, "kinds": {"chain": 99.6, "end-2": 20.0, "end-3": 9.0},
               "difference": -1.26, "seeds_interval": [-2.0, -0.5], "questions_interval": [-2.5, -0.1], "least_seen": 1.02, "seconds": 8.1,
               "mib": 300}
        self.assertEqual(tables.cells(row), ["Other", "6", "51.2 ± 0.5", "100", "20", "9", "-1.3", "-2.0 to -0.5", "-2.5 to -0.1", "-", "1.0",
                                             "8", "300"])
        self.assertEqual(tables.verdict(row | {"questions_interval": [-2.5, 0.1]}), "")
        self.assertEqual(tables.verdict(row | {"seeds_interval": [0.1, 2.0]}), "")
        self.assertEqual(tables.verdict(row | {"seeds_interval": [0.1, 2.0], "questions_interval": [0.2, 1.0]}), "+")

    def test_needs_tables(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(collect.main(Path(folder), Path(folder) / "results.json"), 2)
            self.assertIn("has no tables/", err.getvalue())


if __name__ == "__main__":
    unittest.main()

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
        # t at 95 % of 19 pairs or fewer, to the digits of a table of Student's t.
        self.assertAlmostEqual(collect.least_seen(1.0, 12), (2.201 + 0.876) / 12**0.5)
        for pairs in (1, 2, 99):
            self.assertIsNone(collect.least_seen(2.0, pairs))

    def test_keeps_a_row_a_variant(self):
        def number(mean, deviation=None, count=1):
            return {"mean": mean, "deviation": deviation, "count": count}

        base = {"variant": "base", "title": "Base", "score": number(50.004, 1, 4), "scores": {"1": 49.50049, "2": 50.5}, "categories": {"hop": number(99.96)},
                "seconds": number(8.04), "seconds_with_inputs": number(31.26), "peak_memory_bytes": number(3 * 2**20), "difference": None}
        other = base | {"variant": "other", "difference": number(1.234, 2.0, 4) | {"seeds_interval": [-1.949, 4.417],
                                                                                   "questions_interval": None}}
        comparison = {"variant": "other", "minus": "base", "title": "Other minus Base", "difference": other["difference"]}
        table = {"evaluation": "validation", "baseline": "base", "categories": ["hop"], "rows": [base, other], "comparisons": [comparison]}
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            (out / "tables").mkdir()
            (out / "tables" / "main.json").write_text(json.dumps([table]))
            (out / "gate.txt").write_text("seed-1: open\n")
            for stage, compiler in (("a", "Clang 19.1.7"), ("b", "Clang 19.1.7"), ("c", "GNU 12.2.0")):
                (out / "stages" / stage).mkdir(parents=True)
                program = {"compiler": compiler, "libtorch": "2.13.0", "vector_instructions": "AVX512"}
                (out / "stages" / stage / "stage.json").write_text(json.dumps({"processor": "CPU", "program": program}))
            self.assertEqual(collect.main([folder, str(out / "results.json")]), 0)
            found = json.loads((out / "results.json").read_text())
        self.assertEqual(found["programs"], ["Clang 19.1.7, LibTorch 2.13.0, CPU, AVX512", "GNU 12.2.0, LibTorch 2.13.0, CPU, AVX512"])
        self.assertEqual(found["gate"], ["seed-1: open"])
        (kept,) = found["files"]["main"]
        self.assertEqual(kept["baseline"], "base")
        self.assertEqual(kept["rows"][0], {"variant": "base", "title": "Base", "n": 4, "accuracy": 50.0, "deviation": 1,
                                           "scores": {"1": 49.5, "2": 50.5}, "kinds": {"hop": 100.0}, "seconds": 8.0,
                                           "seconds_with_inputs": 31.3, "mib": 3})
        self.assertEqual(kept["rows"][1]["difference"], 1.23)
        self.assertEqual(kept["rows"][1]["least_seen"], 4.16)
        self.assertEqual(kept["rows"][1]["seeds_interval"], [-1.95, 4.42])
        self.assertIsNone(kept["rows"][1]["questions_interval"])
        self.assertEqual(kept["comparisons"], [{"variant": "other", "minus": "base", "title": "Other minus Base", "pairs": 4, "difference": 1.23,
                                                "seeds_interval": [-1.95, 4.42], "questions_interval": None, "least_seen": 4.16}])

    def test_prints_a_verdict_where_both_intervals_agree(self):
        row = {"title": "Other", "n": 6, "accuracy": 51.24, "deviation": 0.5, "kinds": {"chain": 99.6, "end-2": 20.0, "end-3": 9.0},
               "difference": -1.26, "seeds_interval": [-2.0, -0.5], "questions_interval": [-2.5, -0.1], "least_seen": 1.02, "seconds": 8.1,
               "mib": 300}
        self.assertEqual(tables.cells(row), ["Other", "6", "51.2 ± 0.5", "100", "20", "9", "-1.3", "-2.0 to -0.5", "-2.5 to -0.1", "-", "1.0",
                                             "8", "300"])
        timed = tables.cells(row | {"seconds_with_inputs": 40.4, "title": "a|b"})
        self.assertEqual([timed[0], *timed[-3:]], ["a\\|b", "8", "40", "300"])
        self.assertEqual(tables.verdict(row | {"questions_interval": [-2.5, 0.1]}), "")
        self.assertEqual(tables.verdict(row | {"seeds_interval": [0.1, 2.0]}), "")
        self.assertEqual(tables.verdict(row | {"seeds_interval": [0.1, 2.0], "questions_interval": [0.2, 1.0]}), "+")

    def test_documents_have_the_tables_of_the_results(self):
        root = Path(__file__).resolve().parents[2]
        printed = set()
        for path in (root / "runs/study/results").glob("*.json"):
            for name, found in json.loads(path.read_text())["files"].items():
                printed |= {tables.markdown(name, table, len(found) > 1).strip() for table in found}
        document = (root / "docs/study.md").read_text()
        blocks = document[document.index("## All tables"):].split("\n`")[1:]
        self.assertGreater(len(blocks), 15)
        for block in blocks:
            table = "`" + block.split("\nRun ")[0].strip()
            self.assertIn(table, printed, f"{table[:40]} ... is none of the results")

    def test_needs_tables(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(collect.main([folder, f"{folder}/results.json"]), 2)
            self.assertIn("has no tables/", err.getvalue())


if __name__ == "__main__":
    unittest.main()

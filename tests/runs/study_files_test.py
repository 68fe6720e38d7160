"""Every file of runs/study, by the program itself: what would be run. Needs the standard library and the program, VLSI."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VLSI = os.environ["VLSI"]
sys.path.insert(0, str(ROOT / "runs" / "study"))
import page  # noqa: E402


def run(*command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


class StudyFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        (cls.folder / "runs").mkdir()
        (cls.folder / "runs" / "study").symlink_to(ROOT / "runs" / "study")
        out = "runs/out/study"
        for script, *arguments in (("study/scenes.py", f"{out}/data", "--scenes", "20"),
                                   ("make_tokenizer.py", f"{out}/data/validation.json", f"{out}/tokenizer", "--size", "384"),
                                   ("study/models.py", f"{out}/tokenizer", f"{out}/models")):
            made = run(sys.executable, ROOT / "runs" / script, *arguments, cwd=cls.folder)
            assert made.returncode == 0, made.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def plan(self, file, *arguments):
        return run(VLSI, "study", file, "--dry-run", *arguments, cwd=self.folder)

    def test_are_valid_and_have_two_teachers_for_six_seeds(self):
        knows_peers = "on_policy" in run(VLSI, "distill", "--help", cwd=self.folder).stdout
        files = sorted(path.relative_to(self.folder) for path in (self.folder / "runs/study").glob("*.yaml"))
        self.assertGreater(len(files), 15)
        for file in files:
            if file.stem == "peers" and not knows_peers:
                continue  # its keys are unknown to this program
            with self.subTest(file=file.name):
                plan = self.plan(file)
                self.assertEqual(plan.returncode, 0, plan.stderr)
                self.assertIn("with 6 seeds", plan.stdout)
                teachers = [line for line in plan.stdout.splitlines() if "  teacher, seed " in line]
                of_seed_1 = [line for line in teachers if "  teacher, seed 1" in line]
                self.assertEqual(len(teachers), 2 * len(of_seed_1), plan.stdout)
                self.assertEqual(plan.stdout.count("  vision, seed "), 2 if file.stem == "table-4a" else 1, plan.stdout)

    def test_share_their_stages(self):
        def folders(name):
            return {line.rsplit(": ", 1)[1] for line in self.plan(f"runs/study/{name}.yaml").stdout.splitlines()
                    if "/stages/" in line}

        main, searched = folders("main"), folders("search-c")
        common = {Path(folder).name.rsplit("-", 2)[0] for folder in main & searched}
        self.assertLessEqual({"vision", "teacher", "student", "words", "vlsi", "last"}, common)

    def test_are_all_named_by_the_script(self):
        script = (ROOT / "runs" / "study.sh").read_text()
        for path in (ROOT / "runs" / "study").glob("*.yaml"):
            self.assertRegex(script, rf"\b{path.stem}\b")

    def test_models_are_accepted(self):
        for model, tokenizer in (("teacher-18", "tokenizer"), ("student-32", "tokenizer"),
                                 ("qwen3-teacher", "models/qwen3-tokenizer"), ("qwen3-student", "models/qwen3-tokenizer")):
            made = run(VLSI, "init", "--config", f"runs/out/study/models/{model}.json", "--tokenizer",
                       f"runs/out/study/{tokenizer}", "--out", model, cwd=self.folder)
            self.assertEqual(made.returncode, 0, made.stderr)


class Page(unittest.TestCase):
    def test_has_every_table_the_gate_and_the_losses(self):
        number = {"mean": 50.0, "deviation": None, "count": 1}
        row = {"variant": "a", "title": "a <b>", "score": {"mean": 51.26, "deviation": 1.5, "count": 2}, "categories": {"hop": number},
               "seconds": {"mean": 90.0, "deviation": None, "count": 1}, "seconds_with_inputs": number, "peak_memory_bytes": {"mean": 2.0**20, "deviation": None, "count": 1},
               "difference": {"mean": 1.5, "deviation": 0.1, "count": 2, "seeds_interval": [1.0, 2.0], "questions_interval": None}}
        comparison = {"title": "a minus c", "difference": row["difference"]}
        table = {"evaluation": "validation", "baseline": "base", "categories": ["hop"], "rows": [row], "comparisons": [comparison]}
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            (out / "tables").mkdir()
            for name in ("search-a", "main"):
                (out / "tables" / f"{name}.json").write_text(json.dumps([table]))
            (out / "gate.txt").write_text("seed-1: open\n")
            (out / "gate" / "seed-1" / "words").mkdir(parents=True)
            lines = [{"step": "verbalize-teacher", "layer_loss_words": [100.0 - i, 1.0]} for i in range(100)]
            (out / "gate" / "seed-1" / "words" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            self.assertEqual(page.main(out), 0)
            text = (out / "study.html").read_text()
        self.assertIn("seed-1: open", text)
        self.assertLess(text.index("<h2>main"), text.index("<h2>search-a"))
        self.assertIn("<td>a &lt;b&gt;</td><td>51.3 ± 1.5</td><td>50.0</td><td>+1.50</td><td>+1.00 to +2.00</td><td>-</td><td>2</td>"
                      "<td>1.5</td><td>0.8</td><td>1</td><td>2</td>", text)
        self.assertIn("<td>a minus c</td><td>+1.50</td>", text)
        # At 10 %: of iterations 6 to 10, whose losses are 95 to 91.
        self.assertIn("<td>#1</td><td>93.000</td>", text)
        self.assertIn("<td>#2</td><td>1.000</td>", text)

    def test_needs_tables(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(page.main(Path(folder)), 2)
            self.assertIn("has no tables/", err.getvalue())


if __name__ == "__main__":
    unittest.main()

"""What the benches share that have a function a key: starting programs, sides that take turns, and the command line."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = ROOT / "run"  # a bundle's program
VLSI = Path(os.environ.get("VLSI", BUNDLE if BUNDLE.exists() else ROOT / "build/release/vlsi"))


def run(*command):
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


class Keys:
    """A function a key, each of which gives {key: value}, and a folder that goes at the end."""

    def __init__(self, options, name, scratch=None):
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix=f"vlsi-{name}-", dir=scratch or ROOT / "build"))

    def rounds(self, one, other):
        """Medians of two sides, which take turns; prints the range of their ratio."""
        pairs = [(one(), other()) for _ in range(self.options.rounds)]
        ratios = [a / b for a, b in pairs]
        print(f"first ÷ second side over {len(pairs)} rounds: {min(ratios):.3f} to {max(ratios):.3f}")
        return [statistics.median(column) for column in zip(*pairs)]


def main(bench_class, doc, keys, add_options=lambda parser: None):
    """Measures the keys that the command line names, `keys` by default; `add_options` gives the parser more options."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=keys)
    parser.add_argument("--json")
    add_options(parser)
    options = parser.parse_args()
    bench = bench_class(options)
    values = {}
    try:
        for name in options.only.split(","):
            values.update(getattr(bench, name)())
    finally:
        shutil.rmtree(bench.folder)
    for key, value in values.items():
        print(f"{key:32}{value:8.3f}")
    if options.json:
        Path(options.json).write_text(json.dumps(values, indent=2) + "\n")

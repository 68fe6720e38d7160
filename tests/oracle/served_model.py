"""Starts `vlsi serve` for the scripts that call it as clients do."""

import contextlib
import json
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def make_model(program, out):
    """A tiny model with random weights."""
    subprocess.run([program, "init", "--config", DATA / "tiny" / "student.json", "--tokenizer", DATA / "tiny" / "tokenizer", "--out", out,
                    "--seed", "1"], check=True, stderr=subprocess.DEVNULL)
    return out


@contextlib.contextmanager
def served(program, model, *arguments, log=None):
    """Yields (process, address) of a server, which is told to end afterwards and has to end well."""
    with open(log or "/dev/null", "w") as messages:
        process = subprocess.Popen([program, "serve", "--model", model, "--port", "0", *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=messages, text=True)
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "the server did not start"
        try:
            yield process, address.rstrip("/")
        finally:
            if process.poll() is None:
                process.terminate()
            assert process.wait(60) == 0, "the server did not end well"


def generate(program, model, *arguments):
    """What `vlsi generate --json` prints."""
    return json.loads(subprocess.run([program, "generate", "--model", model, "--json", *map(str, arguments)], check=True, capture_output=True,
                                     text=True).stdout)

#!/usr/bin/env python3
"""Kills `vlsi evaluate` at random moments until it is through, and compares its files with those of a run that nothing disturbed.

    python3 tests/oracle/kill_evaluation.py --kills 20 --out /tmp/killed -- --model DIR --benchmark easy-vqa --data test.json --images DIR

Everything behind `--` goes to the program; more ranks by --ranks. The moments are drawn from the time that the undisturbed run takes; when
a run gets through before all kills are spent, its files are compared and it begins anew. Prints one line of JSON; exit status 1 where a file differs.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(options, out):
    """One process a rank, in a group of their own."""
    command = [str(options.program), "evaluate", *options.arguments, "--out", str(out)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(options.ranks):
        env = dict(os.environ)
        if options.ranks > 1:
            env |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(options.ranks), "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port)}
        processes.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    return processes


def finish(processes):
    errors = [process.communicate()[1].decode() for process in processes]
    statuses = [process.returncode for process in processes]
    if any(status not in (0, -signal.SIGKILL, 1) for status in statuses):
        sys.exit(f"statuses {statuses}: {errors}")
    return all(status == 0 for status in statuses)


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/vlsi")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)

    begin = time.monotonic()
    if not finish(start(options, options.out / "whole")):
        sys.exit("the undisturbed run failed")
    seconds = time.monotonic() - begin
    wanted = files_in(options.out / "whole")

    draw = random.Random(options.seed)
    killed, ended, differing = options.out / "killed", 0, set()

    def compare():
        found = files_in(killed)
        differing.update(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        shutil.rmtree(killed)

    kills = 0
    while kills < options.kills:
        processes = start(options, killed)
        time.sleep(draw.random() * seconds)
        for process in processes:
            process.kill()
        if finish(processes):
            ended += 1
            compare()
        else:
            kills += 1
    if not finish(start(options, killed)):
        sys.exit("the last run failed")
    compare()
    print(json.dumps({"kills": kills, "compared": ended + 1, "files": len(wanted), "seconds_undisturbed": round(seconds, 2),
                      "differing": sorted(differing)}))
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()

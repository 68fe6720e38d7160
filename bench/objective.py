#!/usr/bin/env python3
"""The verbal objective against its peers: times, accuracy, memory. `bench/run.sh objective` builds all and calls it.

    objective.py [--rounds 3] [--json FILE] [--build build/release] [--peer-python PYTHON] [--vocab-size 151936]

Every round runs our program, in random order of its parts, and then the peers; a number is the median of its rounds,
and a ratio one of two medians. A smaller vocabulary is for a quick look: the targets are meant for 151,936 rows. --json
writes {key: value}; a value that could not be measured here is null.
"""

import argparse
import collections
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONG_ROUNDS = 2  # of what takes most of a minute
MEMORY_POSITIONS = 1024
MATERIALISED_BYTES = 18 * 2**30  # that the peer takes there, heads included

# Key, target or None where it is information, meaning. at::mm multiplies 512 x 1536 x 8192 in bf16, in the same run.
ROWS = [
    ("head_pass_to_mm", (">=", 0.85), "head pass ÷ at::mm, GFLOP/s, the worst of three widths"),
    ("materialised_to_ours_8", (">=", 2.0), "all logits in bf16 ÷ ours, 8 x 8 layers"),
    ("materialised_to_ours_21", (">=", 2.8), "all logits in bf16 ÷ ours, 8 x 21 layers"),
    ("chunked_to_ours", (">=", 8.0), "checkpointed chunks with fp32 heads ÷ ours, 8 x 8"),
    ("memory_to_materialised", ("<=", 0.025), "additional memory, ours ÷ all logits in bf16, N = 1,024"),
    ("gradient_error_to_materialised", ("<=", 0.1), "error of the gradient, ours ÷ all logits in bf16"),
    ("kl_error", ("<=", 1e-3), "worst error of a pair's KL, a mean over 16 positions, nats"),
    ("cached_step_to_ce_step", ("<=", 1.1), "step with a cached teacher ÷ cross entropy of as many heads"),
    ("cached_loss_difference", ("<=", 2e-3), "KL with the cached teacher - with the live one, nats"),
    ("growth_vocabulary", ("~", 1.0), "slope of the counted work against the vocabulary"),
    ("growth_positions", ("~", 1.0), "against the positions"),
    ("growth_layers", ("~", 1.0), "against the layers of both models"),
    ("pairs_overhead", ("<=", 0.02), "8 x 21 pairs beyond 8 x 1, as a share of a step"),
    ("head_pass_to_mm_1536", None, "head pass of the student's width ÷ at::mm"),
    ("head_pass_to_mm_3584", None, "of a teacher's"),
    ("head_pass_to_mm_8192", None, "of a wide teacher's"),
    ("tile_products_avx512_to_mm", None, "both products of a tile alone, by AVX512-BF16 ÷ at::mm"),
    ("tile_products_mkl_to_mm", None, "by MKL"),
    ("materialised_float32_to_ours_8", None, "all logits in fp32 ÷ ours, 8 x 8"),
    ("materialised_to_ours_1024", None, "all logits in bf16 ÷ ours, 8 x 8, N = 1,024, once"),
    ("chunked_bfloat16_to_ours", None, "checkpointed chunks with bf16 products ÷ ours, 8 x 8"),
    ("trl_to_ours", None, "TRL's own function ÷ ours, 8 x 8"),
    ("cut_cross_entropy_to_ours", None, "cross entropy of 8 layers: cut-cross-entropy, compiled ÷ ours"),
    ("materialised_kl_error", None, "the same with all logits in bf16"),
    ("kl_error_of_a_position", None, "worst error at one position, nats"),
    ("materialised_kl_error_of_a_position", None, "the same with all logits in bf16"),
    ("gradient_error", None, "error of our gradient, relative"),
    ("time_growth_vocabulary", None, "slope of the time against the vocabulary"),
    ("time_growth_positions", None, "against the positions"),
    ("time_growth_layers", None, "against the layers"),
]
SLOPE = 0.05  # how far from its target a slope may be
AMX_HEAD_PASS = 0.90  # the first row's target where there is AMX

# All timed programs keep the memory that they free: without it, the peers spend their time on new pages.
KEEP_MEMORY = {"GLIBC_TUNABLES": f"glibc.malloc.mmap_threshold={2**36}:glibc.malloc.trim_threshold={2**36}"}


def run(command, environment={}):
    """The JSON that a command prints."""
    command = [str(part) for part in command]
    environment = {**os.environ, **environment}
    return json.loads(subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def has_processor(flag):
    return flag in Path("/proc/cpuinfo").read_text().split()


def available_bytes():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def slope(points):
    x, y = ([math.log(value) for value in column] for column in zip(*points))
    return statistics.linear_regression(x, y).slope


class Times:
    """Seconds, and rates where the benchmark has one, by name; a list over the rounds each."""

    def __init__(self):
        self.seconds, self.rates = collections.defaultdict(list), collections.defaultdict(list)

    def add(self, name, seconds):
        self.seconds[name].append(seconds)
        print(f"  {name:40}{seconds:9.3f} s", flush=True)

    def run_ours(self, options, pattern):
        arguments = [f"--vocab_size={options.vocab_size}", f"--benchmark_filter={pattern}", "--benchmark_format=json"]
        arguments.append("--benchmark_enable_random_interleaving=true")
        found = run([options.build / "bench/objective_bench", *arguments], KEEP_MEMORY)
        for entry in found["benchmarks"]:
            if entry.get("error_occurred"):
                continue
            name = entry["name"].removesuffix("/real_time")
            self.add(name, entry["real_time"] / 1e3)  # the benchmarks are in milliseconds
            if "GFLOP/s" in entry:
                self.rates[name].append(entry["GFLOP/s"])

    def run_peers(self, options, names):
        """One process a peer; one that does not run here is reported and has no value."""
        program = [options.peer_python, "bench/peers/objective_peer.py", "--vocab-size", options.vocab_size]
        for name in names:
            try:
                self.add(name, run([*program, name], KEEP_MEMORY)[name])
            except subprocess.CalledProcessError as error:
                print(f"{name} does not run here (status {error.returncode}, message above)", file=sys.stderr)

    def time(self, name):
        return statistics.median(self.seconds[name]) if self.seconds[name] else None

    def ratio(self, name, other):
        return self.time(name) / self.time(other) if self.seconds[name] else None

    def rate_to_mm(self, name):
        return statistics.median(self.rates[name]) / statistics.median(self.rates["mm"]) if self.rates[name] else None

    def growth(self, what):
        return slope([(part, self.time(f"growth/{what}/{part}")) for part in (1, 2, 4)])


def measure_times(options):
    times = Times()
    short = "^(mm|head_pass/.*|tile_products/.*|cross_entropy|pairs/.*|step/8x8/256/(ours|materialised_bf.*))/real_time"
    for index in range(options.rounds):
        parts, peers = [short], ["cut_cross_entropy"]
        if index < LONG_ROUNDS:
            parts.append("^step/8x21/")
            peers.append("chunked")
        if index == 0:
            parts += ["^growth/", "^step/8x8/256/materialised_float32"]
            peers += ["chunked_bfloat16", "trl"]
        print(f"round {index + 1} of {options.rounds}", flush=True)
        times.run_ours(options, "|".join(f"({part})" for part in parts))
        times.run_peers(options, peers)
    return times


def measure_memory(options):
    """Additional bytes and seconds of both ways, each in a process of its own; None where memory is short."""
    if available_bytes() < MATERIALISED_BYTES * options.vocab_size / 151936:
        print("too little memory is free for all logits at once", file=sys.stderr)
        return None
    program = [options.build / "bench/objective_accuracy", "memory"]
    return {way: run([*program, way, MEMORY_POSITIONS, options.vocab_size]) for way in ("ours", "materialised")}


def measure(options):
    """{key of ROWS: value or None}"""
    print("accuracy", flush=True)
    accuracy = run([options.build / "bench/objective_accuracy", "kl", options.vocab_size])
    growth = run([options.build / "bench/objective_accuracy", "growth"])
    print("memory", flush=True)
    memory = measure_memory(options)
    times = measure_times(options)
    print("cached teacher", flush=True)
    cached = run([options.build / "bench/cached_teacher_bench"], KEEP_MEMORY)

    ours, ours_21 = "step/8x8/256/ours", "step/8x21/256/ours"
    passes = {width: times.rate_to_mm(f"head_pass/{width}") for width in (1536, 3584, 8192)}
    sizes = ("vocabulary", "positions", "layers")

    def worst(key):
        return max(of_width[key] for of_width in accuracy)

    def materialised_to_ours(key):
        return memory["materialised"][key] / memory["ours"][key] if memory else None

    saved_memory = materialised_to_ours("additional_bytes")
    return {
        "head_pass_to_mm": min(passes.values()),
        "materialised_to_ours_8": times.ratio("step/8x8/256/materialised_bfloat16", ours),
        "materialised_to_ours_21": times.ratio("step/8x21/256/materialised_bfloat16", ours_21),
        "chunked_to_ours": times.ratio("chunked", ours),
        "memory_to_materialised": 1 / saved_memory if saved_memory else None,
        "gradient_error_to_materialised": max(x["gradient_error"] / x["materialised_gradient_error"] for x in accuracy),
        "kl_error": worst("kl_error_of_the_mean"),
        "cached_step_to_ce_step": cached["cached_step_to_ce_step"],
        "cached_loss_difference": cached["cached_loss_difference"],
        **{f"growth_{size}": growth.get(size) for size in sizes},
        "pairs_overhead": (times.time("pairs/21") - times.time("pairs/1")) / times.time(ours_21),
        **{f"head_pass_to_mm_{width}": rate for width, rate in passes.items()},
        **{f"tile_products_{name}_to_mm": times.rate_to_mm(f"tile_products/{name}") for name in ("avx512", "mkl")},
        "materialised_float32_to_ours_8": times.ratio("step/8x8/256/materialised_float32", ours),
        "materialised_to_ours_1024": materialised_to_ours("seconds"),
        "chunked_bfloat16_to_ours": times.ratio("chunked_bfloat16", ours),
        "trl_to_ours": times.ratio("trl", ours),
        "cut_cross_entropy_to_ours": times.ratio("cut_cross_entropy", "cross_entropy"),
        "materialised_kl_error": worst("materialised_kl_error_of_the_mean"),
        "kl_error_of_a_position": worst("kl_error_of_a_position"),
        "materialised_kl_error_of_a_position": worst("materialised_kl_error_of_a_position"),
        "gradient_error": worst("gradient_error"),
        **{f"time_growth_{size}": times.growth(size) for size in sizes},
    }


def is_met(value, target):
    comparison, bound = target
    return {">=": value >= bound, "<=": value <= bound, "~": abs(value - bound) <= SLOPE}[comparison]


def print_table(values):
    print(f"\n{'':32}{'measured':>12}  {'target':11}")
    for key, target, text in ROWS:
        value = values[key]
        if key == "head_pass_to_mm" and has_processor("amx_bf16"):
            target = (">=", AMX_HEAD_PASS)
        shown = "not measured" if value is None else f"{value:.1e}" if abs(value) < 0.01 else f"{value:.3f}"
        bound = "" if target is None else f"1 ± {SLOPE}" if target[0] == "~" else f"{target[0]} {target[1]:g}"
        verdict = "missed" if target and value is not None and not is_met(value, target) else ""
        print(f"{key:32}{shown:>12}  {bound:11}{verdict:8}{text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".deps/bench-python/bin/python")
    parser.add_argument("--vocab-size", type=int, default=151936)
    options = parser.parse_args()
    values = measure(options)
    print_table(values)
    if options.json:
        options.json.write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()

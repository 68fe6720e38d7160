#!/usr/bin/env python3
"""The verbal objective against its peers: times, accuracy, memory. `bench/run.sh objective` builds all and calls it.

    objective.py [--rounds 1] [--json FILE] [--build build/release] [--peer-python PYTHON] [--vocab-size 151936]
                 [--only PART,...]

The parts are accuracy, memory, times (of what runs in LibTorch), peers (those in Python), cached, and readings, which adds to times and
peers what has no target: other ways to have all logits, and to sum in chunks; slopes of the time. Without --only, all but readings. It says
first how long it takes here. Every round runs our program, in random order of its parts, and then the peers; a number is the median of its rounds,
and a ratio one of two medians. A smaller vocabulary is for a quick look: the targets are meant for 151,936 rows. --json
writes {key: value}; a value that was not measured, or cannot be here, is null.
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
POSITIONS, STUDENT_LAYERS, STUDENT_WIDTH = 256, 8, 1536  # of the steps
MEMORY_POSITIONS = 1024
PARTS = ("accuracy", "memory", "times", "peers", "cached", "readings")
# Minutes of each part, those of times and peers a round, where at::mm multiplies at that rate (GFLOP/s).
MINUTES, MINUTES_RATE = {"accuracy": 0.5, "memory": 1.5, "times": 3, "peers": 2, "cached": 1, "readings": 6}, 790
MATERIALISED_BYTES = 18 * 2**30  # that the peer takes there, heads included

# Key, target or None where it is information, meaning. at::mm multiplies 512 x 1536 x 8192 in bf16, in the same run.
ROWS = [
    ("head_pass_to_mm", (">=", 0.85), "head pass ÷ at::mm, GFLOP/s, the worst of three widths"),
    ("materialised_to_ours_8", (">=", 2.0), "all logits in bf16, pair by pair, as a program runs by default ÷ ours, 8 x 8"),
    ("materialised_to_ours_21", (">=", 2.8), "the same, 8 x 21 layers"),
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
    *[
        row
        for layers in (8, 21)
        for row in [
            (f"materialised_kept_to_ours_{layers}", None, f"pair by pair, freed memory kept ÷ ours, 8 x {layers}"),
            (f"materialised_shared_to_ours_{layers}", None, "log-probabilities made once a layer, by default ÷ ours"),
            (f"materialised_shared_kept_to_ours_{layers}", None, "both kindnesses ÷ ours"),
            (f"materialised_to_limit_{layers}", None, "pair by pair, by default ÷ our products alone, at the rate of at::mm"),
            (f"ours_default_to_ours_{layers}", None, "ours without keeping freed memory ÷ ours"),
        ]
    ],
    ("materialised_float32_to_ours_8", None, "all logits in fp32, pair by pair, by default ÷ ours, 8 x 8"),
    ("materialised_to_ours_1024", None, "all logits in bf16, log-probabilities once ÷ ours, 8 x 8, N = 1,024, once"),
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

# What our program does by itself: freed memory is kept for the next tensor. Without it, large tensors live on new pages. The other
# ways get it too, but for the one with all logits, which is timed with and without.
KEEP_MEMORY = {"GLIBC_TUNABLES": f"glibc.malloc.mmap_threshold={2**36}:glibc.malloc.trim_threshold={2**36}"}
DEFAULT_MEMORY = {"GLIBC_TUNABLES": ""}
DEFAULT = "default/"  # before the names of what runs with it


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

    def __init__(self, vocab_size):
        self.vocab_size = vocab_size
        self.seconds, self.rates = collections.defaultdict(list), collections.defaultdict(list)

    def add(self, name, seconds):
        self.seconds[name].append(seconds)
        print(f"  {name:48}{seconds:9.3f} s", flush=True)

    def run_ours(self, options, pattern, environment=KEEP_MEMORY, prefix=""):
        arguments = [f"--vocab_size={options.vocab_size}", f"--benchmark_filter={pattern}", "--benchmark_format=json"]
        arguments.append("--benchmark_enable_random_interleaving=true")
        if environment == KEEP_MEMORY:  # an iteration before those that count, which takes the memory
            arguments.append("--benchmark_min_warmup_time=0.001")
        found = run([options.build / "bench/objective_bench", *arguments], environment)
        for entry in found["benchmarks"]:
            if entry.get("error_occurred"):
                continue
            name = prefix + entry["name"].removesuffix("/real_time")
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
        return self.time(name) / self.time(other) if self.seconds[name] and self.seconds[other] else None

    def rate_to_mm(self, name):
        return statistics.median(self.rates[name]) / statistics.median(self.rates["mm"]) if self.rates[name] else None

    def limit(self, teacher_layers, teacher_width):
        """Seconds of a step's products alone at the rate of at::mm; None where that was not measured."""
        if not self.rates["mm"]:
            return None
        multiply_adds = STUDENT_LAYERS * 2 * STUDENT_WIDTH + teacher_layers * (teacher_width + STUDENT_WIDTH)
        return 2e-9 * POSITIONS * self.vocab_size * multiply_adds / statistics.median(self.rates["mm"])

    def growth(self, what):
        points = [(part, self.time(f"growth/{what}/{part}")) for part in (1, 2, 4)]
        return slope(points) if points[0][1] else None


def say_how_long(options):
    found = run([options.build / "bench/objective_bench", "--benchmark_filter=^mm/real_time", "--benchmark_format=json"])
    rate = found["benchmarks"][0]["GFLOP/s"]
    minutes = sum(MINUTES[part] * (options.rounds if part in ("times", "peers") else 1) for part in options.only)
    minutes *= options.vocab_size / 151936 * MINUTES_RATE / rate
    print(f"takes about {math.ceil(minutes)} minutes here, where at::mm multiplies at {rate / 1e3:.2f} TFLOP/s", flush=True)


def measure_times(options):
    times = Times(options.vocab_size)
    readings = "readings" in options.only
    ours = "^(cross_entropy|step/8x8/256/ours)/real_time"  # what the peers are divided by
    ways_kept, ways_by_default = ("ours|materialised|materialised_shared",) * 2 if readings else ("ours", "materialised")
    short = f"^(mm|head_pass/.*|cross_entropy|pairs/.*{'|tile_products/.*' if readings else ''})/real_time"
    for index in range(options.rounds):
        sizes = ["8x8/256", "8x21/256"] if index < LONG_ROUNDS else ["8x8/256"]
        kept, by_default = ([f"^step/{size}/({ways})/real_time" for size in sizes] for ways in (ways_kept, ways_by_default))
        kept.append(short)
        peers = ["chunked"] if index < LONG_ROUNDS else []
        if readings:
            peers.append("cut_cross_entropy")
        if readings and index == 0:
            kept.append("^growth/")
            by_default.append("^step/8x8/256/materialised_float32")
            peers += ["chunked_bfloat16", "trl"]
        print(f"round {index + 1} of {options.rounds}", flush=True)
        if "times" in options.only:
            times.run_ours(options, "|".join(f"({part})" for part in kept))
            times.run_ours(options, "|".join(f"({part})" for part in by_default), DEFAULT_MEMORY, DEFAULT)
        elif "peers" in options.only:
            times.run_ours(options, ours)
        if "peers" in options.only:
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
    accuracy, growth, memory, cached = [], {}, None, {}
    if "accuracy" in options.only:
        print("accuracy", flush=True)
        accuracy = run([options.build / "bench/objective_accuracy", "kl", options.vocab_size])
        growth = run([options.build / "bench/objective_accuracy", "growth"])
    if "memory" in options.only:
        print("memory", flush=True)
        memory = measure_memory(options)
    times = measure_times(options)
    if "cached" in options.only:
        print("cached teacher", flush=True)
        cached = run([options.build / "bench/cached_teacher_bench"], KEEP_MEMORY)

    ours, ours_21 = "step/8x8/256/ours", "step/8x21/256/ours"

    def ways(teacher_layers, teacher_width):
        """All logits in bf16 against ours: {key: ratio}"""
        step = f"step/8x{teacher_layers}/256/"
        materialised, shared = step + "materialised", step + "materialised_shared"
        default, limit = times.time(DEFAULT + materialised), times.limit(teacher_layers, teacher_width)
        return {
            f"materialised_to_ours_{teacher_layers}": times.ratio(DEFAULT + materialised, step + "ours"),
            f"materialised_kept_to_ours_{teacher_layers}": times.ratio(materialised, step + "ours"),
            f"materialised_shared_to_ours_{teacher_layers}": times.ratio(DEFAULT + shared, step + "ours"),
            f"materialised_shared_kept_to_ours_{teacher_layers}": times.ratio(shared, step + "ours"),
            f"materialised_to_limit_{teacher_layers}": default / limit if default and limit else None,
            f"ours_default_to_ours_{teacher_layers}": times.ratio(DEFAULT + step + "ours", step + "ours"),
        }

    passes = {width: times.rate_to_mm(f"head_pass/{width}") for width in (1536, 3584, 8192)}
    sizes = ("vocabulary", "positions", "layers")

    def worst(key):
        return max((of_width[key] for of_width in accuracy), default=None)

    def gradient_ratio():
        return max((x["gradient_error"] / x["materialised_gradient_error"] for x in accuracy), default=None)

    def pairs_overhead():
        many, one, whole = (times.time(name) for name in ("pairs/21", "pairs/1", ours_21))
        return (many - one) / whole if many and one and whole else None

    def materialised_to_ours(key):
        return memory["materialised"][key] / memory["ours"][key] if memory else None

    saved_memory = materialised_to_ours("additional_bytes")
    return {
        "head_pass_to_mm": min((rate for rate in passes.values() if rate), default=None),
        **ways(8, 3584),
        **ways(21, 8192),
        "chunked_to_ours": times.ratio("chunked", ours),
        "memory_to_materialised": 1 / saved_memory if saved_memory else None,
        "gradient_error_to_materialised": gradient_ratio(),
        "kl_error": worst("kl_error_of_the_mean"),
        "cached_step_to_ce_step": cached.get("cached_step_to_ce_step"),
        "cached_loss_difference": cached.get("cached_loss_difference"),
        **{f"growth_{size}": growth.get(size) for size in sizes},
        "pairs_overhead": pairs_overhead(),
        **{f"head_pass_to_mm_{width}": rate for width, rate in passes.items()},
        **{f"tile_products_{name}_to_mm": times.rate_to_mm(f"tile_products/{name}") for name in ("avx512", "mkl")},
        "materialised_float32_to_ours_8": times.ratio(DEFAULT + "step/8x8/256/materialised_float32", ours),
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
    print(f"\n{'':36}{'measured':>12}  {'target':11}")
    for key, target, text in ROWS:
        value = values[key]
        if key == "head_pass_to_mm" and has_processor("amx_bf16"):
            target = (">=", AMX_HEAD_PASS)
        shown = "not measured" if value is None else f"{value:.1e}" if abs(value) < 0.01 else f"{value:.3f}"
        bound = "" if target is None else f"1 ± {SLOPE}" if target[0] == "~" else f"{target[0]} {target[1]:g}"
        verdict = "missed" if target and value is not None and not is_met(value, target) else ""
        print(f"{key:36}{shown:>12}  {bound:11}{verdict:8}{text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".deps/bench-python/bin/python")
    parser.add_argument("--vocab-size", type=int, default=151936)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[part for part in PARTS if part != "readings"], metavar="PART,...")
    options = parser.parse_args()
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"--only: found {', '.join(sorted(unknown))}, expected some of {', '.join(PARTS)}")
    say_how_long(options)
    values = measure(options)
    print_table(values)
    if options.json:
        options.json.write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    main()

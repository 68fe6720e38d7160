#!/usr/bin/env python3
"""What the exchanges of 8 and 64 GPUs would cost the paper's pairs, from sizes and stated speeds; no GPU is measured here.

    bench/ranks_simulation.py [--gpu a100|h100] [--utilisation 0.4] [--unevenness 0]
    bench/ranks_simulation.py --measure [--rates 0.5,1] [--rounds 1]

The first prints a table of Markdown: the computing of an iteration of step 2 on a GPU, and the share of it that is left of an iteration's
time among the ranks. The second, as root on Linux with iproute2 and a finished build, where
bench/run.sh true-size has fetched easy-VQA, trains on two ranks of one thread in two network namespaces, the link
between them held to each rate (Gbit/s), and compares the iterations with the same model of the exchanges.

The model. A rank computes A micro-batches an iteration, by the multiplications of the weights alone: no attention scores, no vision tower,
no optimizer. Gradients are float32, summed in exchanges of 4 million values as the last backward pass completes them, from the last layer
to the first; the new values, of the run's dtype, are gathered when all gradients are there. A teacher of 72B is sharded: each layer is
gathered once an iteration, while the A micro-batches go through the one before. Exchanges follow one another on a link: each takes the
latency of a ring's steps and its bytes at the ring's bandwidth. Three small exchanges an iteration go by Gloo from rank to rank. Micro-batches
that take unequal times let the ranks wait for the slowest: --unevenness is their standard deviation as a share of their mean.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2**22  # values of an exchange (src/ranks/slices.h)
LORA_RANK = 64
ANSWERS = 0.1  # of the tokens, those at answer positions
SMALL_EXCHANGES = 3  # an iteration: the vote, the metrics, which parameters were reached
SMALL_STEP = 100e-6  # seconds of a small exchange a step of its ring
# Dense bfloat16 FLOP/s; bytes a second of a ring within a host; seconds a step of the ring, and those that an exchange begins with.
GPUS = {"a100": (312e12, 230e9), "h100": (989e12, 360e9)}
START, STEP_WITHIN, STEP_BETWEEN = 8.4e-6, 3.4e-6, 14e-6
# Bytes a second between hosts of eight GPUs, of all their cards together, at nine tenths of the line: eight cards of 200 Gbit/s; one of 100.
INFINIBAND, ETHERNET = 0.9 * 8 * 25e9, 0.9 * 12.5e9
PAIRS = [
    ("Qwen2-VL 2B from 7B", "qwen2vl", "2b", "7b"), ("Qwen2-VL 2B from 72B", "qwen2vl", "2b", "72b"),
    ("Qwen2-VL 7B from 72B", "qwen2vl", "7b", "72b"), ("LLaVA-OV 0.5B from 7B", "llava-ov", "0.5b", "7b"),
    ("LLaVA-OV 0.5B from 72B", "llava-ov", "0.5b", "72b"), ("LLaVA-OV 7B from 72B", "llava-ov", "7b", "72b")]


class Model:
    def __init__(self, family, size):
        config = json.loads((ROOT / f"runs/{family}/model-{size}.json").read_text())
        text = config.get("text_config", config)
        self.width, self.layers, self.vocabulary = text["hidden_size"], text["num_hidden_layers"], text["vocab_size"]
        head = text.get("head_dim") or self.width // text["num_attention_heads"]
        queries, keys, ffn = text["num_attention_heads"] * head, text["num_key_value_heads"] * head, text["intermediate_size"]
        maps = [(self.width, queries), (self.width, keys), (self.width, keys), (queries, self.width),
                (self.width, ffn), (self.width, ffn), (ffn, self.width)]
        self.layer = sum(a * b for a, b in maps)
        self.adapters = sum(LORA_RANK * (a + b) for a, b in maps)


def recipe(family, student, teacher):
    """The numbers of target layers and the tokens of a micro-batch."""
    lines = dict(line.split(": ", 1) for line in (ROOT / f"runs/{family}/{student}-from-{teacher}.yaml").read_text().splitlines()
                 if ": " in line and not line.startswith("#"))
    targets = [lines[who].split("[")[1].split("]")[0].count(",") + 1 for who in ("teacher", "student")]
    return *targets, int(lines["data"].split("batch_tokens: ")[1].split(",")[0])


class Ring:
    """Exchanges among ranks: seconds for so many bytes, of which each rank has or gets an equal share."""

    def __init__(self, ranks, bandwidth, step=0.0, between=0.0, hosts=1, start=0.0):
        self.ranks, self.bandwidth = ranks, bandwidth
        self.latency = start + (ranks - hosts) * step + (hosts - 1) * between

    def seconds(self, size):
        return self.latency + size * (self.ranks - 1) / self.ranks / self.bandwidth


def exchanges_end(ring, values, value_bytes, begin, window):
    """The end of exchanges of `values`, complete evenly between `begin` and begin + window: each after its values and the one before."""
    end, sent = begin, 0
    while sent < values:
        size = min(AT_ONCE, values - sent)
        sent += size
        end = max(end, begin + window * sent / values) + ring.seconds(size * value_bytes)
    return end


def exposed(ring, values, window):
    """Seconds that an iteration waits for its gradients and new values, `window` being the last backward pass."""
    return exchanges_end(ring, values, 4, 0.0, window) - window + exchanges_end(ring, values, 2, 0.0, 0.0)


def slowest(ranks):
    """The expected largest of so many normal values, in standard deviations."""
    normal = statistics.NormalDist()
    step = 0.001
    grid = [i * step for i in range(-5000, 8000)]
    return sum(step * (1 - normal.cdf(x) ** ranks if x > 0 else -normal.cdf(x) ** ranks) for x in grid)


class Pair:
    def __init__(self, family, student, teacher, options):
        self.student, self.teacher = Model(family, student), Model(family, teacher)
        teacher_targets, student_targets, self.tokens = recipe(family, student, teacher)
        rate = GPUS[options.gpu][0] * options.utilisation
        answers = ANSWERS * self.tokens
        s, t = self.student, self.teacher
        # Rows expected by the teacher's heads and those of the student, which is asked again for its gradient.
        teacher_heads = answers * (teacher_targets + 1) * 2 * t.vocabulary * (t.width + s.width) + answers * teacher_targets * 6 * t.width**2
        student_heads = answers * (student_targets + 1) * 4 * s.vocabulary * s.width
        self.teacher_layer = 2 * t.layer * self.tokens / rate
        self.seconds, self.window = {}, {}
        for learns, weights in (("adapters", s.adapters), ("decoder", s.layer)):
            backward = s.layers * self.tokens * (2 * s.layer + 4 * weights + 2 * s.layer) / rate  # with its second forward pass
            forward = s.layers * self.tokens * 2 * s.layer / rate
            self.seconds[learns] = t.layers * self.teacher_layer + (teacher_heads + student_heads) / rate + forward + backward
            self.window[learns] = backward
        self.values = {"adapters": s.layers * s.adapters, "decoder": s.layers * s.layer}
        self.is_sharded = teacher == "72b"
        self.unevenness = options.unevenness

    def iteration(self, learns, ring, num_micro_batches):
        """Seconds: computing alone, and with all that the ranks wait for."""
        compute = num_micro_batches * self.seconds[learns]
        waits = exposed(ring, self.values[learns], self.window[learns]) + SMALL_EXCHANGES * (ring.ranks - 1) * SMALL_STEP
        if self.is_sharded:
            gather = ring.seconds(2 * self.teacher.layer)
            waits += gather + (self.teacher.layers - 1) * max(0.0, gather - num_micro_batches * self.teacher_layer)
        if self.unevenness > 0:
            waits += slowest(ring.ranks) * self.unevenness * math.sqrt(num_micro_batches) * self.seconds[learns]
        return compute, compute + waits


def table(options):
    within = GPUS[options.gpu][1]
    networks = [(Ring(8, within, STEP_WITHIN, start=START), 16),
                *[(Ring(64, min(within, between), STEP_WITHIN, STEP_BETWEEN, 8, START), n)
                  for between in (INFINIBAND, ETHERNET) for n in (16, 2)]]
    print("| pair | what learns | gradient | computing, 16 micro-batches | 8 GPUs | 64, InfiniBand, 16 | the same, 2 | 64, Ethernet, 16 | the same, 2 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, family, student, teacher in PAIRS:
        pair = Pair(family, student, teacher, options)
        for learns, values in pair.values.items():
            cells = []
            for ring, num_micro_batches in networks:
                compute, whole = pair.iteration(learns, ring, num_micro_batches)
                cells.append(f"{100 * compute / whole:.1f} %")
            print(f"| {name} | {learns} | {4 * values / 1e9:.2f} GB | {16 * pair.seconds[learns]:.1f} s | {' | '.join(cells)} |")


class TwoHosts:
    """Two network namespaces with a link between them."""

    ADDRESSES = ("10.77.0.1", "10.77.0.2")

    def __init__(self):
        self.hosts = [subprocess.Popen(["unshare", "-n", "sleep", "infinity"]) for _ in range(2)]
        subprocess.run(["sleep", "0.5"], check=True)
        self.within(0, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.hosts[1].pid)
        for host, address in enumerate(self.ADDRESSES):
            self.within(host, "ip", "address", "add", f"{address}/24", "dev", "eth0")
            for interface in ("eth0", "lo"):
                self.within(host, "ip", "link", "set", interface, "up")

    def command(self, host, *command):
        return ["nsenter", "-t", str(self.hosts[host].pid), "-n", *map(str, command)]

    def within(self, host, *command, check=True):
        subprocess.run(self.command(host, *command), check=check, stderr=None if check else subprocess.DEVNULL)

    def limit(self, gigabits):
        for host in range(2):
            self.within(host, "tc", "qdisc", "del", "dev", "eth0", "root", check=False)
            if gigabits:
                self.within(host, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{gigabits}gbit", "burst", "512kb",
                            "latency", "50ms")

    def close(self):
        for host in self.hosts:
            host.kill()
            host.wait()


def measure(options):
    from true_size import RECIPE, Bench, arguments, durations, metrics
    from keys import VLSI

    bench = Bench(SimpleNamespace(peer_python=sys.executable, rounds=1))
    hosts = TwoHosts()
    micro_batches, num_layers, num_iterations = 2, 2, 4
    data = bench.text_data([486] * 16, 99)
    settings = {"student.model": bench.model(num_layers), "data.train": f'[{{path: "{data}"}}]', "student.layers": "[]",
                "teacher.layers": "[]", "data.batch_tokens": 512, "data.sample_tokens": 512, "optimizer.accumulate": micro_batches,
                "threads": 1, "checkpoint.every": 100000, "finetune.train": "[decoder]"}
    for step, iterations in (("verbalize", 0), ("interact", 0), ("finetune", 1000)):
        settings |= {f"{step}.epochs": 0, f"{step}.iterations": iterations}

    def seconds():
        """The median of an iteration on two hosts, the first left out."""
        with tempfile.TemporaryDirectory(dir=bench.folder) as out:
            ranks = []
            for rank in range(2):
                variables = {"RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": hosts.ADDRESSES[0], "MASTER_PORT": 29500}
                ranks.append(subprocess.Popen(
                    hosts.command(rank, "env", *[f"{k}={v}" for k, v in variables.items()], VLSI, "finetune", RECIPE,
                                  *arguments({"out": f"{out}/run", **settings})), cwd=ROOT, stderr=subprocess.PIPE, text=True))
            lines = []
            while len(lines) < num_iterations:
                time.sleep(0.2)
                for rank in ranks:
                    if rank.poll() is not None:
                        sys.exit(f"a rank ended with {rank.returncode}:\n{rank.stderr.read()[-2000:]}")
                if (Path(out) / "run/metrics.jsonl").exists():
                    lines = metrics(Path(out) / "run", "finetune")
            for rank in ranks:
                rank.kill()  # before it writes gigabytes of what it has learned
                rank.communicate()
            return statistics.median(durations(lines))

    student = Model("qwen2vl", "2b")
    values = num_layers * student.layer
    head = 0.2 * student.vocabulary * student.width  # products of a token: 100 of 507 tokens are answers
    layers = num_layers * student.layer
    backward = (6 * layers) / (8 * layers + 4 * head)  # of a micro-batch, with its second forward pass
    try:
        rates = [None, *map(float, options.rates.split(","))]
        measured = {rate: [] for rate in rates}
        for _ in range(options.rounds):
            for rate in rates:
                hosts.limit(rate)
                measured[rate].append(seconds())
                print(f"{rate or 'no limit'}: {measured[rate][-1]:.3f} s", flush=True)
        free = statistics.median(measured[None])
        print(f"two hosts, {values / 1e6:.0f} million values learn, {micro_batches} micro-batches a rank; without a limit {free:.2f} s an iteration")
        print("| Gbit/s | measured s | predicted s | exchange, measured | predicted |")
        print("|---|---|---|---|---|")
        for rate in rates[1:]:
            found = statistics.median(measured[rate])
            ring = Ring(2, 0.95 * rate * 1e9 / 8)  # of the line, what packets leave
            waits = exposed(ring, values, free / micro_batches * backward)
            print(f"| {rate:g} | {found:.2f} | {free + waits:.2f} | {100 * (1 - free / found):.0f} % | {100 * waits / (free + waits):.0f} % |")
    finally:
        hosts.close()
        subprocess.run(["rm", "-r", str(bench.folder)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", choices=GPUS, default="a100")
    parser.add_argument("--utilisation", type=float, default=0.4, help="of the GPU's dense bfloat16 FLOP/s")
    parser.add_argument("--unevenness", type=float, default=0.0)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--rates", default="0.5,1")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    measure(options) if options.measure else table(options)


if __name__ == "__main__":
    main()

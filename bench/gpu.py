#!/usr/bin/env python3
"""The program on a device: that it says what it says on the CPU, and how fast. bench/gpu.sh starts it.

    bench/gpu.py [--device cuda] [--tiny] [--only PART,...] [--json FILE] [--limit 480] [--scratch FOLDER]

parity: tiny models of every family with random weights, float32, texts and pictures: the largest difference of an answer's
log-probabilities from the CPU's, relative to them or to one; and the share of greedy answers that are the CPU's. chain: the quickstart's
stages for a few updates, the largest such difference of a loss. rates: products in bfloat16, and a head pass ÷ at::mm. step: an
iteration of interaction, adapters of Qwen2-VL 2B from 7B, both resident, with pictures of a million pixels: tokens a second, FLOP/s ÷
at::mm's, peak memory, and its growth with 1,000 more picture tokens. peer: the same with texts and the last layer's KL alone beside
transformers and PEFT, where this Python has them. decode: tokens a second of one answer, and of sixteen at once. ranks: two
processes on one device against one with twice the accumulation. --tiny: small shapes for all, which say nothing of speed.
A part that fails, or has no time left, is named in the table; then the status is 1. Needs the standard library; models take 21 GB of disk.
"""

import argparse
import importlib.util
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

from keys import BUNDLE, ROOT, VLSI, Keys, run
from true_size import LAYERS, RECIPE, TARGETS, Bench, arguments, durations, interaction_flops, metrics

FAMILIES = {  # the folder of its recipes, a size
    "qwen2_vl": ("qwen2vl", "2b"), "qwen2_5_vl": ("qwen2.5-vl", "3b"), "qwen3_vl": ("qwen3-vl", "2b"),
    "llava_onevision": ("llava-ov", "0.5b")}
TINY_TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY_VISION = {"embed_dim": 32, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "num_attention_heads": 2, "depth": 2,
               "num_hidden_layers": 2, "out_hidden_size": 64, "fullatt_block_indexes": [1], "deepstack_visual_indexes": [0],
               "image_size": 28}
TINY_VIEWS = [[28, 28], [28, 56], [56, 28], [56, 56]]
COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "gray": (120, 120, 120)}
NO_EPOCHS = {f"{key}.epochs": 0 for key in ("verbalize", "interact", "finetune")}
STAGES = ["vision", "teacher", "student", "verbalize", "vlsi"]


def difference(found, wanted):
    """The largest of two lists or objects of numbers, relative to the wanted one or to 1."""
    if isinstance(wanted, dict):
        return max((difference(found[key], value) for key, value in wanted.items() if key != "seconds"), default=0)
    if isinstance(wanted, list):
        return max((difference(*pair) for pair in zip(found, wanted, strict=True)), default=0)
    return abs(found - wanted) / max(1, abs(wanted)) if isinstance(wanted, (int, float)) else 0


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Gpu(Bench):
    def __init__(self, options):
        Keys.__init__(self, options, "gpu", options.scratch)
        self.models, self.notes = {}, {}
        self.device, self.tiny = options.device, options.tiny
        self.sides = list(dict.fromkeys(("cpu", self.device)))
        self.mm = None

    # ---- models and data ----

    def tiny_model(self, family, layers=2, seed=1):
        """A model of two layers, unless told otherwise, with the family's tokenizer and vocabulary."""
        folder, size = FAMILIES[family]
        out = self.folder / f"{family}-{layers}"
        if out.exists():
            return out
        config = json.loads((ROOT / f"runs/{folder}/model-{size}.json").read_text())
        text, vision = config.get("text_config", config), config["vision_config"]
        text.update(TINY_TEXT, num_hidden_layers=layers)
        if "head_dim" in text:
            text["head_dim"] = 16
        if "rope_scaling" in text:
            text["rope_scaling"]["mrope_section"] = [2, 3, 3] if family != "qwen3_vl" else [4, 2, 2]
        vision.update({key: value for key, value in TINY_VISION.items() if key in vision})
        if family == "qwen2_vl":
            vision["hidden_size"] = TINY_TEXT["hidden_size"]
        tokenizer = self.tokenizer(folder)
        if "image_grid_pinpoints" in config:
            config["image_grid_pinpoints"] = TINY_VIEWS
            settings = json.loads((tokenizer / "preprocessor_config.json").read_text())
            settings.update(image_grid_pinpoints=TINY_VIEWS, size={"height": 28, "width": 28})
            (tokenizer / "preprocessor_config.json").write_text(json.dumps(settings))
        path = self.folder / f"{out.name}.json"
        path.write_text(json.dumps(config))
        run(VLSI, "init", "--config", path, "--tokenizer", tokenizer, "--out", out, "--seed", seed)
        return out

    def true_model(self, size):
        """Qwen2-VL of the size with random weights, or in its place a tiny one."""
        if self.tiny:
            return self.tiny_model("qwen2_vl", layers={"2b": 2, "7b": 3}[size])
        out = self.folder / f"qwen2-vl-{size}"
        if not out.exists():
            run(VLSI, "init", "--config", ROOT / f"runs/qwen2vl/model-{size}.json", "--tokenizer", self.tokenizer("qwen2vl"),
                "--dtype", "bfloat16", "--initializer", "normal", "--out", out)
        return out

    def source(self, path):
        return f'[{{path: "{path}", images: "{self.folder}/pictures"}}]'

    def train(self, recipe, step, device, command="distill", **settings):
        """A run's metrics of one step, or of all, and its summary."""
        out = self.folder / "trained"
        shutil.rmtree(out, ignore_errors=True)
        run(VLSI, command, recipe, *arguments({"out": out, "device": device, "checkpoint.every": 100000, **settings}))
        lines = metrics(out, step) if step else lines_of(out / "metrics.jsonl")
        return lines, json.loads((out / "summary.json").read_text())

    def peak(self, summary):
        return summary.get("peak_device_memory_bytes", summary["peak_memory_bytes"])

    # ---- the parts ----

    def parity(self):
        data = self.picture_data(4, 56, 6)
        values = {}
        for family in FAMILIES:
            model, scores, answers = self.tiny_model(family), [], []
            for device in self.sides:
                common = ("--model", model, "--data", data, "--images", self.folder / "pictures", "--device", device, "--dtype", "float32")
                out = self.folder / f"{family}-{len(scores)}"
                run(VLSI, "score", *common, "--out", f"{out}.jsonl")
                run(VLSI, "answer", *common, "--out", f"{out}.json", "--max-new-tokens", 8)
                scores.append(lines_of(Path(f"{out}.jsonl")))
                answers.append(json.loads(Path(f"{out}.json").read_text()))
            values[f"parity_{family}"] = difference(scores[-1], scores[0])
            values[f"same_answers_{family}"] = sum(a == b for a, b in zip(answers[-1], answers[0])) / len(answers[0])
        return values

    def chain(self):
        folder, updates = self.folder / "chain", 2 if self.tiny else 8
        folder.mkdir()
        (self.folder / "pictures").mkdir(exist_ok=True)
        self.colored_data(folder)
        run("python3", ROOT / "runs/make_tokenizer.py", folder / "data.json", folder / "tokenizer")
        run("python3", ROOT / "runs/quickstart/prepare.py", "models", folder / "tokenizer", folder / "configs")
        sides, seconds = [], 0
        for device in self.sides:
            started = time.time()
            sides.append(self.stages(folder, folder / f"side-{len(sides)}", device, updates))
            seconds = time.time() - started
        return {"chain_loss_difference": difference(sides[-1], sides[0]), "chain_seconds": seconds}

    def colored_data(self, folder):
        """data.json: squares of one colour on noise, and their colours."""
        records = []
        for i in range(24):
            color = list(COLORS)[i % len(COLORS)]
            noise, inside = random.Random(i), range(16, 48)
            rows = [bytes(c if x in inside and y in inside else noise.randrange(256) for x in range(64) for c in COLORS[color])
                    for y in range(64)]
            self.write_picture(self.folder / f"pictures/color-{i}.png", 64, rows)
            records.append({"id": str(i), "image": f"color-{i}.png", "conversations": [
                {"from": "human", "value": "<image>\nwhat color is the shape?"}, {"from": "gpt", "value": color}]})
        (folder / "data.json").write_text(json.dumps(records))

    def stages(self, folder, out, device, updates):
        """The metrics of all stages in turn, each from what the ones before it wrote."""
        source, lines = self.source(folder / "data.json"), []
        for stage in STAGES:
            recipe = ROOT / f"runs/quickstart/{stage}.yaml"
            settings = {"out": out / stage, "device": device, "data.train": source, "data.validation": "[]"}
            command = "finetune"
            if stage in ("vision", "teacher", "student"):
                more = () if stage == "vision" else ("--vision-from", out / "vision/model")
                run(VLSI, "init", "--config", folder / f"configs/{stage}.json", "--tokenizer", folder / "tokenizer",
                    "--out", out / f"{stage}-start", *more)
                settings |= {"student.model": out / f"{stage}-start", "finetune.iterations": updates}
            else:
                command = "distill"
                settings |= {f"{who}.model": out / f"{who}/model" for who in ("teacher", "student")}
                if stage == "verbalize":
                    settings |= {"verbalize.iterations": updates, "verbalize.data.train": source, "verbalize.student_data.train": source}
                else:
                    settings |= {f"{who}.verbalizers": out / f"verbalize/{who}-verbalizers" for who in ("teacher", "student")}
                    settings |= {"interact.iterations": updates, "finetune.iterations": updates, "interact.data.train": source}
            run(VLSI, command, recipe, *arguments(settings))
            lines += [{"loss": line["loss"]} for line in lines_of(out / stage / "metrics.jsonl") if "loss" in line]
        run(VLSI, "evaluate", "--benchmark", "easy-vqa", "--model", out / "vlsi/model", "--data", folder / "data.json", "--images",
            self.folder / "pictures", "--device", device, "--out", out / "evaluation")
        return lines

    def rates(self):
        shape = (64, 64, 2048) if self.tiny else (2048, 1536, 151936)
        program, environment = ROOT / "build/release/bench/device_bench", dict(os.environ)
        if "DEVICE_BENCH" in os.environ:
            program = Path(os.environ["DEVICE_BENCH"])
        elif BUNDLE.exists():
            program = ROOT / "vlsi/bin/device_bench"
            torch = Path(next(iter(importlib.util.find_spec("torch").submodule_search_locations)))
            environment["LD_LIBRARY_PATH"] = f"{torch}/lib:{torch.parent}/torch.libs"
        done = subprocess.run([str(part) for part in (program, self.device, *shape)], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{program}: {done.stderr[-500:]}")
        found = json.loads(done.stdout)
        self.mm = found["mm"]
        return {"mm_tflops": found["mm"] / 1e12, "head_to_mm": found["head"] / found["mm"]}

    def step(self):
        layers, targets = (2, 1) if self.tiny else (LAYERS, TARGETS)
        side, tokens = (112, 100) if self.tiny else (1008, 1500)
        data = self.source(self.picture_data(24, side, 40))
        settings = {"student.model": self.true_model("2b"), "teacher.model": self.true_model("7b"), "teacher.residency": "resident",
                    "data.train": data, "optimizer.accumulate": 2 if self.tiny else 4, "interact.iterations": 3 if self.tiny else 6,
                    **NO_EPOCHS, "verbalize.iterations": 1, "finetune.iterations": 0}
        if self.tiny:
            settings |= {"student.layers": "[1]", "teacher.layers": "[1]", "student.lora.rank": 4}

        def measure(samples):
            lines, summary = self.train(RECIPE, "interact", self.device, **settings, **{
                "data.batch_tokens": samples * tokens, "data.sample_tokens": samples * tokens})
            return lines, self.peak(summary)

        lines, peak = measure(3)
        _, small = measure(1)
        seconds, last = sum(durations(lines)), lines[1:]
        flops = sum(interaction_flops(line["tokens"], line["answer_tokens"], layers, targets)[0] for line in last)
        picture_tokens = (side // 28) ** 2 * 2 / 1000  # of two samples more, in thousands
        values = {"step_tokens_per_second": sum(line["tokens"] for line in last) / seconds, "step_peak_gib": peak / 2**30,
                  "step_gib_per_1000_picture_tokens": (peak - small) / 2**30 / picture_tokens}
        if not self.tiny:
            values["step_tflops"] = flops / seconds / 1e12
            if self.mm:
                values["step_flops_to_mm"] = flops / seconds / self.mm
        return values

    def peer(self):
        if not all(importlib.util.find_spec(name) for name in ("transformers", "peft")):
            self.notes["peer"] = f"{sys.executable} has no transformers and PEFT"
            return {}
        samples, tokens, answers = (2, 32, 6) if self.tiny else (4, 1000, 100)
        student, teacher = self.true_model("2b"), self.true_model("7b")
        data = self.text_data([tokens - 21] * 64, answers - 1)
        lines, summary = self.train(RECIPE, "interact", self.device, **{
            "student.model": student, "teacher.model": teacher, "teacher.residency": "resident", "student.layers": "[]",
            "teacher.layers": "[]", "data.train": self.source(data), "data.batch_tokens": samples * tokens, "data.sample_tokens": tokens,
            "optimizer.accumulate": 1, "interact.intermediate_loss": "none", "interact.iterations": 8, **NO_EPOCHS,
            "verbalize.iterations": 0, "finetune.iterations": 0})
        ours = sum(durations(lines)[3:]) / len(durations(lines)[3:])
        found = json.loads(run(
            sys.executable, ROOT / "bench/peers/true_size_peer.py", "distill", "--model", student, "--teacher", teacher,
            "--device", self.device, "--samples", samples, "--tokens", tokens, "--answers", answers).splitlines()[-1])
        return {"peer_to_ours_step": found["seconds"] / ours, "peer_peak_gib": found["peak_bytes"] / 2**30,
                "ours_peak_gib": self.peak(summary) / 2**30}

    def decode(self):
        model, (few, many) = self.true_model("2b"), (4, 12) if self.tiny else (32, 288)
        values = {}
        for answers in (1, 16):
            data, seconds = self.text_data([40] * answers, 8), []
            for tokens in (few, few, many):  # the first start brings the weights near
                started = time.time()
                run(VLSI, "answer", "--model", model, "--data", data, "--device", self.device, "--dtype", "bfloat16",
                    "--max-new-tokens", tokens, "--out", self.folder / f"decoded-{answers}-{tokens}-{len(seconds)}.json")
                seconds.append(time.time() - started)
            values[f"decode_tokens_per_second_{answers}"] = answers * (many - few) / max(1e-3, seconds[2] - seconds[1])
        return values

    def ranks(self):
        device = "cuda:0" if self.device == "cuda" else self.device
        common = {"student.model": self.tiny_model("qwen2_vl"), "data.train": self.source(self.picture_data(8, 56, 6)), "dtype": "float32",
                  "student.lora.rank": 4, "teacher.layers": "[]", "student.layers": "[]", "data.batch_tokens": 64, "data.sample_tokens": 64,
                  "device": device, "checkpoint.every": 100000, **NO_EPOCHS, "verbalize.iterations": 0, "interact.iterations": 0,
                  "finetune.iterations": 3}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        outs, ranks = [self.folder / "one-rank", self.folder / "two-ranks"], []
        run(VLSI, "finetune", RECIPE, *arguments({**common, "out": outs[0], "optimizer.accumulate": 4}))
        command = [str(part) for part in (VLSI, "finetune", RECIPE, *arguments({**common, "out": outs[1], "optimizer.accumulate": 2}))]
        for rank in "01":
            environment = {**os.environ, "RANK": rank, "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                           "MASTER_PORT": str(port)}
            ranks.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        try:
            errors = [rank.communicate()[1] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
        if any(rank.returncode for rank in ranks):
            sys.exit("two ranks: " + " | ".join(errors)[-500:])
        self.notes["ranks"] = "through the host, Gloo" if "share a GPU" in errors[0] or device == "cpu" else "NCCL"
        found, wanted = ([{"loss": line["loss"]} for line in metrics(out, "finetune")] for out in reversed(outs))
        return {"ranks_loss_difference": difference(found, wanted)}


PARTS = ["parity", "chain", "rates", "step", "peer", "decode", "ranks"]


def measure(bench, options):
    """What each part gives; the failures by part."""
    def out_of_time(*_):
        raise TimeoutError("no time left")

    signal.signal(signal.SIGALRM, out_of_time)
    ends, values, failed = time.time() + options.limit, {}, {}
    for part in options.only.split(","):
        started = time.time()
        try:
            signal.alarm(max(1, int(ends - started)))
            values.update(getattr(bench, part)())
        except (Exception, SystemExit) as error:  # the others go on
            failed[part] = str(error) or repr(error)
        finally:
            signal.alarm(0)
        values[f"seconds_{part}"] = time.time() - started
    return values, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, default=480, help="seconds for all")
    parser.add_argument("--scratch", help="where models and runs lie meanwhile [the system's folder for such]")
    options = parser.parse_args()
    if options.scratch is None:
        options.scratch = os.environ.get("TMPDIR", "/tmp")
    if unknown := set(options.only.split(",")) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    program = run(VLSI, "--version").splitlines()
    bench = Gpu(options)
    try:
        values, failed = measure(bench, options)
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    print(f"{'; '.join(program[:2])}; device {options.device}{', tiny' if options.tiny else ''}")
    for key, value in values.items():
        print(f"{key:36}{value:12.4g}")
    for kind, texts in (("note", bench.notes), ("FAILED", failed)):
        for part, text in texts.items():
            print(f"{kind}, {part}: {text}")
    if options.json:
        options.json.write_text(json.dumps({"program": program, "device": options.device, "tiny": options.tiny, "values": values,
                                            "notes": bench.notes, "failed": failed}, indent=2) + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

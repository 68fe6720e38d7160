#!/usr/bin/env python3
"""Training at the shapes of Qwen2-VL 2B and 7B: one function a key.

    bench/true_size.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE]

PYTHON is an interpreter with torch, its launcher beside it, transformers 5.23 and peft. `smoke` runs
runs/qwen2vl-2b-from-7b.sh --smoke, whose models take 21 GB of disk in runs/out, and removes what was not there before; the other keys
use models of 4 or 12 layers of the true shapes with the whole vocabulary. The two sides of a ratio take turns; it is that of their
medians, printed with its range over the rounds. Prints and, with --json, writes {key: value}.
"""

import json
import random
import shutil
import statistics
import struct
import tempfile
import zlib
from pathlib import Path

from keys import ROOT, VLSI, Keys, main, run

RECIPE = ROOT / "runs/qwen2vl/2b-from-7b.yaml"
SMOKE = ROOT / "runs/out/qwen2vl-2b-from-7b"
IMAGES = ROOT / ".deps/easy-vqa/easy_vqa/data"
VOCABULARY = 151936
LAYER_2B, LAYER_7B = 46.8e6, 233.1e6  # weights of a decoder layer
LAST_PRODUCT_2B = 13.8e6  # those of the map that ends it
ADAPTERS_2B = 2.64e6  # those of its adapters of rank 64
WIDTH_2B, WIDTH_7B = 1536, 3584
LAYERS, TARGETS = 28, 7
TEMPLATE_TOKENS = 21  # of a conversation of one turn, beside what is said
STUDENT_LAYERS, TEACHER_LAYERS = 4, 12  # of the small models


def metrics(directory, step):
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["step"] == step and "seconds" in line]


def durations(lines):
    return [b["seconds"] - a["seconds"] for a, b in zip(lines, lines[1:])]


def arguments(settings):
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


class Bench(Keys):
    def __init__(self, options):
        super().__init__(options, "true-size")
        self.models = {}
        run("python3", ROOT / "runs/smoke.py", "data", ROOT / ".deps/easy-vqa/easy_vqa", self.folder / "data.json")

    def peer(self, *arguments):
        return json.loads(run(self.options.peer_python, ROOT / "bench/peers/true_size_peer.py", *arguments).splitlines()[-1])

    def tokenizer(self, family):
        """A directory with the tokenizer and the picture settings of a family's recipes."""
        folder = self.folder / f"tokenizer-{family}"
        if not folder.exists():
            added = ["llava_onevision"] if family == "llava-ov" else []
            run("python3", ROOT / "tests/data/qwen2/make_tokenizer.py", folder, *added)
            shutil.copy(ROOT / f"runs/{family}/preprocessor_config.json", folder)
        return folder

    def model(self, num_layers, vision_depth=1, size="2b", family="qwen2vl"):
        """A model of a recipe's shapes with fewer layers and vision blocks."""
        name = f"{family}-{size}-{num_layers}-{vision_depth}"
        if name in self.models:
            return self.models[name]
        tokenizer = self.tokenizer(family)
        config = json.loads((ROOT / f"runs/{family}/model-{size}.json").read_text())
        config.get("text_config", config)["num_hidden_layers"] = num_layers
        config["vision_config"]["depth"] = vision_depth
        if "deepstack_visual_indexes" in config["vision_config"]:
            config["vision_config"]["deepstack_visual_indexes"] = [vision_depth - 1]
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(config))
        out = self.folder / f"model-{name}"
        run(VLSI, "init", "--config", path, "--tokenizer", tokenizer, "--dtype", "bfloat16", "--initializer", "normal", "--out", out)
        self.models[name] = out
        return out

    def text_data(self, lengths, answers):
        """Conversations of so many digits (a token each), the last `answers` of them the answer."""
        path = self.folder / f"text-{len(lengths)}-{max(lengths)}.json"
        path.write_text(json.dumps([
            {"id": str(i), "conversations": [{"from": "human", "value": "7" * (n - answers)}, {"from": "gpt", "value": "3" * answers}]}
            for i, n in enumerate(lengths)]))
        return path

    def write_picture(self, path, side, rows):
        """A PNG file of side x side pixels."""
        chunks = (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), \
            (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 1)), (b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks))

    def picture_data(self, count, side, answers):
        """Conversations about a picture each, of random bytes, side x side."""
        (self.folder / "pictures").mkdir(exist_ok=True)
        for i in range(count):
            self.write_picture(self.folder / f"pictures/{i}.png", side, (random.Random(i * side + y).randbytes(3 * side) for y in range(side)))
        path = self.folder / "pictures.json"
        path.write_text(json.dumps([
            {"id": str(i), "image": f"{i}.png",
             "conversations": [{"from": "human", "value": "<image>\n7"}, {"from": "gpt", "value": "3" * answers}]}
            for i in range(count)]))
        return path

    def train(self, command, step, iterations, ranks=1, **settings):
        """The metrics of a run of the recipe with other settings, on one process or several."""
        for key in ("verbalize", "interact", "finetune"):
            settings.setdefault(f"{key}.epochs", 0)
            settings.setdefault(f"{key}.iterations", iterations if key == step else 0)
        launcher = Path(self.options.peer_python).absolute().parent / "torchrun"
        start = [launcher, "--no-python", "--nproc-per-node", ranks, VLSI] if ranks > 1 else [VLSI]
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            run(*start, command, RECIPE, *arguments({"out": f"{out}/run", "checkpoint.every": 100000, **settings}))
            return metrics(Path(out) / "run", step)

    def finetune(self, data, iterations, **settings):
        return self.train("finetune", "finetune", iterations, **{
            "student.model": self.model(STUDENT_LAYERS), "data.train": f'[{{path: "{data}"}}]', "student.layers": "[]", "teacher.layers": "[]",
            "optimizer.accumulate": 1, **settings})

    def interact(self, iterations, **settings):
        return self.train("distill", "interact", iterations, **{
            "student.model": self.model(STUDENT_LAYERS), "teacher.model": self.model(TEACHER_LAYERS),
            "data.train": f'[{{path: "{self.folder / "data.json"}", images: "{IMAGES}"}}]', "student.layers": "[]", "teacher.layers": "[]",
            "interact.intermediate_loss": "none", "data.batch_tokens": 1024, "data.sample_tokens": 1024, "optimizer.accumulate": 4, **settings})

    # ---- the keys ----

    def peft_to_ours(self, family="qwen2vl", key="peft_to_ours", question_and_answer=486):
        data = self.text_data([question_and_answer], 99)
        model = self.model(STUDENT_LAYERS, family=family)
        one = {"student.model": model, "data.batch_tokens": 512, "data.sample_tokens": 512}
        lines = self.finetune(data, 2, **one)
        tokens, answers = lines[0]["tokens"], lines[0]["answer_tokens"]
        theirs, ours = self.rounds(
            lambda: self.peer("step", "--model", model, "--tokens", tokens, "--answers", answers)["seconds"],
            lambda: statistics.median(durations(self.finetune(data, 8, **one))[3:]))
        print(f"a LoRA step, {family}, {tokens} tokens, {answers} answer positions: {ours:.2f} s, transformers + PEFT {theirs:.2f} s")
        return {key: theirs / ours}

    def packed_to_ideal(self):
        """Tokens a second: lengths from 16 to 1,024 against samples of their mean length, which no packing could serve better."""
        lengths = [16 + 1008 * i // 15 for i in range(16)]
        mean = sum(lengths) // len(lengths)
        settings = {"data.batch_tokens": 4400, "data.sample_tokens": 2048}

        def tokens_per_second(data):
            lines = self.finetune(data, 8, **settings)
            return sum(line["tokens"] for line in lines[1:]) / sum(durations(lines))

        mixed, ideal = (self.text_data(chosen, 8) for chosen in (lengths, [mean] * len(lengths)))
        ours, best = self.rounds(lambda: tokens_per_second(mixed), lambda: tokens_per_second(ideal))
        print(f"useful tokens a second: lengths 16 to 1,024 {ours:.0f}, all of length {mean} {best:.0f}")
        return {"packed_to_ideal": ours / best}

    def vision_cached_to_text(self):
        """A step on pictures that a tower of 32 blocks looked at in an earlier epoch against a step on as many tokens of text."""
        steps, samples, answers = 6, 4, 20
        model = {"student.model": self.model(STUDENT_LAYERS, vision_depth=32)}
        pictures = self.picture_data(steps * samples, 448, answers)
        source = {**model, "data.train": f'[{{path: "{pictures}", images: "{self.folder / "pictures"}"}}]',
                  "vision_cache": self.folder / "features", "data.batch_tokens": 1200, "data.sample_tokens": 1200}
        first = self.finetune(pictures, steps, **source)
        tokens = [line["tokens"] for line in first]
        text = self.text_data([tokens[0] // samples - TEMPLATE_TOKENS] * (steps * samples), answers)
        settings = {**model, "data.batch_tokens": 1200, "data.sample_tokens": 1200}

        def seconds_a_token(lines):
            return statistics.median(s / line["tokens"] for s, line in zip(durations(lines), lines[1:]))

        cached, plain = self.rounds(lambda: seconds_a_token(self.finetune(pictures, steps, **source)),
                                    lambda: seconds_a_token(self.finetune(text, steps, **settings)))
        print(f"a step on {tokens[0]} tokens, {samples} pictures: first epoch {statistics.median(durations(first)):.2f} s, "
              f"with the cache {cached * tokens[0]:.2f} s, text alone {plain * tokens[0]:.2f} s")
        return {"vision_cached_to_text": cached / plain}

    def streamed_to_resident(self):
        seconds = [lambda r=residency: statistics.median(durations(self.interact(6, **{"teacher.residency": r})))
                   for residency in ("streamed", "resident")]
        streamed, resident = self.rounds(*seconds)
        print(f"a step of interaction with a teacher of {TEACHER_LAYERS} layers: streamed {streamed:.2f} s, resident {resident:.2f} s")
        return {"streamed_to_resident": streamed / resident}

    def two_ranks_speedup(self):
        """Samples a second of two ranks of one thread against one of one thread, each with four micro-batches an iteration."""
        data = self.text_data([486] * 16, 99)
        settings = {"data.batch_tokens": 512, "data.sample_tokens": 512, "optimizer.accumulate": 4, "threads": 1}

        def seconds(ranks):
            return statistics.median(durations(self.finetune(data, 4, ranks=ranks, **settings)))

        one, two = self.rounds(lambda: seconds(1), lambda: seconds(2))
        print(f"an iteration of four micro-batches a rank: one rank {one:.2f} s, two ranks {two:.2f} s")
        return {"two_ranks_speedup": 2 * one / two}

    def torch_adamw_to_ours(self):
        """The worse of two cases, the peer as a LibTorch program has it by default; printed beside it, the peer with freed memory kept."""
        sides = {"ours": ("ours", "kept"), "torch": ("torch", "default"), "torch, freed memory kept": ("torch", "kept")}
        turns = [{side: json.loads(run(ROOT / "build/release/bench/adamw_bench", *how)) for side, how in sides.items()}
                 for _ in range(self.options.rounds)]
        ratios = []
        for case in ("lora_64_on_2b", "one_tensor_of_1e8"):
            seconds = {side: statistics.median(turn[side][case] for turn in turns) for side in sides}
            for side in list(sides)[1:]:
                each = [turn[side][case] / turn["ours"][case] for turn in turns]
                print(f"AdamW, {case}: {side} {seconds[side]:.3f} s, ours {seconds['ours']:.3f} s: {seconds[side] / seconds['ours']:.2f}, "
                      f"{len(each)} rounds {min(each):.2f} to {max(each):.2f}")
            ratios.append(seconds["torch"] / seconds["ours"])
        return {"torch_adamw_to_ours": min(ratios)}

    def live_to_cached_step(self):
        """A step of interaction with a live teacher against one with its cache, as a share of the ratio of their FLOPs."""
        common = {"student.model": self.model(STUDENT_LAYERS), "teacher.model": self.model(STUDENT_LAYERS, size="7b"),
                  "student.layers": "[2]", "teacher.layers": "[2]", "teacher.residency": "resident", "optimizer.accumulate": 1,
                  "data.train": f'[{{path: "{self.folder / "data.json"}", images: "{IMAGES}"}}]', "data.batch_tokens": 1024,
                  "data.sample_tokens": 1024}
        verbalized, cache = self.folder / "verbalized", self.folder / "cache"
        run(VLSI, "distill", RECIPE, "--only", "verbalize",
            *arguments({**common, "out": verbalized, "verbalize.epochs": 0, "verbalize.iterations": 1, "checkpoint.every": 100000}))
        common |= {f"{who}.verbalizers": verbalized / f"{who}-verbalizers" for who in ("student", "teacher")}
        run(VLSI, "cache", RECIPE, *arguments({**common, "out": self.folder / "unused"}), "--out", cache)

        def step(**settings):
            lines = self.train("distill", "interact", 7, **common, **settings)
            return statistics.median(durations(lines)), statistics.mean(line["tokens"] for line in lines), \
                statistics.mean(line["answer_tokens"] for line in lines)

        _, tokens, answers = step()  # the same batches in every run
        with_teacher, alone = interaction_flops(tokens, answers, STUDENT_LAYERS, 1)
        live, cached = self.rounds(lambda: step()[0], lambda: step(**{"teacher.cache": cache})[0])
        print(f"a step of interaction on {tokens:.0f} tokens, {answers:.0f} answers, {STUDENT_LAYERS} layers each: "
              f"live teacher {live:.2f} s, cached {cached:.2f} s; FLOP ratio {with_teacher / alone:.2f}")
        return {"live_to_cached_step": live / cached / (with_teacher / alone)}

    def smoke(self):
        """Memory and speed of the recipe itself."""
        was_there = SMOKE.exists()
        try:
            log = run(ROOT / "runs/qwen2vl-2b-from-7b.sh", "--smoke")
            plan = json.loads(run(VLSI, "plan", SMOKE / "run/config.yaml", "--json"))
            lines = metrics(SMOKE / "run", "interact")
            peak = json.loads((SMOKE / "run/summary.json").read_text())["peak_memory_bytes"]
        finally:
            if not was_there:
                shutil.rmtree(SMOKE, ignore_errors=True)
        print(log[log.index("step  "):], end="")
        planned = {step["step"]: step["seconds"] for step in plan["steps"]}
        print(f"planned seconds a step: {', '.join(f'{step} {seconds:.1f}' for step, seconds in planned.items())}")
        rate = self.peer("rate")["flops"]
        seconds, (flops, _) = durations(lines)[-1], interaction_flops(lines[-1]["tokens"], lines[-1]["answer_tokens"], LAYERS, TARGETS)
        print(f"a step of {flops / 1e12:.1f} TFLOP in {seconds:.1f} s; bfloat16 products run at {rate / 1e12:.2f} TFLOP/s")
        return {"smoke_peak_gib": peak / 2**30, "plan_error": abs(peak - plan["peak_bytes"]) / peak, "step_to_flop_bound": seconds * rate / flops}


def interaction_flops(tokens, answers, num_layers, num_targets):
    """Multiplications and additions of a step of interaction, 7B to 2B: with the teacher, and of the student alone.

    The student's layers forward, again but for their last product, and for the gradient of their input; its adapters the same, and for
    their own gradient; head passes are two products, logits and averaged rows, for each target layer and the last one."""
    heads = num_targets + 1
    teacher = 2 * num_layers * LAYER_7B * tokens + answers * heads * 2 * VOCABULARY * (WIDTH_7B + WIDTH_2B)
    teacher += answers * num_targets * 6 * WIDTH_7B**2
    student = num_layers * (6 * LAYER_2B - 2 * LAST_PRODUCT_2B + 8 * ADAPTERS_2B) * tokens + answers * heads * 4 * VOCABULARY * WIDTH_2B
    return teacher + student, student


if __name__ == "__main__":
    main(Bench, __doc__, "peft_to_ours,packed_to_ideal,vision_cached_to_text,streamed_to_resident,two_ranks_speedup,"
                         "torch_adamw_to_ours,live_to_cached_step,smoke")

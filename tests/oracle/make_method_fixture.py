"""Makes tests/data/method/PAIR: a tiny teacher and student, verbalizers, batches, and ten iterations of each of the three steps.

    python tests/oracle/make_method_fixture.py PAIR...        of qwen2_vl, qwen2_5_vl, qwen3_vl, llava_onevision, qwen2_vl_from_qwen3_vl

Versions: torch 2.13.0, transformers 5.23.0. The reference is vlsi_reference.py in float32; a float64 run of the same
steps is stored beside it, so that the distance between the two says how far float32 rounding alone moves a loss.

Step 1 trains the verbalizers of both models, step 2 starts from them, step 3 from the student of step 2. Each step has a
fresh optimizer. Steps 1 and 3 take the softmax over the model's own vocabulary rows, step 2 over the shared leading rows.
In a pair of two families the teacher has samples of its own (teacher_batch_*.safetensors): the same answers after other prompts,
with pictures of other sizes.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

import vlsi_reference as reference
from tiny_models import (llava_onevision_config, load_model, make_sample, qwen2_5_vl_config, qwen2_vl_config, qwen3_vl_config,
                         rope_positions, text_of, write_model)

DATA = Path(__file__).resolve().parent.parent / "data" / "method"
LAYERS = {"student": [1, 2], "teacher": [1, 2, 3]}
BATCHES = [
    [
        [("text", 6), ("answer", 3)],
        [("text", 3), ("image", (1, 4, 4)), ("text", 4), ("answer", 1)],
        [("text", 2), ("image", (1, 2, 4)), ("text", 2), ("image", (1, 2, 2)), ("text", 3), ("answer", 2)],
    ],
    [
        [("text", 2), ("image", (1, 4, 2)), ("text", 3), ("answer", 2), ("text", 3), ("answer", 1)],
        [("text", 5), ("answer", 1), ("text", 3), ("answer", 3)],
        [("text", 1), ("image", (1, 2, 6)), ("text", 5), ("answer", 4)],
    ],
]
# The same with pictures of several windows, and of more patches than a table of positions has rows.
LARGE_BATCHES = [
    [
        [("text", 6), ("answer", 3)],
        [("text", 3), ("image", (1, 6, 10)), ("text", 4), ("answer", 1)],
        [("text", 2), ("image", (1, 2, 4)), ("text", 2), ("image", (1, 2, 2)), ("text", 3), ("answer", 2)],
    ],
    [
        [("text", 2), ("image", (1, 8, 2)), ("text", 3), ("answer", 2), ("text", 3), ("answer", 1)],
        [("text", 5), ("answer", 1), ("text", 3), ("answer", 3)],
        [("text", 1), ("image", (1, 4, 6)), ("text", 5), ("answer", 4)],
    ],
]
# Pictures in pixels: alone in a grid of views, of which one is reduced, and several beside each other.
VIEW_BATCHES = [
    [
        [("text", 6), ("answer", 3)],
        [("text", 3), ("image", (30, 20)), ("text", 4), ("answer", 1)],
        [("text", 2), ("image", (20, 40)), ("text", 2), ("image", (9, 8)), ("text", 3), ("answer", 2)],
    ],
    [
        [("text", 2), ("image", (12, 25)), ("text", 3), ("answer", 2), ("text", 3), ("answer", 1)],
        [("text", 5), ("answer", 1), ("text", 3), ("answer", 3)],
        [("text", 1), ("image", (60, 50)), ("text", 5), ("answer", 4)],
    ],
]
# What a teacher of another family makes of the same records.
OTHER_BATCHES = [
    [
        [("text", 3), ("answer", 3)],
        [("text", 2), ("image", (1, 2, 6)), ("text", 3), ("answer", 1)],
        [("text", 1), ("image", (1, 6, 4)), ("text", 2), ("image", (1, 4, 2)), ("text", 5), ("answer", 2)],
    ],
    [
        [("text", 1), ("image", (1, 6, 10)), ("text", 2), ("answer", 2), ("text", 4), ("answer", 1)],
        [("text", 2), ("answer", 1), ("text", 4), ("answer", 3)],
        [("text", 1), ("image", (1, 2, 2)), ("text", 3), ("answer", 4)],
    ],
]


@dataclass
class Pair:
    student: dict  # config.json
    teacher: dict
    batches: list  # of both, or of the student
    shared_vocabulary: int
    loudness: list  # factors on the teacher's verbalizers: with these, the batches match different layers, and one is left out
    teacher_batches: list | None = None


QWEN2_STUDENT = dict(hidden=48, layers=3, heads=4, kv_heads=2, intermediate=64, vocabulary=320, mrope_section=[2, 2, 2], tied=True,
                     patch=8, first_special=304)
QWEN2_TEACHER = dict(hidden=64, layers=4, heads=4, kv_heads=2, intermediate=32, vocabulary=328, mrope_section=[2, 3, 3], tied=False,
                     patch=8, first_special=304)
STUDENT = dict(hidden=32, layers=3, heads=4, kv_heads=2, intermediate=40, vocabulary=96, tied=True, patch=4, first_special=80)
TEACHER = dict(hidden=40, layers=4, heads=5, kv_heads=1, intermediate=32, vocabulary=104, tied=False, patch=4, first_special=80)
WINDOWS = dict(window_cells=2, full_blocks=[1])
QWEN3 = dict(table_side=5, vision_depth=3, vision_width=12, vision_heads=1)
VIEWS = dict(image_size=14, grids=[(h, w) for h in (1, 2, 3) for w in (1, 2, 3)], max_views=3)
PAIRS = {
    "qwen2_vl": Pair(qwen2_vl_config(**QWEN2_STUDENT), qwen2_vl_config(**QWEN2_TEACHER), BATCHES, 320, [3.3, 1.5, 1.0]),
    "qwen2_5_vl": Pair(qwen2_5_vl_config(mrope_section=[2, 1, 1], **WINDOWS, **STUDENT),
                       qwen2_5_vl_config(mrope_section=[1, 1, 2], **WINDOWS, **TEACHER), LARGE_BATCHES, 96, [2.2, 1.5, 1.0]),
    "qwen3_vl": Pair(qwen3_vl_config(head_dim=12, mrope_section=[2, 2, 2], taps=[0, 2], **QWEN3, **STUDENT),
                     qwen3_vl_config(head_dim=16, mrope_section=[4, 2, 2], taps=[1, 2], **QWEN3, **TEACHER), LARGE_BATCHES, 96,
                     [3.0, 1.5, 1.0]),
    "llava_onevision": Pair(llava_onevision_config(**VIEWS, **STUDENT), llava_onevision_config(**VIEWS, **TEACHER), VIEW_BATCHES, 96,
                            [2.6, 2.0, 1.0]),
    # The tokenizers agree up to the end of a turn, and no further.
    "qwen2_vl_from_qwen3_vl": Pair(qwen2_vl_config(mrope_section=[2, 1, 1], **STUDENT),
                                   qwen3_vl_config(head_dim=16, mrope_section=[4, 2, 2], taps=[1, 2], **QWEN3, **TEACHER),
                                   BATCHES, 83, [3.0, 1.5, 1.0], OTHER_BATCHES),
}
SHARED = dict(iterations=10, warmup=2, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.01, clip_norm=1.0)
SETTINGS = {
    "verbalize": dict(peak=2e-3, floor=2e-5, **SHARED),
    "interact": dict(peak=1e-3, floor=1e-5, **SHARED),
    "finetune": dict(peak=1e-3, floor=1e-5, **SHARED),
}


def write_batches(folder, prefix, batches, config, model, generator, answers=None):
    """`answers`: samples whose answers these have, too."""
    made = []
    for index, batch in enumerate(batches):
        tensors = {}
        for k, segments in enumerate(batch):
            sample = make_sample(segments, config, generator)
            if answers is not None:
                copy_answers(sample, answers[index][k])
            sample["positions"], _ = rope_positions(model, sample)
            tensors |= {f"samples.{k}.{name}": tensor for name, tensor in sample.items()}
        save_file(tensors, folder / f"{prefix}batch_{index}.safetensors")
        made.append(load_batch(folder / f"{prefix}batch_{index}.safetensors", torch.float32))
    return made


def copy_answers(sample, other):
    """Gives a sample the answers of another one, of which it has as many tokens."""
    assert len(sample["labels"]) == len(other["labels"])
    sample["labels"] = other["labels"]
    sample["tokens"][sample["answer_positions"] + 1] = other["labels"]


def write_inputs(folder, pair):
    generator = torch.Generator().manual_seed(23)
    for who, config, seed, loudness in (("student", pair.student, 21, [1.0, 1.0]), ("teacher", pair.teacher, 22, pair.loudness)):
        write_model(folder / who, config, seed)
        width = text_of(config)["hidden_size"]
        weights = {}
        for layer, factor in zip(LAYERS[who], loudness):
            for name, scale in (("gate", 1.0), ("up", 1.0), ("down", factor)):
                weights[f"layers.{layer}.{name}.weight"] = (
                    scale * torch.randn(width, width, generator=generator) / math.sqrt(width))
        save_file(weights, folder / f"{who}_verbalizers.safetensors")
    made = write_batches(folder, "", pair.batches, pair.student, load_model(folder / "student"), generator)
    if pair.teacher_batches:
        write_batches(folder, "teacher_", pair.teacher_batches, pair.teacher, load_model(folder / "teacher"), generator, made)


def load_batch(path, dtype):
    batch = {}
    for name, tensor in load_file(path).items():
        _, k, field = name.split(".")
        batch.setdefault(int(k), {})[field] = tensor.to(dtype) if field == "patches" else tensor
    return [batch[k] for k in sorted(batch)]


def load_speaker(folder, who, dtype, attention):
    weights = {name: weight.to(dtype) for name, weight in load_file(folder / f"{who}_verbalizers.safetensors").items()}
    backbone = load_model(folder / who, torch.float32, attention).to(dtype)
    return reference.Speaker(backbone, LAYERS[who], weights)


def run_steps(folder, pair, dtype, attention):
    def load_batches(prefix):
        return [load_batch(folder / f"{prefix}batch_{index}.safetensors", dtype) for index in range(len(pair.batches))]

    batches = load_batches("")
    teacher_batches = load_batches("teacher_") if pair.teacher_batches else batches
    student, teacher = (load_speaker(folder, who, dtype, attention) for who in ("student", "teacher"))
    own, of_teacher = (text_of(config)["vocab_size"] for config in (pair.student, pair.teacher))
    return {
        "verbalize": {
            "student": reference.verbalize(student, batches, SETTINGS["verbalize"], own),
            "teacher": reference.verbalize(teacher, teacher_batches, SETTINGS["verbalize"], of_teacher),
        },
        "interact": reference.interact(student, teacher, list(zip(batches, teacher_batches)), SETTINGS["interact"],
                                       pair.shared_vocabulary),
        "finetune": reference.finetune(student, batches, SETTINGS["finetune"], own),
    }


def make(name):
    folder, pair = DATA / name, PAIRS[name]
    write_inputs(folder, pair)
    expected = {
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "target_layers": LAYERS,
        "shared_vocabulary": pair.shared_vocabulary,
        "settings": SETTINGS,
        "learning_rate_formula": "i from 0, n iterations, w warm-up: i < w: peak * (i + 1) / w; else "
                                 "floor + (peak - floor) * (1 + cos(pi * (i - w) / (n - w))) / 2",
        "float32": run_steps(folder, pair, torch.float32, "eager"),
    }
    with reference.in_float64():
        expected["float64"] = run_steps(folder, pair, torch.float64, "sdpa")
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for step, (single, double) in {
        "verbalize student": (expected["float32"]["verbalize"]["student"], expected["float64"]["verbalize"]["student"]),
        "verbalize teacher": (expected["float32"]["verbalize"]["teacher"], expected["float64"]["verbalize"]["teacher"]),
        "interact": (expected["float32"]["interact"], expected["float64"]["interact"]),
        "finetune": (expected["float32"]["finetune"], expected["float64"]["finetune"]),
    }.items():
        worst = max(abs(a["loss"] - b["loss"]) / b["loss"] for a, b in zip(single, double))
        print(f"{name}, {step}: {single[0]['loss']:.6f} -> {single[-1]['loss']:.6f}, float32 against float64 {worst:.1e}",
              [a["matches"] for a in single] if "matches" in single[0] else "")
        if any(a.get("matches") != b.get("matches") for a, b in zip(single, double)):
            raise RuntimeError("float32 and float64 choose different layers")
    if expected["float32"]["interact"][0]["matches"] == expected["float32"]["interact"][1]["matches"]:
        raise RuntimeError("both batches match the same layers")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    for chosen in sys.argv[1:]:
        make(chosen)

"""Makes tests/data/method: a tiny teacher and student, verbalizers, batches, and ten iterations of each of the three steps.

Versions: torch 2.13.0, transformers 5.23.0. The reference is vlsi_reference.py in float32; a float64 run of the same
steps is stored beside it, so that the distance between the two says how far float32 rounding alone moves a loss.

Step 1 trains the verbalizers of both models, step 2 starts from them, step 3 from the student of step 2. Each step has a
fresh optimizer. Step 1 of a model takes the softmax over its own vocabulary rows; teacher_shared_rows in expected.json is
the same run over the rows that both models have, which nothing follows on.
"""

import json
import math
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

import vlsi_reference as reference
from tiny_models import qwen2_vl_config, load_model, make_sample, rope_positions, write_model

DATA = Path(__file__).resolve().parent.parent / "data" / "method"
FIRST_SPECIAL = 304
STUDENT = qwen2_vl_config(hidden=48, layers=3, heads=4, kv_heads=2, intermediate=64, vocabulary=320,
                      mrope_section=[2, 2, 2], tied=True, patch=8, first_special=FIRST_SPECIAL)
TEACHER = qwen2_vl_config(hidden=64, layers=4, heads=4, kv_heads=2, intermediate=32, vocabulary=328,
                      mrope_section=[2, 3, 3], tied=False, patch=8, first_special=FIRST_SPECIAL)
LAYERS = {"student": [1, 2], "teacher": [1, 2, 3]}
# Factors on the first `down` of each target layer: with these the two batches match different teacher layers, and a
# teacher layer is left out.
LOUDNESS = {"student": [1.0, 1.0], "teacher": [3.3, 1.5, 1.0]}
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
SHARED = dict(iterations=10, warmup=2, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.01, clip_norm=1.0)
SETTINGS = {
    "verbalize": dict(peak=2e-3, floor=2e-5, **SHARED),
    "interact": dict(peak=1e-3, floor=1e-5, **SHARED),
    "finetune": dict(peak=1e-3, floor=1e-5, **SHARED),
}


def write_inputs():
    generator = torch.Generator().manual_seed(23)
    for who, config, seed in (("student", STUDENT, 21), ("teacher", TEACHER, 22)):
        write_model(DATA / who, config, seed)
        width = config["hidden_size"]
        weights = {}
        for layer, loudness in zip(LAYERS[who], LOUDNESS[who]):
            for name, scale in (("gate", 1.0), ("up", 1.0), ("down", loudness)):
                weights[f"layers.{layer}.{name}.weight"] = (
                    scale * torch.randn(width, width, generator=generator) / math.sqrt(width))
        save_file(weights, DATA / f"{who}_verbalizers.safetensors")
    student = load_model(DATA / "student")
    for index, batch in enumerate(BATCHES):
        tensors = {}
        for k, segments in enumerate(batch):
            sample = make_sample(segments, STUDENT, generator)
            sample["positions"], _ = rope_positions(student, sample)
            tensors |= {f"samples.{k}.{name}": tensor for name, tensor in sample.items()}
        save_file(tensors, DATA / f"batch_{index}.safetensors")


def load_batch(path, dtype):
    batch = [{} for _ in BATCHES[0]]
    for name, tensor in load_file(path).items():
        _, k, field = name.split(".")
        batch[int(k)][field] = tensor.to(dtype) if field == "patches" else tensor
    return batch


def load_speaker(who, dtype, attention):
    weights = {name: weight.to(dtype) for name, weight in load_file(DATA / f"{who}_verbalizers.safetensors").items()}
    backbone = load_model(DATA / who, torch.float32, attention).to(dtype)
    return reference.Speaker(backbone, LAYERS[who], weights)


def run_steps(dtype, attention):
    batches = [load_batch(DATA / f"batch_{index}.safetensors", dtype) for index in range(len(BATCHES))]
    student, teacher = load_speaker("student", dtype, attention), load_speaker("teacher", dtype, attention)
    own, shared = (config["vocab_size"] for config in (TEACHER, STUDENT))
    return {
        "verbalize": {
            "student": reference.verbalize(student, batches, SETTINGS["verbalize"], shared),
            "teacher": reference.verbalize(teacher, batches, SETTINGS["verbalize"], own),
            "teacher_shared_rows": reference.verbalize(load_speaker("teacher", dtype, attention), batches,
                                                       SETTINGS["verbalize"], shared),
        },
        "interact": reference.interact(student, teacher, batches, SETTINGS["interact"], shared),
        "finetune": reference.finetune(student, batches, SETTINGS["finetune"], shared),
    }


def main():
    torch.set_num_threads(1)
    write_inputs()
    expected = {
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "target_layers": LAYERS,
        "shared_vocabulary": STUDENT["vocab_size"],
        "settings": SETTINGS,
        "learning_rate_formula": "i from 0, n iterations, w warm-up: i < w: peak * (i + 1) / w; else "
                                 "floor + (peak - floor) * (1 + cos(pi * (i - w) / (n - w))) / 2",
        "float32": run_steps(torch.float32, "eager"),
    }
    reference.compute_in_float64()
    expected["float64"] = run_steps(torch.float64, "sdpa")
    (DATA / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for step, (single, double) in {
        "verbalize student": (expected["float32"]["verbalize"]["student"], expected["float64"]["verbalize"]["student"]),
        "verbalize teacher": (expected["float32"]["verbalize"]["teacher"], expected["float64"]["verbalize"]["teacher"]),
        "interact": (expected["float32"]["interact"], expected["float64"]["interact"]),
        "finetune": (expected["float32"]["finetune"], expected["float64"]["finetune"]),
    }.items():
        worst = max(abs(a["loss"] - b["loss"]) / b["loss"] for a, b in zip(single, double))
        print(f"{step}: {single[0]['loss']:.6f} -> {single[-1]['loss']:.6f}, float32 against float64 {worst:.1e}",
              [a["matches"] for a in single] if "matches" in single[0] else "")
        if any(a.get("matches") != b.get("matches") for a, b in zip(single, double)):
            raise RuntimeError("float32 and float64 choose different layers")


if __name__ == "__main__":
    main()

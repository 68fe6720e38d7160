#!/usr/bin/env python3
"""One LoRA training step in transformers and PEFT, and the rate of bfloat16 products. Prints one JSON object.

    true_size_peer.py step --model DIR --tokens 506 --answers 100 [--steps 6] [--threads 2]
    true_size_peer.py rate [--threads 2]

`step`: adapters of rank and alpha 64 on every linear map of the decoder (float32 beside bfloat16 weights, as PEFT makes them),
gradient checkpointing, AdamW; one text of random tokens whose last ones are the answer. seconds: median of the later half of the steps.
`rate`: FLOP/s of `torch.mm` at the shapes of the 2B's and the 7B's widest decoder product, 1,024 rows; the larger of them.
"""

import argparse
import json
import statistics
import time

import torch

TARGETS = r".*(language_model|layers).*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def timed(action, count):
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[count // 2:])


def step(options):
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2VLForConditionalGeneration

    model = Qwen2VLForConditionalGeneration.from_pretrained(options.model, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=64, lora_alpha=64, target_modules=TARGETS, exclude_modules=r".*visual.*"))
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    torch.manual_seed(1)
    tokens = torch.randint(0, 150000, (1, options.tokens))
    labels = tokens.clone()
    labels[:, : -options.answers] = -100

    def train():
        model(input_ids=tokens, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        optimizer.zero_grad()

    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"seconds": timed(train, options.steps), "trained_parameters": trained}


def rate(_):
    best = 0
    for width, inner in [(1536, 8960), (3584, 18944)]:
        x, w = torch.randn(1024, width).bfloat16(), torch.randn(inner, width).bfloat16()
        best = max(best, 2 * 1024 * width * inner / timed(lambda: torch.nn.functional.linear(x, w), 12))
    return {"flops": best}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["step", "rate"])
parser.add_argument("--model")
parser.add_argument("--tokens", type=int, default=506)
parser.add_argument("--answers", type=int, default=100)
parser.add_argument("--steps", type=int, default=6)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
print(json.dumps({"step": step, "rate": rate}[arguments.what](arguments)))

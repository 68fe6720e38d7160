#!/usr/bin/env python3
"""One LoRA training step in transformers and PEFT, a vision tower's forward pass, and the rate of bfloat16 products. Prints one JSON
object.

    true_size_peer.py step --model DIR --tokens 506 --answers 100 [--steps 6] [--threads 2]
    true_size_peer.py distill --model DIR --teacher DIR --samples 4 --tokens 1000 --answers 100 [--steps 6] [--device cuda]
    true_size_peer.py tower --model DIR --side 1000 [--threads 2]
    true_size_peer.py rate [--threads 2]

`step`: adapters of rank and alpha 64 on every linear map of the decoder (float32 beside bfloat16 weights, as PEFT makes them),
gradient checkpointing, AdamW; one text of random tokens whose last ones are the answer. seconds: median of the later half of the steps.
`distill`: the same of so many texts at once, whose answers are to say what another model's last layer says, by the KL divergence.
peak_bytes: of the device's memory.
`tower`: from patches to the rows that the decoder is given, of one picture of side x side pixels, for the architecture of
DIR/config.json with random weights. seconds: median of passes.
`rate`: FLOP/s of `torch.mm` at the shapes of the 2B's and the 7B's widest decoder product, 1,024 rows; the larger of them.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

TARGETS = r".*(language_model|layers).*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def timed(action, count):
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[count // 2:])


def with_adapters(directory, device):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.bfloat16).to(device)
    model = get_peft_model(model, LoraConfig(r=64, lora_alpha=64, target_modules=TARGETS, exclude_modules=r".*visual.*"))
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
    model.train()
    return model, [p for p in model.parameters() if p.requires_grad]


def step(options):
    model, trained = with_adapters(options.model, "cpu")
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    torch.manual_seed(1)
    tokens = torch.randint(0, 150000, (1, options.tokens))
    labels = tokens.clone()
    labels[:, : -options.answers] = -100

    def train():
        model(input_ids=tokens, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return {"seconds": timed(train, options.steps), "trained_parameters": sum(p.numel() for p in trained)}


def distill(options):
    from transformers import AutoModelForImageTextToText

    device = torch.device(options.device)
    model, trained = with_adapters(options.model, device)
    teacher = AutoModelForImageTextToText.from_pretrained(options.teacher, dtype=torch.bfloat16).to(device).eval()
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    torch.manual_seed(1)
    tokens = torch.randint(0, 150000, (options.samples, options.tokens)).to(device)

    def logits_of(model):
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=options.answers + 1).logits[:, :-1].float()
        return logits.flatten(0, 1)

    def train():
        with torch.no_grad():
            wanted = logits_of(teacher)
        own = logits_of(model)
        shared = min(own.shape[1], wanted.shape[1])
        log_p, log_q = wanted[:, :shared].log_softmax(-1), own[:, :shared].log_softmax(-1)
        torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean").backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = timed(train, options.steps)
    return {"seconds": seconds, "peak_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0}


@torch.no_grad()
def tower(options):
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(options.model)
    config.text_config.num_hidden_layers, config.text_config.vocab_size = 1, 16  # the decoder is not used
    if hasattr(config.text_config, "layer_types"):
        config.text_config.layer_types = config.text_config.layer_types[:1]
    model = AutoModel.from_config(config, dtype=torch.bfloat16).eval()
    settings = json.loads((Path(options.model) / "preprocessor_config.json").read_text())
    side = options.side
    if hasattr(model, "visual"):
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

        size, patch = settings.get("size", {}), settings["patch_size"]
        low, high = settings.get("min_pixels", size.get("shortest_edge")), settings.get("max_pixels", size.get("longest_edge"))
        height, width = smart_resize(side, side, factor=2 * patch, min_pixels=low, max_pixels=high)
        grid = torch.tensor([[1, height // patch, width // patch]])
        patches = torch.randn(int(grid.prod()), 3 * 2 * patch * patch)
        look = lambda: model.get_image_features(patches, grid).pooler_output
        num_patches = patches.shape[0]
    else:
        from transformers.image_processing_utils import select_best_resolution

        view = config.vision_config.image_size
        height, width = select_best_resolution((side, side), config.image_grid_pinpoints)
        views = torch.randn(1, 1 + height // view * (width // view), 3, view, view).bfloat16()
        sizes = torch.tensor([[side, side]])
        look = lambda: model.get_image_features(views, sizes, batch_num_images=torch.tensor([1])).pooler_output
        num_patches = views.shape[1] * (view // config.vision_config.patch_size) ** 2
    rows = sum(part.shape[0] for part in look())
    return {"seconds": timed(look, 3), "patches": num_patches, "rows": rows}


def rate(_):
    best = 0
    for width, inner in [(1536, 8960), (3584, 18944)]:
        x, w = torch.randn(1024, width).bfloat16(), torch.randn(inner, width).bfloat16()
        best = max(best, 2 * 1024 * width * inner / timed(lambda: torch.nn.functional.linear(x, w), 12))
    return {"flops": best}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["step", "distill", "tower", "rate"])
parser.add_argument("--model")
parser.add_argument("--teacher")
parser.add_argument("--device", default="cpu")
parser.add_argument("--samples", type=int, default=1)
parser.add_argument("--tokens", type=int, default=506)
parser.add_argument("--answers", type=int, default=100)
parser.add_argument("--side", type=int, default=1000)
parser.add_argument("--steps", type=int, default=6)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
print(json.dumps({"step": step, "distill": distill, "tower": tower, "rate": rate}[arguments.what](arguments)))

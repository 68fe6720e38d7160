"""The quickstart's training in plain PyTorch + transformers: the peer that the program's seconds per iteration are held to.

Versions: torch 2.13.0, transformers 5.23.0, tokenizers 0.23.3, Pillow 13.
Samples are padded on the right to the longest of their batch; attention is sdpa; language heads see answer positions only;
the optimizer is the fused AdamW. Reading, tokenizing, picture preprocessing and collation are outside the timed part.

  quickstart_peer.py --phase finetune  --model STUDENT_OR_TEACHER --data train.json
  quickstart_peer.py --phase verbalize --model STUDENT_OR_TEACHER --layers 1,3,5 --data train.json
  quickstart_peer.py --phase interact  --model STUDENT --teacher TEACHER --data train.json

A model is a Hugging Face directory, or the word student or teacher for random weights of the quickstart's sizes, which
then need --tokenizer DIR. Prints one JSON object: {"phase", "seconds_per_iteration" (median), "losses", ...}.
(B samples, T padded tokens, N answer positions, D width, V vocabulary)
"""

import argparse
import contextlib
import json
import random
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from tokenizers import Tokenizer
from torch import nn
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

SYSTEM = "You are a helpful assistant."
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SIZES = {
    "teacher": dict(hidden_size=128, intermediate_size=256, num_hidden_layers=8, tie_word_embeddings=False,
                    mrope_section=[4, 6, 6]),
    "student": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=8, tie_word_embeddings=True,
                    mrope_section=[2, 2, 2]),
}
VISION = dict(depth=2, embed_dim=64, num_heads=4, mlp_ratio=2, patch_size=8, spatial_merge_size=2,
              temporal_patch_size=2, in_channels=3)
TARGET_LAYERS = {"student": [1, 3, 5], "teacher": [1, 2, 3, 4, 6]}


def load_tokenizer(directory):
    return Tokenizer.from_file(str(Path(directory) / "tokenizer.json"))


def build_model(name, tokenizer):
    """Random weights of the quickstart's sizes; the vocabulary is padded to a multiple of 64."""
    size = dict(SIZES[name])
    section = size.pop("mrope_section")
    special = {key: tokenizer.token_to_id(token) for key, token in (
        ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>"),
        ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"),
        ("bos_token_id", "<|endoftext|>"), ("eos_token_id", "<|im_end|>"))}
    config = Qwen2VLConfig(
        **size, **special, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1e6,
        max_window_layers=size["num_hidden_layers"], vocab_size=-(-tokenizer.get_vocab_size() // 64) * 64,
        rope_scaling={"type": "mrope", "mrope_section": section},
        vision_config=dict(VISION, hidden_size=size["hidden_size"]))
    return Qwen2VLForConditionalGeneration._from_config(config, attn_implementation="sdpa")


def load_model(name, tokenizer):
    if name in SIZES:
        return build_model(name, tokenizer).float()
    return Qwen2VLForConditionalGeneration.from_pretrained(name, dtype=torch.float32, attn_implementation="sdpa")


def cut_patches(path, vision):
    """One picture's patches [P, 3 * time * patch * patch] in Qwen2-VL's order, and its grid (t, h, w)."""
    patch, merge, time_patch = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    step = patch * merge
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    width, height = (max(step, round(side / step) * step) for side in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.BICUBIC)
    pixels = (np.asarray(picture, dtype=np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)  # [H, W, 3]
    h, w = height // patch, width // patch
    blocks = pixels.reshape(h // merge, merge, patch, w // merge, merge, patch, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    rows = blocks.reshape(h * w, 3, 1, patch * patch).repeat(time_patch, axis=2).reshape(h * w, -1)
    return torch.from_numpy(rows), (1, h, w)


def read_samples(path, images, tokenizer, vision, limit):
    """LLaVA records with at most one picture each, which stands in the first user turn."""
    path = Path(path)
    records = json.loads(path.read_text())[:limit]
    folder = Path(images) if images else path.parent
    pictures, samples = {}, []
    for record in records:
        patches, grid = None, None
        if record.get("image"):
            name = record["image"] if isinstance(record["image"], str) else record["image"][0]
            if name not in pictures:
                pictures[name] = cut_patches(folder / name, vision)
            patches, grid = pictures[name]
        samples.append({**encode(record, tokenizer, grid, vision.spatial_merge_size), "patches": patches, "grid": grid})
    return samples


def encode(record, tokenizer, grid, merge):
    """Token ids and labels; labels[i] is the id at i where it belongs to an answer (its end of turn too), else -100."""
    tokens, labels = [], []

    def add(text, is_answer):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        tokens.extend(ids)
        labels.extend(ids if is_answer else [-100] * len(ids))

    add(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n", False)
    for turn in record["conversations"]:
        if turn["from"] in ("human", "user"):
            text = turn["value"].replace("<image>\n", "<image>").replace("\n<image>", "<image>")
            if grid:
                pads = "<|image_pad|>" * (grid[0] * grid[1] * grid[2] // merge**2)
                text = text.replace("<image>", f"<|vision_start|>{pads}<|vision_end|>")
            add(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n", False)
        else:
            add(f"{turn['value']}<|im_end|>", True)
            add("\n", False)
    return {"tokens": tokens, "labels": labels}


def collate(samples, image_token, pad_token):
    """Right-padded inputs [B, T] for the model, the answer positions as a mask [B, T], and their labels [N]."""
    length = max(len(sample["tokens"]) for sample in samples)

    def padded(key, fill):
        return torch.tensor([sample[key] + [fill] * (length - len(sample[key])) for sample in samples])

    tokens, labels = padded("tokens", pad_token), padded("labels", -100)
    attention = torch.tensor([[1] * len(sample["tokens"]) + [0] * (length - len(sample["tokens"])) for sample in samples])
    next_labels = F.pad(labels[:, 1:], (0, 1), value=-100)
    inputs = {"input_ids": tokens, "attention_mask": attention,
              "mm_token_type_ids": (tokens == image_token).int(), "use_cache": False}
    with_picture = [sample for sample in samples if sample["grid"]]
    if with_picture:
        inputs["pixel_values"] = torch.cat([sample["patches"] for sample in with_picture])
        inputs["image_grid_thw"] = torch.tensor([sample["grid"] for sample in with_picture])
    answers = next_labels != -100
    return inputs, answers, next_labels[answers]


def batches_of(samples, size, seed, image_token, pad_token):
    order = random.Random(seed)
    while True:
        indices = list(range(len(samples)))
        order.shuffle(indices)
        for start in range(0, len(indices) - size + 1, size):
            yield collate([samples[i] for i in indices[start:start + size]], image_token, pad_token)


class VerbFfn(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate, self.up, self.down = (nn.Linear(width, width, bias=False) for _ in range(3))

    def forward(self, rows):
        return self.down(F.silu(self.gate(rows)) * self.up(rows))


def verbalizers_of(model, layers):
    return nn.ModuleList(VerbFfn(model.config.text_config.hidden_size) for _ in layers)


def answer_rows(model, inputs, answers, layers):
    """Raw outputs of the target layers and the final normed rows, at the answer positions: [N, D] each."""
    outputs = model.model(**inputs, output_hidden_states=bool(layers))
    return [outputs.hidden_states[layer][answers] for layer in layers], outputs.last_hidden_state[answers]


def train_parts(model, parts):
    """Freezes everything but the named parts: decoder (layers and final norm), embeddings, head."""
    model.requires_grad_(False)
    text = model.model.language_model
    modules = {"decoder": [text.layers, text.norm], "embeddings": [text.embed_tokens], "head": [model.lm_head]}
    for part in parts:
        if part == "head" and model.config.tie_word_embeddings:
            continue
        for module in modules[part]:
            module.requires_grad_(True)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def finetune(model, parts):
    trained = train_parts(model, parts)

    def loss_of(inputs, answers, labels):
        _, final = answer_rows(model, inputs, answers, [])
        return F.cross_entropy(model.lm_head(final).float(), labels)

    return trained, loss_of


def verbalize(model, layers):
    model.requires_grad_(False)
    verbalizers = verbalizers_of(model, layers)

    def loss_of(inputs, answers, labels):
        with torch.no_grad():
            rows, _ = answer_rows(model, inputs, answers, layers)
        return sum(F.cross_entropy(model.lm_head(verbalizer(row)).float(), labels)
                   for verbalizer, row in zip(verbalizers, rows))

    return list(verbalizers.parameters()), loss_of


def interact(student, teacher, student_layers, teacher_layers, seed):
    trained = train_parts(student, ["decoder"])
    teacher.requires_grad_(False)
    says_student = verbalizers_of(student, student_layers).requires_grad_(False)
    says_teacher = verbalizers_of(teacher, teacher_layers).requires_grad_(False)
    vocabulary = min(student.lm_head.weight.shape[0], teacher.lm_head.weight.shape[0])
    generator = torch.Generator().manual_seed(seed)

    def log_probabilities(model, rows):
        return F.log_softmax(model.lm_head(rows)[:, :vocabulary].float(), -1)

    def kl(p, q):
        return F.kl_div(q, p, reduction="batchmean", log_target=True)

    def loss_of(inputs, answers, labels):
        with torch.no_grad():
            rows, final = answer_rows(teacher, inputs, answers, teacher_layers)
            from_teacher = [log_probabilities(teacher, verbalizer(row)) for verbalizer, row in zip(says_teacher, rows)]
            teacher_final = log_probabilities(teacher, final)
        rows, final = answer_rows(student, inputs, answers, student_layers)
        loss, start = kl(teacher_final, log_probabilities(student, final)), 0
        for s, (verbalizer, row) in enumerate(zip(says_student, rows)):
            q = log_probabilities(student, verbalizer(row))
            divergences = torch.stack(
                [kl(p, q) for p in from_teacher[start:len(teacher_layers) - len(student_layers) + s + 1]])
            k = divergences.detach()
            temperature = (k.max() - k.min() + 1e-6) / 2
            chosen = int(torch.multinomial(F.softmax(-k / temperature, -1), 1, generator=generator))
            loss = loss + divergences[chosen]
            start += chosen + 1
        return loss

    return trained, loss_of


def layer_list(text):
    return [int(layer) for layer in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", required=True, choices=["finetune", "verbalize", "interact"])
    parser.add_argument("--model", required=True, help="directory, or student or teacher")
    parser.add_argument("--teacher", help="directory, or teacher; for interact")
    parser.add_argument("--tokenizer", help="directory with tokenizer.json; default: the model's")
    parser.add_argument("--data", required=True, help="LLaVA JSON file")
    parser.add_argument("--images", help="where picture paths start; default: the data file's folder")
    parser.add_argument("--layers", type=layer_list, help="target layers of --model")
    parser.add_argument("--teacher-layers", type=layer_list, default=TARGET_LAYERS["teacher"])
    parser.add_argument("--train", default="decoder,embeddings,head", help="parts that learn in finetune")
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=3, help="iterations before the timed ones")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--limit", type=int, default=4096, help="records read")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="bfloat16: autocast")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.phase == "interact" and not arguments.teacher:
        parser.error("--phase interact needs --teacher")
    if arguments.layers is None:
        arguments.layers = TARGET_LAYERS["teacher" if arguments.model == "teacher" else "student"]
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    tokenizer = load_tokenizer(arguments.tokenizer or arguments.model)
    model = load_model(arguments.model, tokenizer)
    samples = read_samples(arguments.data, arguments.images, tokenizer, model.config.vision_config, arguments.limit)
    if arguments.phase == "finetune":
        trained, loss_of = finetune(model, arguments.train.split(","))
    elif arguments.phase == "verbalize":
        trained, loss_of = verbalize(model, arguments.layers)
    else:
        teacher = load_model(arguments.teacher, tokenizer)
        trained, loss_of = interact(model, teacher, arguments.layers, arguments.teacher_layers, arguments.seed)
    optimizer = torch.optim.AdamW(trained, lr=arguments.learning_rate, weight_decay=0.0, fused=True)
    autocast = (torch.autocast("cpu", torch.bfloat16) if arguments.dtype == "bfloat16" else contextlib.nullcontext())
    batches = batches_of(samples, arguments.batch, arguments.seed, model.config.image_token_id,
                         tokenizer.token_to_id("<|endoftext|>"))
    losses, seconds, num_answers = [], [], []
    for iteration in range(arguments.warmup + arguments.iterations):
        batch = next(batches)
        began = time.perf_counter()
        optimizer.zero_grad()
        with autocast:
            loss = loss_of(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if iteration >= arguments.warmup:
            seconds.append(time.perf_counter() - began)
            num_answers.append(len(batch[2]))
    json.dump({"phase": arguments.phase, "seconds_per_iteration": statistics.median(seconds), "losses": losses,
               "batch": arguments.batch, "answer_positions": statistics.median(num_answers), "dtype": arguments.dtype,
               "threads": torch.get_num_threads()}, sys.stdout)
    print()


if __name__ == "__main__":
    main()

"""Makes tests/data/qwen2_vl/{tied,untied}: two tiny random Qwen2-VL models with inputs, activations, gradients, training
losses and greedy tokens, as transformers computes them.

Versions: torch 2.13.0, transformers 5.23.0. Run again with --check under transformers 5.23.0 and under 4.53.3: both load
the written directories without a missing or unexpected tensor and give the stored logits, positions and greedy tokens.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

from tiny_qwen2_vl import (LayerRecorder, flat_config, load_model, make_sample, model_inputs, named_parameters,
                           rope_positions, write_model)

DATA = Path(__file__).resolve().parent.parent / "data" / "qwen2_vl"
NUM_GREEDY = 12
TEXT = dict(hidden=48, layers=3, heads=4, kv_heads=2, intermediate=48, vocabulary=128, mrope_section=[2, 2, 2],
            first_special=120)
VARIANTS = {
    "tied": flat_config(tied=True, patch=8, **TEXT),
    "untied": flat_config(tied=False, patch=14, **TEXT),
}
SAMPLES = {
    "text": [("text", 7), ("answer", 3), ("text", 4), ("answer", 2)],
    "one_image": [("text", 3), ("image", (1, 4, 6)), ("text", 4), ("answer", 3)],
    "two_images": [("text", 2), ("image", (1, 4, 2)), ("text", 3), ("image", (1, 2, 6)), ("text", 3), ("answer", 4)],
}
OPTIMIZER = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
CLIP_NORM = 1.0
NUM_UPDATES = 10


def summed_loss(model, samples):
    """Cross entropy summed over the answer positions of all samples, each run alone."""
    total = 0
    for sample in samples.values():
        logits = model(**model_inputs(model, sample)).logits[0]
        total = total + F.cross_entropy(logits[sample["answer_positions"]], sample["labels"], reduction="sum")
    return total


def num_labels(samples):
    return sum(len(sample["labels"]) for sample in samples.values())


def greedy(model, sample):
    """The prompt ends before the first answer token; end-of-sequence tokens do not stop."""
    length = int(sample["answer_positions"][0]) + 1
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    output = model.generate(**model_inputs(model, sample, length), do_sample=False, repetition_penalty=1.0,
                            max_new_tokens=NUM_GREEDY, num_beams=1)
    tokens = output[0, length:]
    if len(tokens) != NUM_GREEDY:
        raise RuntimeError(f"generate stopped after {len(tokens)} tokens")
    return tokens.contiguous()


@torch.no_grad()
def forward_case(model, model_bf16, sample):
    inputs = model_inputs(model, sample)
    with LayerRecorder(model) as recorder:
        outputs = model(**inputs, output_hidden_states=True)
    layers = [rows for _, rows in sorted(recorder.rows.items())]
    for index, rows in enumerate(layers[:-1], start=1):
        assert torch.equal(rows, outputs.hidden_states[index][0]), index
    normed = outputs.hidden_states[-1][0]
    assert torch.equal(normed, model.model.language_model.norm(layers[-1]))
    case = dict(sample)
    case["positions"], next_position = rope_positions(model, sample)
    case["next_position"] = torch.tensor([next_position])
    case["embeddings"] = outputs.hidden_states[0][0]
    case["layer_outputs"] = torch.stack(layers)
    case["normed"] = normed
    case["logits"] = outputs.logits[0]
    case["loss"] = F.cross_entropy(case["logits"][sample["answer_positions"]], sample["labels"])[None]
    case["logits_bf16"] = model_bf16(**model_inputs(model_bf16, sample)).logits[0]
    if "grids" in sample:
        visual = model.model.visual(sample["patches"], grid_thw=sample["grids"])
        case["image_features"] = getattr(visual, "pooler_output", visual)
    case["prompt_length"] = sample["answer_positions"][:1] + 1
    case["greedy"] = greedy(model, sample)
    return {name: value.contiguous().clone() for name, value in case.items()}


def gradients(model, samples):
    loss = summed_loss(model, samples) / num_labels(samples)
    loss.backward()
    stored = {name: parameter.grad.contiguous() for name, parameter in named_parameters(model).items()}
    model.zero_grad()
    return loss.item(), stored


def training_run(directory, samples):
    """Losses before each update, and the gradient norm before clipping. The vision tower and merger are frozen."""
    model = load_model(directory)
    trained = [parameter for name, parameter in named_parameters(model).items() if not name.startswith("visual.")]
    model.model.visual.requires_grad_(False)
    optimizer = torch.optim.AdamW(trained, **OPTIMIZER)
    losses, norms = [], []
    for _ in range(NUM_UPDATES):
        optimizer.zero_grad()
        loss = summed_loss(model, samples) / num_labels(samples)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained, CLIP_NORM)))
        losses.append(loss.item())
        optimizer.step()
    return losses, norms


def make(name, config):
    directory = DATA / name
    source = write_model(directory, config, seed=11)
    model = load_model(directory)
    model_bf16 = load_model(directory, torch.bfloat16)
    generator = torch.Generator().manual_seed(12)
    samples = {key: make_sample(segments, config, generator) for key, segments in SAMPLES.items()}
    for key, sample in samples.items():
        with torch.no_grad():
            assert torch.equal(source(**model_inputs(source, sample)).logits,
                               model(**model_inputs(model, sample)).logits)
        save_file(forward_case(model, model_bf16, sample), directory / f"case_{key}.safetensors")
    loss, grads = gradients(model, samples)
    save_file(grads, directory / "gradients.safetensors")
    losses, norms = training_run(directory, samples)
    expected = {
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "cases": list(SAMPLES),
        "num_labels": num_labels(samples),
        "loss": loss,
        "training": {"optimizer": OPTIMIZER, "clip_norm": CLIP_NORM, "losses": losses, "gradient_norms": norms},
    }
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(name, "loss", loss, "logit std", float(load_file(directory / "case_text.safetensors")["logits"].std()),
          "training", losses)


@torch.no_grad()
def check(name):
    directory = DATA / name
    model, model_bf16 = load_model(directory), load_model(directory, torch.bfloat16)
    for key in SAMPLES:
        case = load_file(directory / f"case_{key}.safetensors")
        logits = model(**model_inputs(model, case)).logits[0]
        logits_bf16 = model_bf16(**model_inputs(model_bf16, case)).logits[0]
        positions, next_position = rope_positions(model, case)
        assert torch.equal(positions, case["positions"]) and next_position == int(case["next_position"])
        assert torch.equal(greedy(model, case), case["greedy"]), key
        error = float((logits - case["logits"]).abs().max())
        error_bf16 = float((logits_bf16.float() - case["logits_bf16"].float()).abs().max())
        gap = float((case["logits"] - case["logits_bf16"].float()).abs().max())
        assert error < 1e-5, error
        print(f"transformers {transformers.__version__} {name}/{key}: logits differ by {error:.1e}, "
              f"bf16 logits by {error_bf16:.1e} (bf16 against float32 {gap:.1e})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for variant, variant_config in VARIANTS.items():
        check(variant) if arguments.check else make(variant, variant_config)

"""Makes tests/data/FAMILY/{tied,untied}: two tiny random models of a family with inputs, activations, gradients, training
losses and greedy tokens, as transformers computes them.

    python tests/oracle/make_model_fixture.py FAMILY... [--check]

Versions: torch 2.13.0, transformers 5.23.0. Run again with --check under transformers 5.23.0 and, for the families that it has
(not qwen3_vl), under 4.53.3: both load the written directories without a missing or unexpected tensor and give the stored logits,
positions and greedy tokens.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

from tiny_models import (LayerRecorder, llava_onevision_config, load_model, make_sample, model_inputs, named_parameters, part_of,
                         qwen2_5_vl_config, qwen2_vl_config, qwen3_vl_config, rope_positions, write_model)

DATA = Path(__file__).resolve().parent.parent / "data"
NUM_GREEDY = 12
QWEN2 = dict(hidden=48, layers=3, heads=4, kv_heads=2, intermediate=48, vocabulary=128, mrope_section=[2, 2, 2],
             first_special=120)
SMALL = dict(vocabulary=64, first_special=56)
# The new families' pictures have sides of several windows, of which the last ones are not full, and are smaller and larger
# than the table of positions.
VARIANTS = {
    "qwen2_vl": {
        "tied": qwen2_vl_config(tied=True, patch=8, **QWEN2),
        "untied": qwen2_vl_config(tied=False, patch=14, **QWEN2),
    },
    "qwen2_5_vl": {
        "tied": qwen2_5_vl_config(tied=True, hidden=32, layers=3, heads=4, kv_heads=2, intermediate=40, mrope_section=[2, 1, 1],
                                  patch=4, window_cells=2, full_blocks=[1], **SMALL),
        "untied": qwen2_5_vl_config(tied=False, hidden=40, layers=3, heads=5, kv_heads=1, intermediate=32,
                                    mrope_section=[1, 1, 2], patch=6, window_cells=3, full_blocks=[0, 3], vision_depth=4, **SMALL),
    },
    "qwen3_vl": {
        "tied": qwen3_vl_config(tied=True, hidden=32, layers=4, heads=4, kv_heads=2, head_dim=12, intermediate=40,
                                mrope_section=[2, 2, 2], patch=4, taps=[0, 1, 3], table_side=5, vision_depth=4, **SMALL),
        "untied": qwen3_vl_config(tied=False, hidden=40, layers=3, heads=3, kv_heads=1, head_dim=16, intermediate=32,
                                  mrope_section=[4, 2, 2], patch=6, taps=[0, 2], table_side=4, vision_depth=3, vision_width=12,
                                  vision_heads=1, **SMALL),
    },
    # Views with pixels that no patch reads; grids of which some are reduced; a list of grids that is not symmetrical.
    "llava_onevision": {
        "tied": llava_onevision_config(tied=True, hidden=32, layers=3, heads=4, kv_heads=2, intermediate=40, patch=6, image_size=20,
                                       grids=[(h, w) for h in (1, 2, 3) for w in (1, 2, 3)], max_views=2, **SMALL),
        "untied": llava_onevision_config(tied=False, hidden=40, layers=3, heads=5, kv_heads=1, intermediate=32, patch=7,
                                         image_size=14, grids=[(1, 1), (1, 2), (3, 1), (2, 2)], max_views=9, vision_depth=3,
                                         vision_width=12, vision_heads=1, vision_eps=1e-05, theta=10000.0, **SMALL),
    },
}
TEXT = [("text", 7), ("answer", 3), ("text", 4), ("answer", 2)]
SAMPLES = {
    "qwen2_vl": {
        "text": TEXT,
        "one_image": [("text", 3), ("image", (1, 4, 6)), ("text", 4), ("answer", 3)],
        "two_images": [("text", 2), ("image", (1, 4, 2)), ("text", 3), ("image", (1, 2, 6)), ("text", 3), ("answer", 4)],
    },
} | dict.fromkeys(["qwen2_5_vl", "qwen3_vl"], {
    "text": TEXT,
    "one_image": [("text", 3), ("image", (1, 6, 10)), ("text", 4), ("answer", 3)],
    "two_images": [("text", 2), ("image", (1, 8, 4)), ("image", (1, 2, 6)), ("text", 3), ("answer", 2), ("text", 2),
                   ("answer", 4)],
}) | {
    "llava_onevision": {
        "text": TEXT,
        "one_image": [("text", 3), ("image", (37, 50)), ("text", 4), ("answer", 3)],
        "two_images": [("text", 2), ("image", (9, 30)), ("image", (31, 12)), ("text", 3), ("answer", 2), ("text", 2), ("answer", 4)],
        "thin_image": [("text", 2), ("image", (3, 500)), ("text", 2), ("answer", 2)],
    },
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
    is_text = torch.ones(len(sample["tokens"]), dtype=torch.bool)
    is_text[sample.get("image_token_positions", [])] = False
    for index, rows in enumerate(layers[:-1], start=1):  # which transformers records before DeepStack's addition
        assert torch.equal(rows[is_text], outputs.hidden_states[index][0][is_text]), index
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
    if "image_sizes" in sample:
        visual = model.model.get_image_features(*(inputs[name] for name in ("pixel_values", "image_sizes")),
                                                batch_num_images=inputs["batch_num_images"])
        case["image_features"] = torch.cat(list(getattr(visual, "pooler_output", visual)))
    if "grids" in sample:
        visual = model.model.visual(sample["patches"], grid_thw=sample["grids"])
        case["image_features"] = getattr(visual, "pooler_output", visual)
        for index, rows in enumerate(getattr(visual, "deepstack_features", [])):
            case[f"added_rows_{index}"] = rows
    case["prompt_length"] = sample["answer_positions"][:1] + 1
    case["greedy"] = greedy(model, sample)
    return {name: value.contiguous().clone() for name, value in case.items()}


def gradients(model, samples):
    loss = summed_loss(model, samples) / num_labels(samples)
    loss.backward()
    stored = {name: parameter.grad.contiguous() for name, parameter in named_parameters(model).items()
              if parameter.grad is not None}  # a norm behind the vision tower has none
    model.zero_grad()
    return loss.item(), stored


def training_run(directory, samples):
    """Losses before each update, and the gradient norm before clipping. The vision tower and merger are frozen."""
    model = load_model(directory)
    trained = []
    for name, parameter in named_parameters(model).items():
        parameter.requires_grad_(part_of(name) != "vision")
        trained += [parameter] if parameter.requires_grad else []
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


def make(family, variant):
    directory = DATA / family / variant
    config = VARIANTS[family][variant]
    source = write_model(directory, config, seed=11)
    model = load_model(directory)
    model_bf16 = load_model(directory, torch.bfloat16)
    generator = torch.Generator().manual_seed(12)
    samples = {key: make_sample(segments, config, generator) for key, segments in SAMPLES[family].items()}
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
        "cases": list(samples),
        "num_labels": num_labels(samples),
        "loss": loss,
        "training": {"optimizer": OPTIMIZER, "clip_norm": CLIP_NORM, "losses": losses, "gradient_norms": norms},
    }
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(family, variant, "loss", loss, "logit std", float(load_file(directory / "case_text.safetensors")["logits"].std()),
          "training", losses)


@torch.no_grad()
def check(family, variant):
    directory = DATA / family / variant
    model, model_bf16 = load_model(directory), load_model(directory, torch.bfloat16)
    for key in SAMPLES[family]:
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
        print(f"transformers {transformers.__version__} {family}/{variant}/{key}: logits differ by {error:.1e}, "
              f"bf16 logits by {error_bf16:.1e} (bf16 against float32 {gap:.1e})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="+", choices=VARIANTS)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for chosen in arguments.families:
        for name in VARIANTS[chosen]:
            check(chosen, name) if arguments.check else make(chosen, name)

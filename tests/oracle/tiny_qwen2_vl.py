"""Tiny random Qwen2-VL models and samples, shared by the scripts that make fixtures.

Versions: torch 2.13.0, transformers 5.23.0 (4.53.3 for the cross-checks), safetensors.
Models are built by transformers from a flat config.json and stored under the flat layout's tensor names.
(B samples, T tokens, N answer positions, D width, V vocabulary, P patches, M image tokens)
"""

import json
import math
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, Qwen2VLForConditionalGeneration

TRANSFORMERS_5 = int(transformers.__version__.split(".")[0]) >= 5
SPECIAL_TOKENS = ["bos", "start_of_turn", "end_of_turn", "vision_start", "vision_end", "vision_pad", "image", "video"]


def special_ids(first):
    return {name: first + offset for offset, name in enumerate(SPECIAL_TOKENS)}


def flat_config(*, hidden, layers, heads, kv_heads, intermediate, vocabulary, mrope_section, tied, patch, first_special,
                vision_depth=2, vision_width=16, vision_heads=2, vision_mlp_ratio=2, dtype="float32"):
    """config.json in the flat layout, with a complete vision_config."""
    ids = special_ids(first_special)
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": ids["bos"],
        "eos_token_id": ids["end_of_turn"],
        "vision_start_token_id": ids["vision_start"],
        "vision_end_token_id": ids["vision_end"],
        "vision_token_id": ids["vision_pad"],
        "image_token_id": ids["image"],
        "video_token_id": ids["video"],
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": intermediate,
        "max_position_embeddings": 32768,
        "max_window_layers": layers,
        "model_type": "qwen2_vl",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": tied,
        "torch_dtype": dtype,
        "transformers_version": "4.41.2",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": vision_depth,
            "embed_dim": vision_width,
            "mlp_ratio": vision_mlp_ratio,
            "num_heads": vision_heads,
            "in_chans": 3,
            "hidden_size": hidden,
            "patch_size": patch,
            "spatial_merge_size": 2,
            "spatial_patch_size": patch,
            "temporal_patch_size": 2,
        },
        "rope_scaling": {"type": "mrope", "mrope_section": mrope_section},
        "vocab_size": vocabulary,
    }


def flat_name(name):
    """transformers' in-memory parameter name -> the name in a flat checkpoint."""
    if name.startswith("model.visual."):
        return name[len("model."):]
    if name.startswith("model.language_model."):
        return "model." + name[len("model.language_model."):]
    return name


def named_parameters(model):
    """Every parameter once (a tied head is the embedding), under its flat name, in alphabetical order."""
    return dict(sorted((flat_name(name), parameter) for name, parameter in model.named_parameters()))


def randomize(model, seed):
    """Weights that give logits around one or two units; norms around one, biases away from zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in named_parameters(model).items():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                value = 0.1 * noise
            elif parameter.dim() == 1:
                value = 1 + 0.1 * noise
            elif name == "model.embed_tokens.weight":
                value = 0.15 * noise
            elif name == "lm_head.weight":
                value = 2 * noise / math.sqrt(parameter.shape[1])
            else:
                value = noise / math.sqrt(parameter[0].numel())
            parameter.copy_(value)


def write_model(directory, config, seed):
    """Builds a random model with transformers and writes it as a flat directory; returns the model in memory."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = Qwen2VLForConditionalGeneration._from_config(
        AutoConfig.from_pretrained(directory), attn_implementation="eager")
    model = model.float().eval()
    randomize(model, seed)
    save_file({name: parameter.detach().contiguous().clone() for name, parameter in named_parameters(model).items()},
              directory / "model.safetensors", metadata={"format": "pt"})
    return model


def load_model(directory, dtype=torch.float32, attention="eager"):
    """Loads a flat directory; a missing, unexpected or misshapen tensor is an error."""
    keyword = "dtype" if TRANSFORMERS_5 else "torch_dtype"
    model, info = Qwen2VLForConditionalGeneration.from_pretrained(
        directory, attn_implementation=attention, output_loading_info=True, **{keyword: dtype})
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[kind]:
            raise RuntimeError(f"{directory}: {kind}: {sorted(info[kind])}")
    return model.eval()


def make_sample(segments, config, generator):
    """One sample from segments: ("text", n) random tokens, ("image", (t, h, w)), ("answer", n) an answer turn of n random
    tokens closed by the end-of-turn token. Answer positions are those whose next token belongs to an answer. Without
    pictures the three picture entries are absent."""
    ids = special_ids(config["bos_token_id"])
    vision = config["vision_config"]
    row_width = 3 * vision["temporal_patch_size"] * vision["patch_size"] ** 2

    def draw(count):
        return torch.randint(0, config["bos_token_id"], (count,), generator=generator).tolist()

    tokens, answer_positions, grids, patches = [], [], [], []
    for kind, value in segments:
        if kind == "text":
            tokens += draw(value)
        elif kind == "image":
            t, h, w = value
            tokens += [ids["vision_start"]] + [ids["image"]] * (t * h * w // 4) + [ids["vision_end"]]
            grids.append(value)
            patches.append(torch.randn(t * h * w, row_width, generator=generator))
        else:
            answer = draw(value) + [ids["end_of_turn"]]
            answer_positions += range(len(tokens) - 1, len(tokens) - 1 + len(answer))
            tokens += answer
    sample = {
        "tokens": torch.tensor(tokens),  # [T]
        "answer_positions": torch.tensor(answer_positions),  # [N]
        "labels": torch.tensor([tokens[position + 1] for position in answer_positions]),  # [N]
    }
    if grids:
        sample["image_token_positions"] = torch.tensor([i for i, token in enumerate(tokens) if token == ids["image"]])
        sample["grids"] = torch.tensor(grids)  # [images, 3]
        sample["patches"] = torch.cat(patches)  # [P, C]
    return sample


def model_inputs(model, sample, length=None):
    """Arguments of one unpadded sample alone, cut after `length` tokens (which must keep all pictures)."""
    tokens = sample["tokens"][:length][None]
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if "grids" in sample:
        inputs["pixel_values"] = sample["patches"]
        inputs["image_grid_thw"] = sample["grids"]
        if TRANSFORMERS_5:
            inputs["mm_token_type_ids"] = (tokens == model.config.image_token_id).int()
    return inputs


def rope_positions(model, sample):
    """transformers' own M-RoPE positions [3, T] and the position that follows the last token."""
    inputs = model_inputs(model, sample)
    length = inputs["input_ids"].shape[1]
    if "grids" not in sample:
        return torch.arange(length).expand(3, -1).contiguous(), length
    inputs.pop("pixel_values")
    positions, delta = model.model.get_rope_index(**inputs)
    return positions[:, 0].contiguous(), length + int(delta)


class LayerRecorder:
    """Keeps the raw output [T, D] of every decoder layer during a forward pass of one sample."""

    def __init__(self, model):
        self.rows = {}
        self.handles = [layer.register_forward_hook(self.keep(index))
                        for index, layer in enumerate(model.model.language_model.layers, start=1)]

    def keep(self, index):
        def hook(module, arguments, output):
            self.rows[index] = (output[0] if isinstance(output, tuple) else output)[0]
        return hook

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for handle in self.handles:
            handle.remove()

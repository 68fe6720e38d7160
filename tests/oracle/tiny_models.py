"""Tiny random models of the families and samples for them, shared by the scripts that make fixtures.

Versions: torch 2.13.0, transformers 5.23.0 (4.53.3 for the cross-checks), safetensors.
Models are built by transformers from a config.json in the layout of the family's hub directories, and stored under the names of
those directories.
(B samples, T tokens, N answer positions, D width, V vocabulary, P patches, M image tokens)
"""

import json
import math
from pathlib import Path
from types import MethodType, SimpleNamespace

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig
from transformers.image_processing_utils import select_best_resolution

TRANSFORMERS_5 = int(transformers.__version__.split(".")[0]) >= 5
SPECIAL_TOKENS = ["bos", "start_of_turn", "end_of_turn", "vision_start", "vision_end", "vision_pad", "image", "video"]
CLASSES = {  # in transformers, by model_type
    "qwen2_vl": "Qwen2VLForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "llava_onevision": "LlavaOnevisionForConditionalGeneration",
}
FLAT_FAMILIES = ["qwen2_vl", "qwen2_5_vl"]  # those whose hub directories have neither text_config nor `model.language_model.`

LLAVA_NAMES = [  # of LLaVA-OneVision, by which its hub directories call its modules
    ("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."),
    ("model.vision_tower.vision_model.", "vision_tower.vision_model."),
    ("model.vision_tower.", "vision_tower.vision_model."), ("model.", "")]
VISION_PREFIXES = ("visual.", "model.visual.", "vision_tower.", "multi_modal_projector.", "image_newline")


def special_ids(first):
    return {name: first + offset for offset, name in enumerate(SPECIAL_TOKENS)}


def qwen2_vl_config(*, hidden, layers, heads, kv_heads, intermediate, vocabulary, mrope_section, tied, patch, first_special,
                    vision_depth=2, vision_width=16, vision_heads=2, vision_mlp_ratio=2, dtype="float32"):
    """The flat layout, with a complete vision_config."""
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


def qwen2_5_vl_config(*, window_cells, full_blocks, vision_depth=3, vision_width=16, vision_heads=2, vision_intermediate=24,
                      **same):
    """The flat layout. Windows are window_cells x window_cells merged patches; the blocks of `full_blocks` have none."""
    config = qwen2_vl_config(**same)
    patch = same["patch"]
    return config | {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "max_position_embeddings": 128000,
        "model_type": "qwen2_5_vl",
        "vision_config": {
            "depth": vision_depth,
            "hidden_act": "silu",
            "hidden_size": vision_width,
            "intermediate_size": vision_intermediate,
            "num_heads": vision_heads,
            "in_chans": 3,
            "out_hidden_size": same["hidden"],
            "patch_size": patch,
            "spatial_merge_size": 2,
            "spatial_patch_size": patch,
            "window_size": 2 * patch * window_cells,
            "fullatt_block_indexes": full_blocks,
            "tokens_per_second": 2,
            "temporal_patch_size": 2,
        },
    }


def qwen3_vl_config(*, hidden, layers, heads, kv_heads, head_dim, intermediate, vocabulary, mrope_section, tied, patch,
                    first_special, taps, table_side, vision_depth, vision_width=16, vision_heads=2, vision_intermediate=24,
                    dtype="float32"):
    """The nested layout. DeepStack reads the outputs of the vision blocks `taps`."""
    ids = special_ids(first_special)
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "image_token_id": ids["image"],
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": ids["bos"],
            "dtype": dtype,
            "eos_token_id": ids["end_of_turn"],
            "head_dim": head_dim,
            "hidden_act": "silu",
            "hidden_size": hidden,
            "initializer_range": 0.02,
            "intermediate_size": intermediate,
            "max_position_embeddings": 262144,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "num_key_value_heads": kv_heads,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": mrope_section, "rope_type": "default"},
            "rope_theta": 5000000,
            "tie_word_embeddings": tied,
            "use_cache": True,
            "vocab_size": vocabulary,
        },
        "tie_word_embeddings": tied,
        "transformers_version": "4.57.0.dev0",
        "video_token_id": ids["video"],
        "vision_config": {
            "deepstack_visual_indexes": taps,
            "depth": vision_depth,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": vision_width,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": vision_intermediate,
            "model_type": "qwen3_vl",
            "num_heads": vision_heads,
            "num_position_embeddings": table_side**2,
            "out_hidden_size": hidden,
            "patch_size": patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": ids["vision_end"],
        "vision_start_token_id": ids["vision_start"],
    }


def llava_onevision_config(*, hidden, layers, heads, kv_heads, intermediate, vocabulary, tied, patch, image_size, grids, max_views,
                           first_special, vision_depth=2, vision_width=16, vision_heads=2, vision_intermediate=24, vision_eps=1e-06,
                           theta=1000000.0, dtype="float32"):
    """The nested layout. Grids are pairs of numbers of views, height first."""
    ids = special_ids(first_special)
    return {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": [[height * image_size, width * image_size] for height, width in grids],
        "image_token_index": ids["image"],
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": ids["bos"],
            "eos_token_id": ids["end_of_turn"],
            "hidden_act": "silu",
            "hidden_size": hidden,
            "initializer_range": 0.02,
            "intermediate_size": intermediate,
            "max_position_embeddings": 32768,
            "max_window_layers": layers,
            "model_type": "qwen2",
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "num_key_value_heads": kv_heads,
            "rms_norm_eps": 1e-06,
            "rope_theta": theta,
            "sliding_window": 32768,
            "tie_word_embeddings": tied,
            "torch_dtype": dtype,
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": vocabulary,
        },
        "tie_word_embeddings": tied,
        "torch_dtype": dtype,
        "transformers_version": "4.45.0",
        "use_image_newline_parameter": True,
        "video_token_index": ids["video"],
        "vision_aspect_ratio": f"anyres_max_{max_views}",
        "vision_config": {
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": vision_width,
            "image_size": image_size,
            "intermediate_size": vision_intermediate,
            "layer_norm_eps": vision_eps,
            "model_type": "siglip_vision_model",
            "num_attention_heads": vision_heads,
            "num_channels": 3,
            "num_hidden_layers": vision_depth,
            "patch_size": patch,
            "vision_use_head": False,
        },
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }


def text_of(config):
    """The part of a config.json that describes the decoder."""
    return config.get("text_config", config)


def model_class(model_type):
    return getattr(transformers, CLASSES[model_type])


def stored_name(name, model_type):
    """transformers' in-memory parameter name -> the name in the family's hub directories."""
    if model_type == "llava_onevision":
        for module, stored in LLAVA_NAMES:
            if name.startswith(module):
                return stored + name[len(module):]
    if model_type not in FLAT_FAMILIES:
        return name
    if name.startswith("model.visual."):
        return name[len("model."):]
    if name.startswith("model.language_model."):
        return "model." + name[len("model.language_model."):]
    return name


def named_parameters(model):
    """Every parameter once (a tied head is the embedding), under its stored name, in alphabetical order."""
    return dict(sorted((stored_name(name, model.config.model_type), parameter) for name, parameter in model.named_parameters()))


def part_of(name):
    """"vision" (the projector included), "embeddings", "decoder" or "head", by a stored name."""
    if name.startswith(VISION_PREFIXES):
        return "vision"
    if name.endswith("lm_head.weight"):
        return "head"
    return "embeddings" if name.endswith("embed_tokens.weight") else "decoder"


def randomize(model, seed):
    """Weights that give logits around one or two units; norms around one, biases away from zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in named_parameters(model).items():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                value = 0.1 * noise
            elif name.endswith("embed_tokens.weight") or name == "image_newline":
                value = 0.15 * noise
            elif parameter.dim() == 1:
                value = 1 + 0.1 * noise
            elif name.endswith("lm_head.weight"):
                value = 2 * noise / math.sqrt(parameter.shape[1])
            else:
                value = noise / math.sqrt(parameter[0].numel())
            parameter.copy_(value)


def write_model(directory, config, seed):
    """Builds a random model with transformers and writes it as a directory of its family; returns the model in memory."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = model_class(config["model_type"])._from_config(AutoConfig.from_pretrained(directory), attn_implementation="eager")
    model = model.float().eval()
    randomize(model, seed)
    save_file({name: parameter.detach().contiguous().clone() for name, parameter in named_parameters(model).items()},
              directory / "model.safetensors", metadata={"format": "pt"})
    return model


def load_model(directory, dtype=torch.float32, attention="eager"):
    """Loads a directory; a missing, unexpected or misshapen tensor is an error."""
    keyword = "dtype" if TRANSFORMERS_5 else "torch_dtype"
    config = json.loads((Path(directory) / "config.json").read_text())
    model, info = model_class(config["model_type"]).from_pretrained(
        directory, attn_implementation=attention, output_loading_info=True, **{keyword: dtype})
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[kind]:
            raise RuntimeError(f"{directory}: {kind}: {sorted(info[kind])}")
    return model.eval()


def num_views(size, config, is_alone):
    """Views of a picture of LLaVA-OneVision: itself and, without others beside it, its grid's."""
    if not is_alone:
        return 1
    height, width = select_best_resolution(list(size), config["image_grid_pinpoints"])
    side = config["vision_config"]["image_size"]
    return 1 + (height // side) * (width // side)


def num_picture_tokens(size, config, is_alone):
    """Of LLaVA-OneVision, as its processor counts them."""
    vision = config["vision_config"]
    base = (vision["image_size"] // vision["patch_size"])**2
    if not is_alone:
        return base + 1
    processor = SimpleNamespace(num_image_tokens=base, vision_aspect_ratio=config["vision_aspect_ratio"],
                                image_processor=SimpleNamespace(image_grid_pinpoints=config["image_grid_pinpoints"]))
    for method in ("_get_number_of_features", "_get_unpadded_features"):
        setattr(processor, method, MethodType(getattr(transformers.LlavaOnevisionProcessor, method), processor))
    return processor._get_number_of_features(*size, vision["image_size"], vision["image_size"])


def picture_shape(picture, config, is_alone):
    """Rows of patches and tokens of a picture, given as frames, rows and columns of patches or, of LLaVA-OneVision, as height
    and width in pixels."""
    if config["model_type"] != "llava_onevision":
        t, h, w = picture
        return t * h * w, t * h * w // 4
    vision = config["vision_config"]
    return (num_views(picture, config, is_alone) * (vision["image_size"] // vision["patch_size"])**2,
            num_picture_tokens(picture, config, is_alone))


def make_sample(segments, config, generator):
    """One sample from segments: ("text", n) random tokens, ("image", picture) as picture_shape takes it, ("answer", n) an answer
    turn of n random tokens closed by the end-of-turn token. Answer positions are those whose next token belongs to an answer.
    Without pictures the three picture entries are absent."""
    first_special = text_of(config)["bos_token_id"]
    ids = special_ids(first_special)
    vision = config["vision_config"]
    row_width = 3 * vision.get("temporal_patch_size", 1) * vision["patch_size"] ** 2
    is_alone = sum(kind == "image" for kind, _ in segments) == 1

    def draw(count):
        return torch.randint(0, first_special, (count,), generator=generator).tolist()

    tokens, answer_positions, grids, patches = [], [], [], []
    for kind, value in segments:
        if kind == "text":
            tokens += draw(value)
        elif kind == "image":
            num_patches, num_tokens = picture_shape(value, config, is_alone)
            tokens += [ids["vision_start"]] + [ids["image"]] * num_tokens + [ids["vision_end"]]
            grids.append(value)
            patches.append(torch.randn(num_patches, row_width, generator=generator))
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
        key = "image_sizes" if config["model_type"] == "llava_onevision" else "grids"
        sample[key] = torch.tensor(grids)  # [images, 3]; of image_sizes [images, 2]
        sample["patches"] = torch.cat(patches)  # [P, C]
    return sample


def view_pixels(patches, config):
    """Patches row by row [P, 3 * patch²] -> views [views, 3, side, side], black where no patch is."""
    side, patch = config.image_size, config.patch_size
    count = side // patch
    views = patches.view(-1, count, count, 3, patch, patch).permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, count * patch, count * patch)
    return F.pad(views, (0, side - count * patch, 0, side - count * patch))


def model_inputs(model, sample, length=None):
    """Arguments of one unpadded sample alone, cut after `length` tokens (which must keep all pictures)."""
    tokens = sample["tokens"][:length][None]
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    if "image_sizes" in sample:
        inputs["pixel_values"] = view_pixels(sample["patches"], model.config.vision_config)
        inputs["image_sizes"] = sample["image_sizes"]
        inputs["batch_num_images"] = torch.tensor([len(sample["image_sizes"])])
    if "grids" in sample:
        inputs["pixel_values"] = sample["patches"]
        inputs["image_grid_thw"] = sample["grids"]
        if TRANSFORMERS_5:
            inputs["mm_token_type_ids"] = (tokens == model.config.image_token_id).int()
    return inputs


def rope_positions(model, sample):
    """transformers' own positions, of M-RoPE [3, T], plain ones [1, T], and the position that follows the last token."""
    inputs = model_inputs(model, sample)
    length = inputs["input_ids"].shape[1]
    if model.config.model_type == "llava_onevision":
        return torch.arange(length)[None], length
    if "grids" not in sample:
        return torch.arange(length).expand(3, -1).contiguous(), length
    inputs.pop("pixel_values")
    positions, delta = model.model.get_rope_index(**inputs)
    return positions[:, 0].contiguous(), length + int(delta)


class LayerRecorder:
    """Keeps the residual stream [T, D] after every decoder layer of a forward pass of one sample: what the next layer, and
    after the last one the final norm, is given. DeepStack's rows are thus in it."""

    def __init__(self, model):
        self.rows = {}
        decoder = model.model.language_model
        self.handles = [module.register_forward_pre_hook(self.keep(index))
                        for index, module in enumerate([*decoder.layers[1:], decoder.norm], start=1)]

    def keep(self, index):
        def hook(module, arguments):
            self.rows[index] = arguments[0][0]
        return hook

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for handle in self.handles:
            handle.remove()

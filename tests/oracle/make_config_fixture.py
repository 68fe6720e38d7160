"""Makes tests/data/FAMILY/configs.json and names.json: layouts of config.json with what transformers reads in them, and the names
that it gives to tensors in files.

    python tests/oracle/make_config_fixture.py FAMILY...        of qwen2_5_vl, qwen3_vl, llava_onevision

Versions: torch 2.13.0, transformers 5.23.0. `expected` has the keys of the family's hub directories; in it, tie_word_embeddings
says whether the head of a model of this configuration is the embedding. names.json is of the tied model of
make_model_fixture.py: "written" as its directory has them, "gen-2" as modules are called, "base" as the model without head
saves them.
"""

import copy
import json
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig

from tiny_models import llava_onevision_config, load_model, model_class, qwen2_5_vl_config, qwen3_vl_config

DATA = Path(__file__).resolve().parent.parent / "data"
TEXT = dict(hidden=64, layers=3, heads=8, kv_heads=2, intermediate=96, vocabulary=160, first_special=150, tied=False)
FLAT = qwen2_5_vl_config(patch=14, mrope_section=[2, 1, 1], window_cells=4, full_blocks=[1, 2], vision_depth=5, vision_width=48,
                         vision_heads=3, vision_intermediate=56, **TEXT)
NESTED = qwen3_vl_config(patch=16, mrope_section=[3, 3, 2], head_dim=16, taps=[1, 3], table_side=6, vision_depth=4,
                         vision_width=48, vision_heads=3, vision_intermediate=56, **TEXT)
LLAVA = llava_onevision_config(patch=9, image_size=40, grids=[(1, 1), (1, 3), (2, 2)], max_views=4, vision_depth=4, vision_width=48,
                               vision_heads=3, vision_intermediate=56, vision_eps=1e-5, **TEXT)
TEXT_KEYS = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
             "max_position_embeddings", "rms_norm_eps", "vocab_size"]
VISION_KEYS = ["depth", "hidden_act", "hidden_size", "intermediate_size", "num_heads", "in_channels", "out_hidden_size",
               "patch_size", "spatial_merge_size", "temporal_patch_size"]
SIGLIP_KEYS = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_channels", "image_size",
               "patch_size", "layer_norm_eps", "hidden_act"]
OWN_TEXT_KEYS = {"qwen2_5_vl": [], "qwen3_vl": ["head_dim"], "llava_onevision": []}
ALL_VISION_KEYS = {"qwen2_5_vl": VISION_KEYS + ["window_size", "fullatt_block_indexes"],
                   "qwen3_vl": VISION_KEYS + ["num_position_embeddings", "deepstack_visual_indexes"],
                   "llava_onevision": SIGLIP_KEYS}
TOP_KEYS = {"llava_onevision": ["image_grid_pinpoints", "vision_aspect_ratio"]}
TOKEN_KEYS = {"llava_onevision": ["image_token_index", "video_token_index"]}
VISION_TOKEN_KEYS = ["image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"]
SECTIONS = {"qwen2_5_vl": [16, 24, 24], "qwen3_vl": [24, 20, 20], "llava_onevision": None}  # of a file that states none
FLAT_TEXT_KEYS = TEXT_KEYS + ["rope_theta", "rope_scaling", "hidden_act", "use_sliding_window", "sliding_window", "max_window_layers",
                              "bos_token_id", "eos_token_id", "attention_dropout", "initializer_range", "use_cache"]


def changed(config, **values):
    """A copy with other values; `text_config__x` is x of text_config, and None takes a key away."""
    config = copy.deepcopy(config)
    for path, value in values.items():
        *parts, key = path.split("__")
        inner = config
        for part in parts:
            inner = inner[part]
        if value is None:
            inner.pop(key, None)
        else:
            inner[key] = value
    return config


def nested(keep_flat):
    """The flat file with text_config, as later versions write it."""
    text = {key: FLAT[key] for key in FLAT_TEXT_KEYS} | {"model_type": "qwen2_5_vl_text"}
    config = {key: value for key, value in FLAT.items() if keep_flat or key not in FLAT_TEXT_KEYS}
    return config | {"text_config": text}


def saved(config):
    """As transformers saves it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        AutoConfig.from_pretrained(folder).save_pretrained(folder)
        return json.loads((Path(folder) / "config.json").read_text())


def qwen2_5_vl_layouts():
    inner = nested(keep_flat=False)
    yield "the hub's", FLAT
    yield "tied", changed(FLAT, tie_word_embeddings=True)
    yield "nested", inner
    yield "flat and nested", nested(keep_flat=True)
    yield "flat and nested, which differ", changed(nested(keep_flat=True), hidden_size=32, rope_theta=7.0, num_hidden_layers=9)
    yield "saved", saved(FLAT)
    yield "saved, tied", saved(changed(FLAT, tie_word_embeddings=True))
    yield "pruned", {"model_type": "qwen2_5_vl", "hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4,
                     "num_hidden_layers": 2, "vision_config": {"model_type": "qwen2_5_vl", "in_chans": 3, "depth": 2}}
    for name, top, text in [("only the top says so", True, False), ("only text_config says so", False, True),
                            ("text_config alone has the key", None, True), ("nothing says so", None, None)]:
        yield f"tied: {name}", changed(inner, tie_word_embeddings=top, text_config__tie_word_embeddings=text)
    yield "rope_scaling and rope_parameters", changed(
        inner, text_config__rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]})
    yield "rope_theta beside and in rope_parameters", changed(
        inner, text_config__rope_scaling=None, text_config__rope_theta=5e5,
        text_config__rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]})
    yield "mrope called default", changed(FLAT, rope_scaling={"type": "default", "mrope_section": [1, 1, 2]})
    yield "the vision tower's angles", changed(FLAT, vision_config__rope_parameters={"rope_type": "axial", "rope_theta": 10000.0})
    yield "in_channels", changed(FLAT, vision_config__in_channels=3, vision_config__in_chans=None)
    yield "as many keys as heads", changed(inner, text_config__num_key_value_heads=8)
    yield "a window of no whole cells", changed(FLAT, vision_config__window_size=100)


def qwen3_vl_layouts():
    yield "the hub's", NESTED
    yield "tied", changed(NESTED, tie_word_embeddings=True, text_config__tie_word_embeddings=True)
    yield "saved", saved(NESTED)
    yield "saved, tied", saved(changed(NESTED, tie_word_embeddings=True, text_config__tie_word_embeddings=True))
    yield "pruned", {"model_type": "qwen3_vl", "text_config": {"num_hidden_layers": 3, "rope_theta": 5000000},
                     "vision_config": {"out_hidden_size": 4096, "depth": 27}}
    for name, top, text in [("only the top says so", True, False), ("only text_config says so", False, True),
                            ("text_config alone has the key", None, True), ("nothing says so", None, None)]:
        yield f"tied: {name}", changed(NESTED, tie_word_embeddings=top, text_config__tie_word_embeddings=text)
    yield "no theta", changed(NESTED, text_config__rope_theta=None)
    yield "no sections", changed(NESTED, text_config__rope_scaling={"rope_type": "default"}, text_config__head_dim=128)
    yield "rope_parameters", changed(
        NESTED, text_config__rope_scaling=None, text_config__rope_theta=None,
        text_config__rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 2, 2]})
    yield "no head_dim", changed(NESTED, text_config__head_dim=None, text_config__rope_scaling__mrope_section=[24, 20, 20])
    yield "one tap", changed(NESTED, vision_config__deepstack_visual_indexes=[2])
    yield "no taps", changed(NESTED, vision_config__deepstack_visual_indexes=[])


def llava_onevision_layouts():
    yield "the hub's", LLAVA
    yield "saved", saved(LLAVA)
    yield "saved, tied", saved(changed(LLAVA, tie_word_embeddings=True, text_config__tie_word_embeddings=True))
    yield "as 4.53.3 saves it", changed(  # run there, on the hub's
        LLAVA, multimodal_projector_bias=True, text_config__rope_scaling=None, text_config__layer_types=["full_attention"] * 3,
        text_config__max_window_layers=28, text_config__sliding_window=None, text_config__torch_dtype=None)
    yield "tokens by their newer names", changed(LLAVA, image_token_index=None, video_token_index=None, image_token_id=151,
                                                 video_token_id=152)
    yield "pruned", {"model_type": "llava_onevision", "text_config": {"num_hidden_layers": 2},
                     "vision_config": {"num_hidden_layers": 2, "image_size": 384, "model_type": "siglip_vision_model"}}
    yield "without vision_config", {"model_type": "llava_onevision", "text_config": {"num_hidden_layers": 2}}
    for name, top, text in [("only the top says so", True, False), ("only text_config says so", False, True),
                            ("text_config alone has the key", None, True), ("nothing says so", None, None)]:
        yield f"tied: {name}", changed(LLAVA, tie_word_embeddings=top, text_config__tie_word_embeddings=text)
    yield "rope_parameters", changed(LLAVA, text_config__rope_theta=None,
                                     text_config__rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    yield "no theta", changed(LLAVA, text_config__rope_theta=None)


def expected(config, family):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        read = AutoConfig.from_pretrained(folder)
    text, vision = read.text_config, read.vision_config
    with torch.device("meta"):
        model = model_class(family)._from_config(read)
    return {
        "text": {key: getattr(text, key) for key in TEXT_KEYS + OWN_TEXT_KEYS[family]} | {
            "rope_theta": text.rope_parameters["rope_theta"],
            "mrope_section": text.rope_parameters.get("mrope_section", SECTIONS[family]),
            "tie_word_embeddings": model.lm_head.weight is model.get_input_embeddings().weight,
        },
        "vision": {key: getattr(vision, key) for key in ALL_VISION_KEYS[family]},
        "tokens": {key: getattr(read, key) for key in TOKEN_KEYS.get(family, VISION_TOKEN_KEYS)},
    } | {key: getattr(read, key) for key in TOP_KEYS.get(family, [])}


def tensor_names(folder):
    names = []
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names += file.keys()
    return sorted(names)


def namings(family):
    model = load_model(DATA / family / "tied")
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(f"{folder}/written")
        model.model.save_pretrained(f"{folder}/base")
        gen2 = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        Path(f"{folder}/gen-2").mkdir()
        save_file(gen2, f"{folder}/gen-2/model.safetensors", metadata={"format": "pt"})
        (Path(folder) / "gen-2/config.json").write_text((DATA / family / "tied/config.json").read_text())
        again = load_model(f"{folder}/gen-2")
        again.save_pretrained(f"{folder}/gen-2-again")
        assert tensor_names(f"{folder}/gen-2-again") == sorted(gen2), "a file is saved with the names that it was loaded with"
        if family == "llava_onevision":
            model_class(family)(model.config).save_pretrained(f"{folder}/new")
            return {naming: tensor_names(f"{folder}/{naming}") for naming in ("written", "gen-2", "base", "new")}
        return {naming: tensor_names(f"{folder}/{naming}") for naming in ("written", "gen-2", "base")}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    for chosen in sys.argv[1:]:
        layouts = {"qwen2_5_vl": qwen2_5_vl_layouts, "qwen3_vl": qwen3_vl_layouts,
                   "llava_onevision": llava_onevision_layouts}[chosen]()
        lines = [json.dumps({"name": name, "config": layout, "expected": expected(layout, chosen)}, separators=(",", ":"))
                 for name, layout in layouts]
        (DATA / chosen / "configs.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
        (DATA / chosen / "names.json").write_text(json.dumps(namings(chosen), indent=0) + "\n")

#!/usr/bin/env python3
"""The configurations of the study's models.

    models.py TOKENIZER_DIR OUT_DIR

Of Qwen2-VL's architecture: vision.json (2 layers, below which the tower learns), teacher.json (6 layers x 64), teacher-48.json and
teacher-96.json of other widths, teacher-12.json and teacher-18.json of more layers, student.json (6 x 48) and student-32.json. Of
Qwen3-VL's: qwen3-vision.json, qwen3-teacher.json and qwen3-student.json, with a tokenizer directory of their own,
OUT_DIR/qwen3-tokenizer. Every cell of a picture is one patch and one token.

Writes into both tokenizer directories preprocessor_config.json, and a chat template that has no system prompt and no names of roles:
a question, <|im_start|>, its answer, <|im_end|>. Needs the standard library only.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quickstart"))
from prepare import model_config, prepare_models, write  # noqa: E402

SIZES = {  # width, layers, width of the FFN
    "vision": (64, 2, 128), "teacher": (64, 6, 128), "teacher-48": (48, 6, 96), "teacher-96": (96, 6, 192),
    "teacher-12": (64, 12, 128), "teacher-18": (64, 18, 128), "student": (48, 6, 96), "student-32": (32, 6, 64),
}
QWEN3 = ("vision", "teacher", "student")
PATCH, MERGE, TOWER_WIDTH, TOWER_BLOCKS = 8, 1, 64, 1
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}<|im_start|>{{ message['content'] }}<|im_end|>"
    "{% elif message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}"
)


def study_config(ids, vocab_size, width, layers, inner):
    """As the quickstart's, but for the tower."""
    config = model_config(ids, vocab_size, width, layers, inner)
    config["vision_config"] |= {"depth": TOWER_BLOCKS, "embed_dim": TOWER_WIDTH, "patch_size": PATCH, "spatial_merge_size": MERGE}
    return config


def set_chat_template(tokenizer):
    path = tokenizer / "tokenizer_config.json"
    write(path, json.loads(path.read_text()) | {"chat_template": CHAT_TEMPLATE})
    write(tokenizer / "chat_template.json", {"chat_template": CHAT_TEMPLATE})


def qwen3_config(qwen2):
    """The same sizes in Qwen3-VL's architecture, whose tower hands the rows of its first layer to the decoder's first."""
    text = {key: qwen2[key] for key in ("bos_token_id", "eos_token_id", "vocab_size", "hidden_size", "intermediate_size",
                                        "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                                        "max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings")}
    half = qwen2["hidden_size"] // qwen2["num_attention_heads"] // 2  # frequencies, which the three axes take in turns
    text |= {"model_type": "qwen3_vl_text", "attention_bias": False, "hidden_act": "silu",
             "head_dim": 2 * half,
             "rope_scaling": {"mrope_interleaved": True, "rope_type": "default",
                              "mrope_section": [half - 2 * (half // 3), half // 3, half // 3]}}
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "image_token_id": qwen2["image_token_id"],
        "video_token_id": qwen2["video_token_id"],
        "vision_start_token_id": qwen2["vision_start_token_id"],
        "vision_end_token_id": qwen2["vision_end_token_id"],
        "tie_word_embeddings": qwen2["tie_word_embeddings"],
        "text_config": text,
        "vision_config": {
            "model_type": "qwen3_vl", "depth": TOWER_BLOCKS, "deepstack_visual_indexes": [0], "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": TOWER_WIDTH, "in_channels": 3, "intermediate_size": 2 * TOWER_WIDTH, "num_heads": 4,
            "num_position_embeddings": 64, "out_hidden_size": text["hidden_size"], "patch_size": PATCH,
            "spatial_merge_size": MERGE, "temporal_patch_size": 2,
        },
    }


def main(tokenizer, out):
    out.mkdir(parents=True, exist_ok=True)
    prepare_models(tokenizer, out)
    path = tokenizer / "preprocessor_config.json"
    write(path, json.loads(path.read_text()) | {"patch_size": PATCH, "merge_size": MERGE})
    set_chat_template(tokenizer)
    vocabulary = json.loads((tokenizer / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in vocabulary["added_tokens"]}
    vocab_size = -(-(max(ids.values()) + 1) // 32) * 32
    for name, (width, layers, inner) in SIZES.items():
        config = study_config(ids, vocab_size, width, layers, inner)
        write(out / f"{name}.json", config)
        if name in QWEN3:
            write(out / f"qwen3-{name}.json", qwen3_config(config))
    shutil.copytree(tokenizer, out / "qwen3-tokenizer", dirs_exist_ok=True)
    write(out / "qwen3-tokenizer" / "preprocessor_config.json", {
        "size": {"shortest_edge": 256, "longest_edge": 1048576}, "patch_size": PATCH, "temporal_patch_size": 2,
        "merge_size": MERGE, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor",
    })


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

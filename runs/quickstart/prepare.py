#!/usr/bin/env python3
"""easy-VQA as LLaVA JSON, and the configurations of the quickstart's models.

    prepare.py data EASY_VQA_DIR OUT_DIR
    prepare.py models TOKENIZER_DIR OUT_DIR

`data` writes train.json (every question on nine tenths of the training pictures), what.json (its "what" questions),
labelled.json (1,000 of train.json: the labels that the student is given), validation.json (1,000 questions on the other tenth)
and test.json (the package's own test questions), with pictures where the package has them.

`models` writes preprocessor_config.json into TOKENIZER_DIR, and vision.json, teacher.json and student.json, the config.json of
each model, into OUT_DIR. Needs the standard library only.
"""

import json
import random
import sys
from pathlib import Path

SHAPES = {"circle", "rectangle", "triangle"}
LABELLED, VALIDATION = 1000, 1000
PATCH, MERGE, TOWER_WIDTH = 8, 2, 64


def category(answer):
    return "yes/no" if answer in ("yes", "no") else "shape" if answer in SHAPES else "color"


def records(directory):
    """The questions of one split, ids counted in the package's order."""
    questions = json.loads((directory / "questions.json").read_text())
    for number, (question, answer, image) in enumerate(questions):
        yield image, {
            "id": f"{directory.name}-{number}",
            "image": f"{directory.name}/images/{image}.png",
            "category": category(answer),
            "conversations": [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}],
        }


def write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def prepare_data(package, out):
    out.mkdir(parents=True, exist_ok=True)
    train, validation = [], []
    for image, record in records(package / "data" / "train"):
        (validation if image % 10 == 9 else train).append(record)
    write(out / "train.json", train)
    write(out / "what.json", [r for r in train if r["category"] != "yes/no"])
    write(out / "labelled.json", random.Random(1).sample(train, LABELLED))
    write(out / "validation.json", random.Random(2).sample(validation, VALIDATION))
    write(out / "test.json", [record for _, record in records(package / "data" / "test")])


def model_config(ids, vocab_size, width, layers, inner):
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vocab_size": vocab_size,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": sections(width // 4 // 2)},
        "tie_word_embeddings": True,
        "vision_config": {
            "depth": 2, "embed_dim": TOWER_WIDTH, "num_heads": 4, "mlp_ratio": 2, "in_chans": 3, "hidden_size": width,
            "patch_size": PATCH, "spatial_merge_size": MERGE, "temporal_patch_size": 2,
        },
    }


def sections(half):
    """Frequencies for time, height and width: a quarter, and two like halves of the rest, as Qwen2-VL's 16, 24, 24."""
    height = (half * 3 + 4) // 8
    return [half - 2 * height, height, height]


def prepare_models(tokenizer, out):
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = json.loads((tokenizer / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in vocabulary["added_tokens"]}
    vocab_size = -(-(max(ids.values()) + 1) // 32) * 32
    write(out / "vision.json", model_config(ids, vocab_size, 128, 2, 256))
    write(out / "teacher.json", model_config(ids, vocab_size, 128, 8, 256))
    write(out / "student.json", model_config(ids, vocab_size, 48, 8, 96))
    write(tokenizer / "preprocessor_config.json", {
        "min_pixels": 256, "max_pixels": 1048576, "patch_size": PATCH, "temporal_patch_size": 2, "merge_size": MERGE,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor",
    })


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("data", "models"):
        sys.exit(__doc__)
    {"data": prepare_data, "models": prepare_models}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))

#!/usr/bin/env python3
"""Writes the tokenizer of Qwen2-VL, or of another model of Qwen2's vocabulary, made from its merges, into a directory.

    make_tokenizer.py OUT_DIR [qwen2_vl | llava_onevision | qwen2]

Writes tokenizer.json, tokenizer_config.json, vocab.json and merges.txt. Needs the standard library only.
"""

import json
import lzma
import sys
from pathlib import Path

QWEN2 = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = {  # by model
    "qwen2_vl": QWEN2 + [
        "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
        "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    ],
    "llava_onevision": QWEN2 + ["<image>", "<video>"],
    "qwen2": QWEN2,
}
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_alphabet():
    """The characters of the 256 byte tokens, in the order of their ids: first the bytes that are printable."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]


def byte_level():
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def main():
    model = sys.argv[2] if len(sys.argv) == 3 else "qwen2_vl"
    if len(sys.argv) not in (2, 3) or model not in ADDED:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    text = lzma.decompress((Path(__file__).parent / "merges.txt.xz").read_bytes()).decode()
    merges = text.splitlines()
    vocab = {token: i for i, token in enumerate(byte_alphabet() + [m.replace(" ", "") for m in merges])}
    if len(vocab) != 256 + len(merges):
        sys.exit("merges.txt.xz: two merges make the same token")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": len(vocab) + i, "content": content, **flags} for i, content in enumerate(ADDED[model])]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
                byte_level(),
            ],
        },
        "post_processor": byte_level(),
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocab,
            "merges": merges,
        },
    }
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(a["id"]): {k: v for k, v in a.items() if k != "id"} for a in added},
        "additional_special_tokens": ADDED[model][1:],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }

    def write(name, value, indent=None):
        (out / name).write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")

    write("tokenizer.json", tokenizer)
    write("tokenizer_config.json", config, indent=2)
    write("vocab.json", vocab)
    (out / "merges.txt").write_text("#version: 0.2\n" + text, encoding="utf-8")


main()

#!/usr/bin/env python3
"""Trains a small tokenizer in Qwen2's format on the turns of a LLaVA data file.

    make_tokenizer.py DATA.json OUT_DIR [--size 384]

Byte-level BPE: 256 byte tokens, then merges, then the special tokens, --size ids in all (fewer if every word is one
token before that). Writes tokenizer.json, tokenizer_config.json, chat_template.json, vocab.json and merges.txt. Needs
the standard library only. The same data gives the same tokenizer.
"""

import argparse
import collections
import json
import re
import sys
from pathlib import Path

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Python's `re` has no \p; for training, letters are word characters but digits and underscore.
TRAINING_PATTERN = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SYSTEM = "You are a helpful assistant."
CHAT_TEMPLATE = (
    "{% set images = namespace(n=0) %}{% set videos = namespace(n=0) %}"
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}"
    "{% set images.n = images.n + 1 %}{% if add_vision_id %}Picture {{ images.n }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' or 'video' in part %}"
    "{% set videos.n = videos.n + 1 %}{% if add_vision_id %}Video {{ videos.n }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_alphabet():
    """The character of each byte, by byte, in the order of the ids of the byte tokens: the printable ones first."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(0x100 + i) for i, b in enumerate(others)}


def count_words(data):
    """How often each word stands in the conversations as the chat template renders them."""
    counts = collections.Counter()

    def add(text):
        counts.update(TRAINING_PATTERN.findall(text))

    for conversation in data:
        turns = conversation["conversations"]
        if not turns or turns[0]["from"] != "system":
            add("system\n"), add(SYSTEM)
        for turn in turns:
            add({"human": "user\n", "gpt": "assistant\n"}.get(turn["from"], turn["from"] + "\n"))
            for text in re.split(r"\n?<(?:image|video)>\n?", turn["value"]):
                add(text)
    return counts


def train(counts, alphabet, num_merges):
    """Merges of the most frequent pair, again and again; ties go to the pair that sorts first."""
    words = [([alphabet[b] for b in word.encode()], count) for word, count in sorted(counts.items())]
    pairs = collections.Counter()
    places = collections.defaultdict(set)

    def tally(index, sign):
        parts, count = words[index]
        for pair in zip(parts, parts[1:]):
            pairs[pair] += sign * count
            if sign > 0:
                places[pair].add(index)

    for index in range(len(words)):
        tally(index, 1)
    merges = []
    made = set(alphabet.values())
    while len(merges) < num_merges:
        # Every merge makes a new token: ids and merges stay in step.
        candidates = [(-n, pair) for pair, n in pairs.items() if n > 0 and pair[0] + pair[1] not in made]
        if not candidates:
            break
        pair = min(candidates)[1]
        merges.append(pair)
        made.add(pair[0] + pair[1])
        for index in places.pop(pair):
            tally(index, -1)
            parts, count = words[index]
            merged = []
            i = 0
            while i < len(parts):
                joined = i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair
                merged.append(parts[i] + parts[i + 1] if joined else parts[i])
                i += 2 if joined else 1
            words[index] = (merged, count)
            tally(index, 1)
    one_token = sum(count for parts, count in words if len(parts) == 1)
    return merges, one_token / max(1, sum(count for _, count in words))


def byte_level():
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def write_tokenizer(out, alphabet, merges):
    tokens = [*alphabet.values(), *(a + b for a, b in merges)]
    vocab = {token: i for i, token in enumerate(tokens)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": len(vocab) + i, "content": content, **flags} for i, content in enumerate(SPECIAL)]
    merge_lines = [f"{a} {b}" for a, b in merges]
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
             "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": merge_lines}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level()]},
        "post_processor": byte_level(),
        "decoder": byte_level(),
        "model": model,
    }
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(a["id"]): {k: v for k, v in a.items() if k != "id"} for a in added},
        "additional_special_tokens": SPECIAL[1:],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
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
    out.mkdir(parents=True, exist_ok=True)
    for name, value in [("tokenizer.json", tokenizer), ("tokenizer_config.json", config), ("vocab.json", vocab),
                        ("chat_template.json", {"chat_template": CHAT_TEMPLATE})]:
        (out / name).write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (out / "merges.txt").write_text("\n".join(["#version: 0.2", *merge_lines]) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA.json")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--size", type=int, default=384)
    args = parser.parse_args()
    if args.size < 256 + len(SPECIAL):
        sys.exit(f"--size is {args.size}, expected at least {256 + len(SPECIAL)}")
    alphabet = byte_alphabet()
    counts = count_words(json.loads(args.data.read_text(encoding="utf-8")))
    merges, share = train(counts, alphabet, args.size - 256 - len(SPECIAL))
    write_tokenizer(args.out, alphabet, merges)
    size = 256 + len(merges) + len(SPECIAL)
    print(f"{args.out}: {size} tokens, {share:.0%} of the words in the data are one token")


main()

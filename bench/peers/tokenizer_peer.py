#!/usr/bin/env python3
"""Makes the corpus of the tokenizer benchmark, and times the `tokenizers` library on it.

    tokenizer_peer.py corpus OUT.jsonl                  about 4 MB of mixed text, the same in every run
    tokenizer_peer.py time QWEN2_DIR CORPUS.jsonl       one line: seconds of encode() over all lines, of encode_batch()

One thread: set RAYON_NUM_THREADS=1 and TOKENIZERS_PARALLELISM=false. Needs tokenizers 0.23.3.
"""

import json
import random
import sys
import time

SYLLABLES = "ba ce di fo gu ha ki lo mu ne pi ra so tu va we xi yo za qui tion ing ed er al ly ness pre con".split()
COMMON = ("the of and a to in is was that it for on with as by at from are this be an or which you what how many "
          "picture image shows left right object color large small red blue person answer question").split()
CODE = ["    for (int i = 0; i < n; ++i) {\n", "        total += values[i] * 0x%x;\n", "    }\n    return total;\n",
        "def f_%d(self, x=None):\n", "    if x is not None and x > %d:\n        print(f\"x={x}\")\n", "import module_%d as m\n\n"]
RARE = ["世界，你好！这是一张图片。", "この画像には何が写っていますか。", "Привет, как дела? ", "مرحبا بالعالم ", "नमस्ते दुनिया ", "👩‍👩‍👧 👍🏽 ", "Übergrößenträger naïve cafe\u0301 ", "한국어 문장입니다. "]


def document(rng, vocabulary):
    kind = rng.random()
    parts = []
    for _ in range(rng.randrange(20, 400)):
        if kind < 0.15:
            line = rng.choice(CODE)
            parts.append(line % rng.randrange(10000) if "%" in line else line)
        elif kind < 0.3:
            chosen = rng.choice(RARE)
            cut = rng.randrange(len(chosen))
            parts.append(chosen[cut:] + chosen[:cut])
        else:
            word = rng.choice(COMMON) if rng.random() < 0.6 else vocabulary[int(len(vocabulary) * rng.random() ** 3)]
            end = rng.choices([" ", ", ", ". ", "\n\n", "'s ", f" {rng.randrange(3000)} "], [80, 7, 6, 1, 2, 4])[0]
            parts.append((word.capitalize() if rng.random() < 0.1 else word) + end)
    return "".join(parts)


def make_corpus(path):
    rng = random.Random(20)
    vocabulary = ["".join(rng.choices(SYLLABLES, k=rng.randrange(1, 5))) for _ in range(30000)]
    size = 0
    with open(path, "w", encoding="utf-8") as file:
        while size < 4_000_000:
            text = document(rng, vocabulary)
            size += len(text.encode())
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def time_library(directory, path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(directory + "/tokenizer.json")
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    begin = time.perf_counter()
    num_ids = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    one_by_one = time.perf_counter() - begin
    begin = time.perf_counter()
    batch = tokenizer.encode_batch(texts, add_special_tokens=False)
    batched = time.perf_counter() - begin
    assert sum(len(encoding.ids) for encoding in batch) == num_ids
    print(f"{one_by_one:.6f} {batched:.6f} {num_ids}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "corpus":
        make_corpus(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "time":
        time_library(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)

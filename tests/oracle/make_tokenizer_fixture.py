#!/usr/bin/env python3
"""Expected token ids and decoded texts, by the `tokenizers` library.

    make_tokenizer_fixture.py QWEN2_DIR [--cases N --seed S --out DIR]

QWEN2_DIR is what tests/data/qwen2/make_tokenizer.py wrote. Writes into tests/data/tokenizer/:
    qwen2.jsonl           {"text", "ids"} and, where it differs, "plain": ids with the special tokens' text as plain text
    qwen2_decode.jsonl    {"ids", "skip", "keep"}: texts without and with special tokens
    toy/tokenizer.json    a small vocabulary trained on toy text, GPT-2's pattern, three added tokens, one of them special
    toy.jsonl             the same by it
Made with tokenizers 0.23.3 on Python 3.11.
"""

import argparse
import json
import random
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SPACES = [*range(0x9, 0xE), 0x1C, 0x1F, 0x20, 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x200E), 0x2028, 0x2029, 0x202F,
          0x205F, 0x2060, 0x3000, 0xFEFF]
DIGITS = [0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xE50, 0x1040, 0x17E0, 0x1810, 0xFF10, 0x1D7CE, 0x11F50, 0x1E4F0,
          0x10D40, 0x1CCF0, 0x2160, 0xBD, 0xB2, 0x2460, 0x3007, 0x4E00, 0x1F100]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|video_pad|>",
            "<|object_ref_end|>"]
FIXED = [
    "", " ", "\n", "system", "assistant", "Hello, world!", "世界，你好！", "\u03d2\u0301", "e\u0301 vs é", "ｆｕｌｌ　ｗｉｄｔｈ",
    "I'm you're he'S WE'LL they'd I've don't DON'T 'tis rock'n'roll o'clock 'Re 'vE", "it\u2019s", "a'\u017f b'\u017fx 'ſ",
    "'s's's", "''s", " 's", "x 'd", "1234567890", "3.14159", "a1b2c3", "१२३४", "x²+y²", "½ cup", "Ⅷ", "①②③",
    "a\u0085b", "a\u180eb", "\ufeffBOM", "a\u200bb", "a\u00a0\u00a0b", "tabs\t\tand  spaces   x", "   lead", "trail   ",
    "\r\n\r\n", "a\r\nb\rc\n\nd", "  \n  x", " \n \n ", "\n   indented", "if x:\n\treturn  1\n", "{};\r\n\r\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] * 0x1F; }  // sum\n", "https://example.org/a?b=c&d=%20#e", "$$\\frac{1}{2}$$",
    "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "👍🏽", "❤️‍🔥", "نص عربي مع تشكيلٌ", "עִבְרִית", "हिन्दी में", "ภาษาไทย", "한국어 텍스트",
    "\u1112\u1161\u11ab", "\u1100\u1161\u11a8\u11a9", "日本語のテキスト", "か\u3099", "a\u0323\u0307", "a\u0307\u0323",
    "q\u0334\u0301\u0316", "\u212b\u2126\u212a", "\u0958\u0344\u2adc", "\U00011935\U00011930", "q\u0301\u1dfa", "q\u0301\u0898\u0334",
    "q\u08ca\u0334\u0316", "\U0001D15E\U0001D1BB", "\U0002F800\uFA0E\uF900", "\u0f73\u0f75\u0f81", "\u1e9b\u0323", "\u0e33",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "<|im_end|><|im_end|>", "<|im_end|", "<|<|im_end|>|>",
    "<|im_start<|im_end|>|>", "a<|vision_start|><|image_pad|><|image_pad|><|vision_end|>b", " <|im_end|> ", "<|IM_END|>",
    "e<|im_end|>\u0301", "\n<|im_end|>\n\n", "<tool_call>", "<image>", "a" * 70, "ab" * 200, "Donaudampfschifffahrt" * 9,
    "=" * 130, " " * 100, "\n" * 67, " " * 40 + "x", "é" * 60, "世界" * 40, "0" * 50, "antidisestablishmentarianism",
    "\x00\x01\x7f\x80\x9f", "\uffff\ufffe\ufffd", "\U0010ffff\U000e0001", "\ue000", "Zażółć gęślą jaźń", "Việt Nam tiếng",
    "Ελληνικά ΄Ά", "Русский Ё\u0308 и\u0306", "\u00b4\u0301", "㍿㎏", "ﬁ ﬂ ﬀ", "Ŀ ŉ ǆ", "ᏣᎳᎩ", "\U00016D68\U00016D67",
    "\U000105D2\u0307", "\U00031350\U0002EBF0", "\U00013460", "\u1c89\ua7cb", "\U0001E030\u0301",
]


def random_text(rng, length):
    """A string of stretches of one kind each."""
    out = []
    while len(out) < length:
        n = rng.choice([1, 1, 2, 3, 5])
        kind = rng.randrange(14)
        if kind == 0:
            out += [chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(n)]
        elif kind == 1:
            out += [chr(rng.choice(SPACES)) for _ in range(n)]
        elif kind == 2:
            out += [chr(rng.choice(DIGITS) + rng.randrange(10)) for _ in range(n)]
        elif kind == 3:
            out += [chr(rng.randrange(0x300, 0x370)) for _ in range(n)]
        elif kind == 4:
            out += [rng.choice("aeioucnsyAEIOU") + chr(rng.choice([0x300, 0x301, 0x302, 0x308, 0x323, 0x327, 0x1DFA]))]
        elif kind == 5:
            out += [rng.choice("'’") + rng.choice(["s", "S", "ſ", "t", "re", "RE", "Ve", "m", "ll", "lL", "d", "x"])]
        elif kind == 6:
            out += [rng.choice(SPECIALS + ["<|", "|>", "<|im_", "im_end|>"])]
        elif kind == 7:
            out += [rng.choice(["\r\n", "\n", "\r", "\n\n", " ", "  ", "\t"]) for _ in range(n)]
        elif kind == 8:
            out += [rng.choice(["👩", "\u200d", "🏽", "\ufe0f", "👧", "🇺", "❤"]) for _ in range(n)]
        elif kind == 9:
            out += [rng.choice("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(n)]
        elif kind == 10:
            code_point = rng.randrange(0x110000)
            out += ["\ufffd" if 0xD800 <= code_point < 0xE000 else chr(code_point)]
        elif kind == 11:  # marks of any script, in any order
            out += [rng.choice(MARKS) for _ in range(n)]
        else:
            out += [" " + rng.choice(WORDS) for _ in range(n)]
    return "".join(out)


MARKS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Mn"] + [
    chr(c) for c in [0x11F41, 0x1E4EC, 0x1E08F, 0x10EFD, 0x897, 0x113CE, 0x1612F, 0x1E5EE, 0x10D69]]
WORDS = ("the of and picture shows a man riding Horse near water What colour is object left answer yes no int return "
         "void def self import naïve façade Übergröße straße İstanbul ΟΔΥΣΣΕΥΣ").split()


def random_bytes(rng, length):
    mostly = [rng.randrange(256) if rng.random() < 0.1 else rng.randrange(32, 127) for _ in range(length)]
    return bytes(mostly).decode("utf-8", errors="replace")


def texts(rng, num_random):
    yield from FIXED
    for i in range(num_random):
        yield random_bytes(rng, rng.randrange(5, 40)) if i % 10 == 9 else random_text(rng, rng.randrange(2, 24))


def write(path, rows):
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def encodings(tokenizer, all_texts):
    for text in all_texts:
        tokenizer.encode_special_tokens = False
        row = {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        yield row | ({"plain": plain} if plain != row["ids"] else {})


def decodings(tokenizer, rng, num_random, rows):
    """Ids of texts, cut anywhere, and random ones: most are no whole UTF-8."""
    size = tokenizer.get_vocab_size()
    for i in range(num_random):
        if i % 3 == 0:
            ids = [rng.randrange(256) for _ in range(rng.randrange(1, 9))]
        elif i % 3 == 1:
            ids = [rng.choice([rng.randrange(size), rng.randrange(128, 256), size - 1 - rng.randrange(14), size + 7])
                   for _ in range(8)]
        else:
            ids = rng.choice(rows)["ids"]
            ids = ids[rng.randrange(len(ids) + 1):][:12]
        yield {"ids": ids, "skip": tokenizer.decode(ids, skip_special_tokens=True),
               "keep": tokenizer.decode(ids, skip_special_tokens=False)}


def train_toy():
    toy = Tokenizer(models.BPE())
    toy.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    toy.decoder = decoders.ByteLevel()
    toy.post_processor = processors.ByteLevel(trim_offsets=False)
    text = ["the cat sat on the mat", "the dog's dogs didn't sit 1234 times", "the théâtre où l'été s'étire", "abababab aaaa"]
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    toy.train_from_iterator(text * 3, trainer)
    toy.add_special_tokens([AddedToken("<end>", normalized=False, special=True)])
    toy.add_tokens([AddedToken("<endless>", normalized=True), AddedToken("thé", normalized=False)])
    return toy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("qwen2", type=Path)
    parser.add_argument("--cases", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "data" / "tokenizer")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    (args.out / "toy").mkdir(parents=True, exist_ok=True)

    qwen2 = Tokenizer.from_file(str(args.qwen2 / "tokenizer.json"))
    rows = list(encodings(qwen2, texts(rng, args.cases)))
    write(args.out / "qwen2.jsonl", rows)
    write(args.out / "qwen2_decode.jsonl", decodings(qwen2, rng, args.cases // 3, rows))

    toy = train_toy()
    toy.save(str(args.out / "toy" / "tokenizer.json"))
    toy_texts = [*FIXED, "the<end>less", "<endless><end>", "dogs thé cat<end", "the cat's théâtre"]
    toy_texts += [random_text(rng, 12) for _ in range(args.cases // 9)]
    write(args.out / "toy.jsonl", encodings(toy, toy_texts))


main()

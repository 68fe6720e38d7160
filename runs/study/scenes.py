#!/usr/bin/env python3
"""Pictures of objects on a grid, and questions whose answers need different depths.

    scenes.py OUT_DIR [--scenes 20000] [--seed 1]

A scene is 6 to 9 things on a grid of 3 x 3 cells of 8 pixels. A thing is two bars side by side: its own colour, and the colour of the
thing that is next to it. No two of a scene have a colour of their own in common, so "red" is one thing, and the nexts go round all of
them. Looking is meant to be trivial: what is deep is in the words. The kinds of question:

    hop       end red next                  blue: one step on
    chain     each red next next            blue white: every thing on the way, two or three steps
    end-2     end red next next             white: the last of two steps, without the thing between
    end-3     end red next next next        of three
    round     round red                     all others from red on, one step a word; in basics.json only

OUT_DIR gets pictures/, and data files. Of conversations of 4 questions about one picture, three a scene:

    train.json     all scenes but those below and all kinds, from which a teacher learns
    basics.json    the same scenes, kinds of one step at most: on these a vision tower learns to see, and a student what it knows before

Of one question about a picture (`category` is its kind), which is what a student is shown:

    validation.json, test.json   one question of every kind a scene, of a tenth of the scenes each
    pool.json      16,000 questions for the interaction, which the teacher answers where there is no label
    few.json       2,000 of pool.json
    labelled.json  1,000 of few.json: those whose labels a student is given
    walks.json     of pool.json `end-2` and `end-3`

No scene is in two splits, nor twice in one. The same seed gives the same files. Needs the standard library only.
"""

import argparse
import json
import random
import struct
import zlib
from pathlib import Path

COLORS = {"red": (220, 30, 30), "green": (30, 160, 50), "blue": (40, 70, 225), "yellow": (240, 215, 40), "purple": (140, 40, 180),
          "orange": (250, 130, 20), "pink": (250, 150, 200), "white": (250, 250, 250), "black": (10, 10, 10)}
GRID, CELL = 3, 8
BARS = (("color", 0), ("next", 4))  # and the columns of a cell, 4 each, that they fill but for a pixel above and below
SIDE = GRID * CELL
GROUND = len(COLORS)  # palette entries before those of the ground
TALKS, TURNS = 3, 4  # conversations a scene, questions each
POOL, FEW, LABELLED = 16000, 2000, 1000


class Object:
    def __init__(self, row, column, color, next_color):
        self.row, self.column, self.color, self.next = row, column, color, next_color


def draw_scene(rng):
    """Objects in reading order."""
    cells = sorted(rng.sample(range(GRID * GRID), rng.randint(6, 9)))
    ring = rng.sample(list(COLORS), len(cells))
    after = dict(zip(ring, ring[1:] + ring[:1]))
    return [Object(*divmod(cell, GRID), color, after[color]) for cell, color in zip(cells, rng.sample(ring, len(ring)))]


def key(objects):
    """What makes two scenes the same."""
    return tuple((o.row, o.column, o.color, o.next) for o in objects)


def walk(rng, objects, length):
    """A start, and the objects that so many steps lead to."""
    path = [rng.choice(objects)]
    for _ in range(length):
        path.append(next(o for o in objects if o.color == path[-1].next))
    return path[0], path[1:]


def ask_walk(rng, objects, word, lengths, answer):
    start, path = walk(rng, objects, rng.choice(lengths))
    return f"{word} {start.color}" + ("" if word == "round" else " next" * len(path)), answer(path)


def end_of(length):
    return lambda rng, objects: ask_walk(rng, objects, "end", (length,), lambda path: path[-1].color)


def ask_chain(rng, objects):
    return ask_walk(rng, objects, "each", (2, 3), lambda path: " ".join(o.color for o in path))


def ask_round(rng, objects):
    return ask_walk(rng, objects, "round", (len(objects) - 1,), lambda path: " ".join(o.color for o in path))


ASK = {"hop": end_of(1), "chain": ask_chain, "end-2": end_of(2), "end-3": end_of(3)}
BASICS = {"hop": ASK["hop"], "round": ask_round}
WALKS = ("end-2", "end-3")

COLOR_INDEX = {color: i for i, color in enumerate(COLORS)}  # in a picture's palette
# The pixels without objects: each row behind its filter byte.
EMPTY = b"".join(b"\0" + bytes(GROUND + (y // CELL) * GRID + x // CELL for x in range(SIDE)) for y in range(SIDE))
PALETTE = bytes(c for color in (*COLORS.values(), *((110, 40 + 80 * row, 40 + 80 * column) for row in range(GRID)
                                                    for column in range(GRID))) for c in color)


def png(objects):
    """The picture as a PNG file's bytes."""
    width = SIDE + 1  # of a row, with its filter byte
    pixels = bytearray(EMPTY)
    for o in objects:
        for bar, left in BARS:
            for y in range(1, CELL - 1):
                at = (o.row * CELL + y) * width + 1 + o.column * CELL + left
                pixels[at:at + 4] = bytes((COLOR_INDEX[getattr(o, bar)],)) * 4

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", PALETTE) + chunk(b"IDAT", zlib.compress(bytes(pixels), 1)) + chunk(b"IEND", b""))


def scenes(rng, count):
    """Scenes that differ, each with a question and an answer of every kind."""
    seen = set()
    while len(seen) < count:
        objects = draw_scene(rng)
        if key(objects) not in seen:
            seen.add(key(objects))
            yield objects, {kind: ask(rng, objects) for kind, ask in ASK.items()}


def split_of(number, count):
    tenth = max(1, count // 10)
    return "test" if number < tenth else "validation" if number < 2 * tenth else "train"


def turns(question, answer):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def records(picture, asked):
    return [{"id": f"{Path(picture).stem}-{kind}", "image": picture, "category": kind,
             "conversations": turns(f"<image>\n{question}", answer)} for kind, (question, answer) in asked.items()]


def conversations(rng, picture, objects, ask):
    """TALKS times TURNS different questions about the picture, of the kinds in turns; fewer where there are no more."""
    asked, kinds = {}, list(ask.values())
    for number in range(4 * TALKS * TURNS):
        question, answer = kinds[number % len(kinds)](rng, objects)
        asked[question] = answer
        if len(asked) == TALKS * TURNS:
            break
    order = list(asked.items())
    rng.shuffle(order)
    talks = []
    for first in range(0, len(order), TURNS):
        said = [turn for question, answer in order[first:first + TURNS] for turn in turns(question, answer)]
        said[0]["value"] = f"<image>\n{said[0]['value']}"
        talks.append({"id": f"{Path(picture).stem}-{first // TURNS}", "image": picture, "conversations": said})
    return talks


def of_kinds(items, *kinds):
    return [item for item in items if item["category"] in kinds]


def write(path, items):
    path.write_text("[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n")


def make(out, count, seed):
    rng, talk_rng = random.Random(seed), random.Random(-1 - seed)
    splits = {"train": [], "validation": [], "test": []}
    basics, talks = [], []
    for split in splits:
        (out / "pictures" / split).mkdir(parents=True, exist_ok=True)
    for number, (objects, asked) in enumerate(scenes(rng, count)):
        split = split_of(number, count)
        picture = f"pictures/{split}/{number}.png"
        (out / picture).write_bytes(png(objects))
        splits[split] += records(picture, asked)
        if split == "train":
            talks += conversations(talk_rng, picture, objects, ASK)
            basics += conversations(talk_rng, picture, objects, BASICS)
    pool = random.Random(seed).sample(splits["train"], min(POOL, len(splits["train"])))
    for name, items in {"train": talks, "basics": basics, "validation": splits["validation"],
                        "test": splits["test"], "pool": pool, "few": pool[:FEW], "labelled": pool[:LABELLED],
                        "walks": of_kinds(pool, *WALKS)}.items():
        write(out / f"{name}.json", items)
    return {"train": talks, "validation": splits["validation"], "test": splits["test"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--scenes", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.scenes < 10:
        parser.error(f"--scenes is {args.scenes}, expected 10 or more")
    splits = make(args.out, args.scenes, args.seed)
    print(f"{args.out}: " + ", ".join(f"{len(items)} records of {name}" for name, items in splits.items()))


if __name__ == "__main__":
    main()

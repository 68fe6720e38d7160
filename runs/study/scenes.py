#!/usr/bin/env python3
"""Pictures of objects on a grid, and questions whose answers are several words that need different depths.

    scenes.py OUT_DIR [--scenes 20000] [--seed 1]

A scene is 3 to 9 objects on a grid of 4 x 4 cells of 16 pixels. No two have both colour and shape in common, so "the red circle" is
one object. The ground shades from row to row and from column to column. `left`, `right`, `above` and `below` lead to the next
object of the row or column; `nearest` leads to the object that is nearest both by cells and, by two pixels or more, by centres.
Each scene has one question of every kind:

    where     Where is the red circle?                               a look
    hop       What is left of the red circle?                        one step
    chain     From the red circle: nearest, left. Name each.         two or three steps, every object named
    end       From the red circle: nearest, left. Name the last.     the same without the objects between
    count     Count the things above the red circle by size.         counting under a condition
    describe  Describe row 2.                                        size, colour and shape of each, in order

OUT_DIR gets pictures/, and data files of the records (`category` is the kind): train.json, validation.json, test.json, and of
train.json, drawn once,

    pool.json      16,000 questions for the interaction, which the teacher answers where there is no label
    few.json       2,000 of pool.json
    labelled.json  1,000 of few.json: those whose labels a student is given
    look.json      all of `where` and `describe`, on which a vision tower learns to see
    walks.json     of pool.json `hop`, `chain` and `end`

A tenth of the scenes is for validation, a tenth for the test; no scene is in two splits, nor twice in one, whatever its places
within cells and its tints. The same seed gives the same files. Needs the standard library only.
"""

import argparse
import json
import math
import random
import struct
import zlib
from pathlib import Path

COLORS = {"red": (214, 40, 40), "green": (46, 139, 60), "blue": (40, 80, 210), "yellow": (235, 205, 40),
          "purple": (140, 50, 170), "white": (245, 245, 245)}
SHAPES = ("circle", "square", "triangle", "cross", "diamond")
RADII = {"small": 4, "large": 7}
GRID, CELL = 4, 16
SIDE = GRID * CELL
GROUND = len(COLORS)  # palette entries before those of the ground
RELATIONS = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}
NEAREST_MARGIN = 2.0
POOL, FEW, LABELLED = 16000, 2000, 1000


class Object:
    def __init__(self, row, column, color, shape, size, dx, dy):
        self.row, self.column, self.color, self.shape, self.size = row, column, color, shape, size
        self.left, self.top = column * CELL + dx, row * CELL + dy  # of its square of 2 * radius + 1 pixels

    @property
    def name(self):
        return f"{self.color} {self.shape}"

    @property
    def center(self):
        return self.left + RADII[self.size], self.top + RADII[self.size]


def draw_scene(rng):
    """Objects in reading order."""
    cells = sorted(rng.sample(range(GRID * GRID), rng.randint(3, 9)))
    names = rng.sample(range(len(COLORS) * len(SHAPES)), len(cells))
    objects = []
    for cell, name in zip(cells, names):
        size = rng.choice(("small", "large"))
        room = CELL - 2 * RADII[size]  # places of the square within the cell
        objects.append(Object(*divmod(cell, GRID), list(COLORS)[name // len(SHAPES)], SHAPES[name % len(SHAPES)], size,
                              rng.randrange(room), rng.randrange(room)))
    return objects


def key(objects):
    """What makes two scenes the same."""
    return tuple((o.row, o.column, o.color, o.shape, o.size) for o in objects)


def nearest(objects, start):
    """None where cells or centres leave a doubt."""
    others = [o for o in objects if o is not start]
    by_cells = sorted((o.row - start.row) ** 2 + (o.column - start.column) ** 2 for o in others)
    by_centers = sorted((math.dist(o.center, start.center), i) for i, o in enumerate(others))
    found = others[by_centers[0][1]]
    is_first = (found.row - start.row) ** 2 + (found.column - start.column) ** 2 == by_cells[0] < by_cells[1]
    return found if is_first and by_centers[1][0] - by_centers[0][0] >= NEAREST_MARGIN else None


def step(objects, start, relation):
    """The object that the relation leads to, or None where there is none or no single one."""
    if relation == "nearest":
        return nearest(objects, start)
    down, right = RELATIONS[relation]
    found = [o for o in objects
             if (o.column == start.column and (o.row - start.row) * down > 0 if down else
                 o.row == start.row and (o.column - start.column) * right > 0)]
    return min(found, key=lambda o: abs(o.row - start.row) + abs(o.column - start.column), default=None)


def walk(rng, objects, length):
    """A start, relations, and the objects that they lead to, each of them once; None where chance finds none."""
    for _ in range(30):
        path, relations = [rng.choice(objects)], []
        while len(relations) < length:
            ways = [(r, o) for r in (*RELATIONS, "nearest") if (o := step(objects, path[-1], r)) and o not in path]
            if not ways:
                break
            relation, found = rng.choice(ways)
            relations.append(relation)
            path.append(found)
        if len(relations) == length:
            return path[0], relations, path[1:]
    return None


def ask_where(rng, objects):
    one = rng.choice(objects)
    return f"Where is the {one.name}?", f"row {one.row + 1}, column {one.column + 1}"


def ask_hop(rng, objects):
    found = walk(rng, objects, 1)
    if not found:
        return None
    start, (relation,), (end,) = found
    where = "nearest to" if relation == "nearest" else relation if relation in ("above", "below") else relation + " of"
    return f"What is {where} the {start.name}?", end.name


def ask_walk(rng, objects, question, answer):
    found = walk(rng, objects, rng.choice((2, 3)))
    if not found:
        return None
    start, relations, path = found
    return f"From the {start.name}: {', '.join(relations)}. {question}", answer(path)


def ask_chain(rng, objects):
    return ask_walk(rng, objects, "Name each.", lambda path: ", ".join(o.name for o in path))


def ask_end(rng, objects):
    return ask_walk(rng, objects, "Name the last.", lambda path: path[-1].name)


def ask_count(rng, objects):
    """Of a colour, of a shape, or of all that are further up, down, left or right than an object; at least one."""
    while True:
        kind = rng.choice(("color", "shape", *RELATIONS))
        one = rng.choice(objects)
        if kind == "color":
            what, counted = f"{one.color} things", [o for o in objects if o.color == one.color]
        elif kind == "shape":
            what, counted = f"{one.shape}s".replace("sss", "sses"), [o for o in objects if o.shape == one.shape]
        else:
            down, right = RELATIONS[kind]
            what = f"things {kind}{'' if down else ' of'} the {one.name}"
            counted = [o for o in objects if (o.row - one.row) * down + (o.column - one.column) * right > 0]
        if counted:
            small = sum(o.size == "small" for o in counted)
            return f"Count the {what} by size.", f"{small} small, {len(counted) - small} large"


def ask_describe(rng, objects):
    """A row or a column with two objects or more; None where there is none."""
    lines = [(kind, number, line) for kind in ("row", "column") for number in range(GRID)
             if len(line := [o for o in objects if getattr(o, kind) == number]) > 1]
    if not lines:
        return None
    kind, number, line = rng.choice(lines)
    return f"Describe {kind} {number + 1}.", ", ".join(f"{o.size} {o.name}" for o in line)


ASK = {"where": ask_where, "hop": ask_hop, "chain": ask_chain, "end": ask_end, "count": ask_count, "describe": ask_describe}


def inside(shape, x, y, radius):
    if shape == "circle":
        return x * x + y * y <= radius * radius + 1
    if shape == "square":
        return max(abs(x), abs(y)) <= radius - 1
    if shape == "triangle":
        return 2 * abs(x) <= y + radius
    if shape == "cross":
        return min(abs(x), abs(y)) <= radius // 3
    return abs(x) + abs(y) <= radius


def sprites():
    """Of each shape and size its stretches of pixels: (row, first, one behind the last)."""
    found = {}
    for shape in SHAPES:
        for size, radius in RADII.items():
            rows = []
            for y in range(-radius, radius + 1):
                inner = [x for x in range(-radius, radius + 1) if inside(shape, x, y, radius)]
                if inner:
                    rows.append((y + radius, inner[0] + radius, inner[-1] + radius + 1))
            found[shape, size] = rows
    return found


SPRITES = sprites()
COLOR_INDEX = {color: i for i, color in enumerate(COLORS)}  # in a picture's palette
# The pixels without objects: each row behind its filter byte.
EMPTY = b"".join(b"\0" + bytes(GROUND + (y // CELL) * GRID + x // CELL for x in range(SIDE)) for y in range(SIDE))


def png(rng, objects):
    """The picture with tints of its own, as a PNG file's bytes."""
    width = SIDE + 1  # of a row, with its filter byte
    pixels = bytearray(EMPTY)
    for o in objects:
        value = bytes((COLOR_INDEX[o.color],))
        for row, first, end in SPRITES[o.shape, o.size]:
            at = (o.top + row) * width + 1 + o.left
            pixels[at + first:at + end] = value * (end - first)
    tints = [tuple(min(255, max(0, c + rng.randint(-15, 15))) for c in color) for color in COLORS.values()]
    light = rng.randint(-8, 8)
    tints += [(90 + light, 50 + 30 * row + light, 50 + 30 * column + light) for row in range(GRID) for column in range(GRID)]
    palette = bytes(c for tint in tints for c in tint)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", palette) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b""))


def scenes(rng, count):
    """Scenes that differ, each with a question and an answer of every kind."""
    seen = set()
    while len(seen) < count:
        objects = draw_scene(rng)
        if key(objects) in seen:
            continue
        asked = {kind: ask(rng, objects) for kind, ask in ASK.items()}
        if all(asked.values()):
            seen.add(key(objects))
            yield objects, asked


def split_of(number, count):
    tenth = max(1, count // 10)
    return "test" if number < tenth else "validation" if number < 2 * tenth else "train"


def records(picture, asked):
    return [{"id": f"{Path(picture).stem}-{kind}", "image": picture, "category": kind,
             "conversations": [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]}
            for kind, (question, answer) in asked.items()]


def of_kinds(items, *kinds):
    return [item for item in items if item["category"] in kinds]


def write(path, items):
    path.write_text("[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n")


def make(out, count, seed):
    rng = random.Random(seed)
    splits = {"train": [], "validation": [], "test": []}
    for split in splits:
        (out / "pictures" / split).mkdir(parents=True, exist_ok=True)
    for number, (objects, asked) in enumerate(scenes(rng, count)):
        split = split_of(number, count)
        picture = f"pictures/{split}/{number}.png"
        (out / picture).write_bytes(png(rng, objects))
        splits[split] += records(picture, asked)
    for split, items in splits.items():
        write(out / f"{split}.json", items)
    pool = random.Random(seed).sample(splits["train"], min(POOL, len(splits["train"])))
    for name, items in {"pool": pool, "few": pool[:FEW], "labelled": pool[:LABELLED],
                        "look": of_kinds(splits["train"], "where", "describe"),
                        "walks": of_kinds(pool, "hop", "chain", "end")}.items():
        write(out / f"{name}.json", items)
    return splits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--scenes", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.scenes < 10:
        parser.error(f"--scenes is {args.scenes}, expected 10 or more")
    splits = make(args.out, args.scenes, args.seed)
    print(f"{args.out}: " + ", ".join(f"{len(items)} questions of {name}" for name, items in splits.items()))


if __name__ == "__main__":
    main()

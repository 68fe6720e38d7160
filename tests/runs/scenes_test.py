"""The study's pictures and questions. Needs the standard library only."""

import collections
import json
import random
import re
import struct
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runs" / "study"))
import scenes  # noqa: E402

COUNT = 300


def plain_step(objects, start, relation):
    """The definition, by looking into every cell; `nearest` by the distances of cells alone."""
    if relation == "nearest":
        distances = collections.defaultdict(list)
        for o in objects:
            if o is not start:
                distances[(o.row - start.row) ** 2 + (o.column - start.column) ** 2].append(o)
        (found,) = distances[min(distances)]
        return found
    down, right = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}[relation]
    row, column = start.row + down, start.column + right
    while 0 <= row < 4 and 0 <= column < 4:
        for o in objects:
            if (o.row, o.column) == (row, column):
                return o
        row, column = row + down, column + right
    raise AssertionError(f"nothing is {relation} of {start.name}")


def plain_answer(objects, question):
    """What a reader of the picture's objects answers; fails where the question is not about them."""
    by_name = {o.name: o for o in objects}
    if found := re.fullmatch(r"Where is the (.+)\?", question):
        return f"row {by_name[found[1]].row + 1}, column {by_name[found[1]].column + 1}"
    if found := re.fullmatch(r"What is (left|right|above|below|nearest)(?: of| to)? the (.+)\?", question):
        return plain_step(objects, by_name[found[2]], found[1]).name
    if found := re.fullmatch(r"From the (.+): (.+)\. Name (each|the last)\.", question):
        at, path = by_name[found[1]], []
        for relation in found[2].split(", "):
            at = plain_step(objects, at, relation)
            path.append(at.name)
        assert len({found[1], *path}) == len(path) + 1, "an object comes twice"
        return ", ".join(path) if found[3] == "each" else path[-1]
    if found := re.fullmatch(r"Count the (.+) by size\.", question):
        what = found[1]
        if relative := re.fullmatch(r"things (left of|right of|above|below) the (.+)", what):
            one = by_name[relative[2]]
            test = {"left of": lambda o: o.column < one.column, "right of": lambda o: o.column > one.column,
                    "above": lambda o: o.row < one.row, "below": lambda o: o.row > one.row}[relative[1]]
        elif what.endswith(" things"):
            test = lambda o: o.color == what.split()[0]  # noqa: E731
        else:
            test = lambda o: what in (o.shape + "s", o.shape + "es")  # noqa: E731
        sizes = [o.size for o in objects if test(o)]
        return f"{sizes.count('small')} small, {sizes.count('large')} large"
    kind, number = re.fullmatch(r"Describe (row|column) (\d)\.", question).groups()
    line = sorted((o for o in objects if getattr(o, kind) == int(number) - 1), key=lambda o: (o.row, o.column))
    return ", ".join(f"{o.size} {o.name}" for o in line)


def decode(png):
    """Rows of palette entries of an unfiltered, paletted PNG, and the palette."""
    at, chunks = 8, {}
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at:at + 8])
        data, check = png[at + 8:at + 8 + length], png[at + 8 + length:at + 12 + length]
        assert struct.unpack(">I", check)[0] == zlib.crc32(name + data)
        chunks[name] = data
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (width + 1)
    return [pixels[y * (width + 1) + 1:(y + 1) * (width + 1)] for y in range(height)], chunks[b"PLTE"]


class Scenes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = list(scenes.scenes(random.Random(5), COUNT))

    def test_have_one_true_answer_a_question(self):
        for objects, asked in self.made:
            for question, answer in asked.values():
                self.assertEqual(plain_answer(objects, question), answer, question)

    def test_have_every_kind_alike_and_three_to_nine_objects(self):
        for objects, asked in self.made:
            self.assertEqual(list(asked), ["where", "hop", "chain", "end", "count", "describe"])
            self.assertEqual(len({o.name for o in objects}), len(objects))
            self.assertEqual(len({(o.row, o.column) for o in objects}), len(objects))
        self.assertEqual({len(objects) for objects, _ in self.made}, set(range(3, 10)))

    def test_use_every_relation_alike(self):
        relations = collections.Counter()
        for _, asked in self.made:
            relations.update(re.findall(r"left|right|above|below|nearest", asked["chain"][0]))
        self.assertEqual(set(relations), {"left", "right", "above", "below", "nearest"})
        for relation, count in relations.items():  # a fifth each, were all of them always possible
            self.assertGreater(count, sum(relations.values()) / 10, relation)

    def test_leave_ties_out(self):
        def at(row, column, dx=4, dy=4):
            return scenes.Object(row, column, "red", "circle", "small", dx, dy)

        start, beside, below = at(1, 1), at(1, 2), at(2, 1)
        self.assertIsNone(scenes.step([start, beside, below], start, "nearest"), "two cells are as near")
        self.assertIs(scenes.step([start, beside, at(2, 2)], start, "nearest"), beside)
        for diagonal in (at(2, 2, 0, 0), at(2, 2, 1, 1)):  # nearer by centres, or further by less than two pixels
            self.assertIsNone(scenes.step([start, at(1, 2, 5, 4), diagonal], start, "nearest"))
        self.assertIsNone(scenes.step([start, beside], start, "left"))

    def test_are_drawn_where_they_are(self):
        for objects, _ in self.made[:50]:
            rows, palette = decode(scenes.png(random.Random(1), objects))
            self.assertEqual((len(rows), len(rows[0]), len(palette)), (64, 64, 3 * (6 + 16)))
            by_cell = {(o.row, o.column): o for o in objects}
            for row in range(4):
                for column in range(4):
                    cell = collections.Counter(b for line in rows[16 * row:16 * row + 16] for b in line[16 * column:16 * column + 16])
                    ground = 6 + 4 * row + column
                    drawn = by_cell.get((row, column))
                    wanted = {ground} | ({list(scenes.COLORS).index(drawn.color)} if drawn else set())
                    self.assertEqual(set(cell), wanted)

    def test_shapes_and_sizes_look_different(self):
        sprites = {tuple(rows) for rows in scenes.SPRITES.values()}
        self.assertEqual(len(sprites), len(scenes.SHAPES) * len(scenes.RADII))


class Files(unittest.TestCase):
    def test_are_the_same_by_seed_and_share_no_scene_between_splits(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, tempfile.TemporaryDirectory() as three:
            for folder, seed in ((one, 1), (two, 1), (three, 2)):
                scenes.make(Path(folder), 60, seed)
            names = sorted(str(p.relative_to(one)) for p in Path(one).rglob("*") if p.is_file())
            self.assertEqual(len([n for n in names if n.endswith(".png")]), 60)
            for name in names:
                self.assertEqual((Path(one) / name).read_bytes(), (Path(two) / name).read_bytes(), name)
            self.assertNotEqual((Path(one) / "test.json").read_bytes(), (Path(three) / "test.json").read_bytes())
            splits = {split: json.loads((Path(one) / f"{split}.json").read_text()) for split in ("train", "validation", "test")}
            self.assertEqual({split: len(items) for split, items in splits.items()}, {"train": 288, "validation": 36, "test": 36})
            pictures = {split: {item["image"] for item in items} for split, items in splits.items()}
            for split, of in pictures.items():
                for picture in of:
                    self.assertEqual(Path(picture).parent.name, split)
                    self.assertTrue((Path(one) / picture).is_file())
            parts = {name: json.loads((Path(one) / f"{name}.json").read_text())
                     for name in ("pool", "few", "labelled", "look", "walks")}
            for name, items in parts.items():
                self.assertTrue(all(item in splits["train"] for item in items), name)
            self.assertEqual({item["category"] for item in parts["look"]}, {"where", "describe"})
            self.assertEqual({item["category"] for item in parts["walks"]}, {"hop", "chain", "end"})
            self.assertEqual(len(parts["walks"]), 144)  # a half of the kinds

    def test_give_a_student_few_labels_among_the_pools(self):
        pool, few, labelled = scenes.POOL, scenes.FEW, scenes.LABELLED
        scenes.POOL, scenes.FEW, scenes.LABELLED = 40, 20, 10
        try:
            with tempfile.TemporaryDirectory() as folder:
                scenes.make(Path(folder), 20, 1)
                sets = [{item["id"] for item in json.loads((Path(folder) / f"{name}.json").read_text())}
                        for name in ("labelled", "few", "pool", "train")]
        finally:
            scenes.POOL, scenes.FEW, scenes.LABELLED = pool, few, labelled
        self.assertEqual([len(ids) for ids in sets], [10, 20, 40, 96])
        for smaller, larger in zip(sets, sets[1:]):
            self.assertLess(smaller, larger)

    def test_hold_scenes_that_differ_by_what_is_in_them(self):
        made = list(scenes.scenes(random.Random(7), COUNT))
        hashes = {hash(scenes.key(objects)) for objects, _ in made}
        self.assertEqual(len(hashes), COUNT)

    def test_refuse_a_scene_that_was_there(self):
        few = list(scenes.scenes(random.Random(3), 5))
        again = iter([objects for objects, _ in few for _ in (0, 1)])  # each scene twice
        draw, scenes.draw_scene = scenes.draw_scene, lambda rng: next(again)
        try:
            self.assertEqual(len(list(scenes.scenes(random.Random(3), 5))), 5)
        finally:
            scenes.draw_scene = draw


if __name__ == "__main__":
    unittest.main()

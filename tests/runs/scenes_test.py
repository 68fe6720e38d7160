"""The study's pictures and questions. Needs the standard library only."""

import collections
import json
import random
import struct
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runs" / "study"))
import scenes  # noqa: E402

COUNT = 300


def plain_answer(objects, question):
    """What a reader of the picture's objects answers; fails where the question is not about them."""
    by_color = {o.color: o for o in objects}
    word, color, *rest = question.split()
    one = by_color[color]
    assert word in ("end", "each", "round") and set(rest) <= {"next"}, question
    path = []
    for _ in rest or range(len(objects) - 1):
        path.append(by_color[(path[-1] if path else one).next])
    return path[-1].color if word == "end" else " ".join(o.color for o in path)


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

    def test_have_every_kind_alike_and_six_to_nine_objects(self):
        for objects, asked in self.made:
            self.assertEqual(list(asked), ["hop", "chain", "end-2", "end-3"])
            for kind, steps in (("hop", 1), ("end-2", 2), ("end-3", 3)):
                self.assertEqual(asked[kind][0].count("next"), steps)
            self.assertEqual(len({o.color for o in objects}), len(objects))
            self.assertEqual(len({(o.row, o.column) for o in objects}), len(objects))
        self.assertEqual({len(objects) for objects, _ in self.made}, set(range(6, 10)))

    def test_lead_round_all_of_their_objects(self):
        for objects, _ in self.made:
            self.assertEqual(sorted(o.next for o in objects), sorted(o.color for o in objects))
            start, path = scenes.walk(random.Random(1), objects, len(objects))
            self.assertEqual(len({o.color for o in path}), len(objects))
            self.assertIs(path[-1], start)

    def test_are_drawn_where_they_are(self):
        for objects, _ in self.made[:50]:
            rows, palette = decode(scenes.png(objects))
            self.assertEqual((len(rows), len(rows[0]), len(palette)), (24, 24, 3 * (9 + 9)))
            by_cell = {(o.row, o.column): o for o in objects}
            for row in range(3):
                for column in range(3):
                    cell = collections.Counter(b for line in rows[8 * row:8 * row + 8] for b in line[8 * column:8 * column + 8])
                    ground = 9 + 3 * row + column
                    drawn = by_cell.get((row, column))
                    wanted = {ground} | ({list(scenes.COLORS).index(drawn.color), list(scenes.COLORS).index(drawn.next)} if drawn else set())
                    self.assertEqual(set(cell), wanted)

    def test_are_talked_about_in_conversations_of_true_answers(self):
        rng = random.Random(9)
        for (objects, _), ask in zip(self.made[:50], (scenes.ASK, scenes.BASICS) * 25):
            talks = scenes.conversations(rng, "pictures/1.png", objects, ask)
            self.assertEqual([len(talk["conversations"]) for talk in talks], [2 * scenes.TURNS] * scenes.TALKS)
            questions = []
            for said in (talk["conversations"] for talk in talks):
                self.assertTrue(said[0]["value"].startswith("<image>\n"))
                for question, answer in zip(said[::2], said[1::2]):
                    questions.append(question["value"].removeprefix("<image>\n"))
                    self.assertEqual(plain_answer(objects, questions[-1]), answer["value"], questions[-1])
            self.assertEqual(len(set(questions)), scenes.TALKS * scenes.TURNS)


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
            self.assertEqual({split: len(items) for split, items in splits.items()}, {"train": 144, "validation": 24, "test": 24})
            pictures = {split: {item["image"] for item in items} for split, items in splits.items()}
            for split, of in pictures.items():
                for picture in of:
                    self.assertEqual(Path(picture).parent.name, split)
                    self.assertTrue((Path(one) / picture).is_file())
            parts = {name: json.loads((Path(one) / f"{name}.json").read_text())
                     for name in ("basics", "pool", "few", "labelled", "walks")}
            for name, items in parts.items():
                self.assertLessEqual({item["image"] for item in items}, pictures["train"], name)
            self.assertEqual({item["category"] for item in parts["walks"]}, {"end-2", "end-3"})
            self.assertEqual((len(parts["pool"]), len(parts["walks"])), (4 * 48, 2 * 48))

    def test_give_a_student_few_labels_among_the_pools(self):
        pool, few, labelled = scenes.POOL, scenes.FEW, scenes.LABELLED
        scenes.POOL, scenes.FEW, scenes.LABELLED = 40, 20, 10
        try:
            with tempfile.TemporaryDirectory() as folder:
                scenes.make(Path(folder), 20, 1)
                sets = [{item["id"] for item in json.loads((Path(folder) / f"{name}.json").read_text())}
                        for name in ("labelled", "few", "pool")]
        finally:
            scenes.POOL, scenes.FEW, scenes.LABELLED = pool, few, labelled
        self.assertEqual([len(ids) for ids in sets], [10, 20, 40])
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

#!/usr/bin/env python3
"""Vision towers of every family, and training at the shapes of Qwen3-VL 2B: one function a key.

    bench/families.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE]

PYTHON is an interpreter with torch, transformers 5.23 and peft. tower_FAMILY: the forward pass of the tower and the projector over one
picture of 1000 x 1000 pixels, at the true shapes of a size that has a recipe, in bfloat16 with random weights: transformers' seconds ÷
ours. peft_to_ours_qwen3_vl: a training step of adapters, 4 layers of the 2B's shapes with its whole vocabulary, 512 tokens. The two
sides take turns; a ratio is that of their medians, printed with its range over the rounds. Prints and, with --json, writes
{key: value}.
"""

import json
import shutil

from keys import ROOT, main, run
from true_size import Bench

SIDE = 1000
THREADS = 2


class Families(Bench):
    def tower(self, key, family, size):
        directory = self.folder / f"tower-{family}"
        shutil.copytree(self.tokenizer(family), directory)
        shutil.copy(ROOT / f"runs/{family}/model-{size}.json", directory / "config.json")
        self.picture_data(1, SIDE, 1)
        picture = self.folder / "pictures/0.png"
        sizes = []

        def ours():
            found = json.loads(run(ROOT / "build/release/bench/tower_bench", directory, picture, THREADS))
            sizes.append(found)
            return found["seconds"]

        def theirs():
            found = self.peer("tower", "--model", directory, "--side", SIDE, "--threads", THREADS)
            sizes.append(found)
            return found["seconds"]

        peer, own = self.rounds(theirs, ours)
        if len({(size["patches"], size["rows"]) for size in sizes}) != 1:
            raise SystemExit(f"{key}: the two sides do not look at the same picture: {sizes}")
        print(f"{family} {size}, {sizes[0]['patches']} patches to {sizes[0]['rows']} rows: ours {own:.2f} s, transformers {peer:.2f} s")
        return {key: peer / own}

    def tower_qwen2_vl(self):
        return self.tower("tower_qwen2_vl", "qwen2vl", "2b")

    def tower_qwen2_5_vl(self):
        return self.tower("tower_qwen2_5_vl", "qwen2.5-vl", "3b")

    def tower_qwen3_vl(self):
        return self.tower("tower_qwen3_vl", "qwen3-vl", "2b")

    def tower_llava_onevision(self):
        return self.tower("tower_llava_onevision", "llava-ov", "0.5b")

    def peft_to_ours_qwen3_vl(self):
        # Without the default system turn, which takes 11 tokens.
        return self.peft_to_ours("qwen3-vl", "peft_to_ours_qwen3_vl", 497)


if __name__ == "__main__":
    main(Families, __doc__, "tower_qwen2_vl,tower_qwen2_5_vl,tower_qwen3_vl,tower_llava_onevision,peft_to_ours_qwen3_vl")

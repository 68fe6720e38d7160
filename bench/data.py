#!/usr/bin/env python3
"""Reading of training data: one function a key.

    bench/data.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE] [--records 2900000] [--scratch FOLDER]

PYTHON is an interpreter with torch, transformers 5.23, webdataset, pyarrow and Pillow. tar_to_peer, parquet_to_peer: samples a second of
questions about pictures of 640 x 480, read, decoded, resized and tokenized by 4 workers: ours ÷ webdataset or pyarrow with Pillow and
transformers' processor in a DataLoader. The two sides take turns; a ratio is that of their medians, printed with its range over the rounds.
outlines: the same tars as a rank reads what others train on, of pictures the headers alone, ÷ as it reads its own.
mixture: of a mixture of --records small records in tars, Parquet and JSONL, the seconds from the opening to the first batch at the first
record and at two thirds of them, and the GiB of memory at most beside the pages of files. Prints and, with --json, writes {key: value}.
"""

import json

from keys import ROOT, Keys, main, run

WORKERS = 4
SAMPLES = 1600


class Data(Keys):
    def __init__(self, options):
        super().__init__(options, "data", options.scratch)
        self.model = self.folder / "model"
        run("python3", ROOT / "tests/data/qwen2/make_tokenizer.py", self.model)
        for name in ("preprocessor_config.json", "model-2b.json"):
            target = "config.json" if name.startswith("model") else name
            (self.model / target).write_bytes((ROOT / "runs/qwen2vl" / name).read_bytes())

    def peer(self, *arguments):
        return json.loads(run(self.options.peer_python, ROOT / "bench/peers/data_peer.py", *arguments).splitlines()[-1])

    def ours(self, records, start, *paths, options=()):
        return json.loads(run(ROOT / "build/release/bench/data_bench", *options, self.model, WORKERS, records, start, *paths))

    def samples(self, kind):
        if not (self.folder / kind).exists():
            print(f"pictures of {self.peer('samples', self.folder, SAMPLES)['bytes'] // 1024} KiB")
        return self.folder / kind

    def to_peer(self, kind):
        folder = self.samples(kind)
        ours, theirs = self.rounds(lambda: self.ours(SAMPLES, 0, folder)["samples_per_second"],
                                   lambda: self.peer(kind, self.model, folder, WORKERS)["samples_per_second"])
        print(f"{kind}: ours {ours:.0f} samples/s, peer {theirs:.0f}")
        return {f"{kind}_to_peer": ours / theirs}

    def tar_to_peer(self):
        return self.to_peer("tar")

    def parquet_to_peer(self):
        return self.to_peer("parquet")

    def outlines(self):
        folder = self.samples("tar")
        others, own = self.rounds(lambda: self.ours(4 * SAMPLES, 0, folder, options=["--outlines"])["samples_per_second"],
                                  lambda: self.ours(SAMPLES, 0, folder)["samples_per_second"])
        print(f"outlines: {others:.0f} a second, samples {own:.0f}")
        return {"outlines_to_samples": others / own}

    def mixture(self):
        folder, records = self.folder / "mixture", self.options.records
        self.peer("mixture", folder, records)
        paths = [folder / "*.tar", folder / "*.parquet", folder / "train.jsonl"]
        begin = self.ours(20000, 0, *paths)
        resume = self.ours(20000, records * 20 // 29, *paths)
        print(f"mixture of {begin['records']} records: {begin['samples_per_second']:.0f} samples/s")
        return {"mixture_start_seconds": begin["first_batch_seconds"], "mixture_resume_seconds": resume["first_batch_seconds"],
                "mixture_memory_gib": max(begin["anonymous_mib"], resume["anonymous_mib"]) / 1024,
                "mixture_resident_gib": max(begin["resident_mib"], resume["resident_mib"]) / 1024}


def add_options(parser):
    parser.add_argument("--records", type=int, default=2_900_000)
    parser.add_argument("--scratch", help="folder for the data, which go at the end")


if __name__ == "__main__":
    main(Data, __doc__, "tar_to_peer,parquet_to_peer,outlines,mixture", add_options)

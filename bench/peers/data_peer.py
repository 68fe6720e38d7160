#!/usr/bin/env python3
"""What bench/data.py reads, and its peers.

    data_peer.py samples FOLDER COUNT            pictures of 640 x 480 with a question each: FOLDER/tar/*.tar, FOLDER/parquet/*.parquet
    data_peer.py mixture FOLDER COUNT            COUNT records about small pictures, COUNT / 2.9 of them distinct, in tars, Parquet and JSONL
    data_peer.py tar|parquet MODEL FOLDER WORKERS    webdataset or pyarrow, Pillow, transformers' picture processor and tokenizer, in
                                                 the worker processes of PyTorch's DataLoader; prints {"samples_per_second"}

webdataset 1.0, pyarrow 26.0, pillow 13.0, transformers 5.23, torch 2.13.
"""

import base64
import io
import json
import struct
import sys
import tarfile
import time
import zlib
from pathlib import Path

SHARDS = 8
QUESTION, ANSWER = "What is in the picture?", "Some smooth colours, with a little noise on top of them."
TURNS = [{"from": "human", "value": "<image>\n" + QUESTION}, {"from": "gpt", "value": ANSWER}]


def photo(random, width=640, height=480):
    """A JPEG with the sizes and the detail of a photo: smooth colours with noise."""
    import numpy
    from PIL import Image

    small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=numpy.uint8))
    pixels = numpy.asarray(small.resize((width, height), Image.BICUBIC), dtype=numpy.int16)
    pixels = numpy.clip(pixels + random.integers(-8, 9, pixels.shape), 0, 255).astype(numpy.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def small_png(number, side=16):
    """A PNG whose first pixels are its number."""
    line = struct.pack(">Q", number) + bytes(3 * side - 8)
    rows = (b"\0" + line) * side
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def write_tar(path, samples):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, ending, picture, turns in samples:
            for suffix, data in ((ending, picture), ("json", json.dumps({"conversations": turns}).encode())):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def write_parquet(path, samples, rows_of_group):
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    turns = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
    schema = pa.schema([("id", pa.string()), ("image", picture), ("conversations", turns)])
    with pq.ParquetWriter(path, schema) as writer:
        rows = []
        def flush():
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema), row_group_size=rows_of_group)
                rows.clear()
        for key, _, data, conversation in samples:
            rows.append({"id": str(key), "image": {"bytes": data, "path": None}, "conversations": conversation})
            if len(rows) == rows_of_group:
                flush()
        flush()


def samples(folder, count):
    import numpy

    random = numpy.random.default_rng(1)
    pictures = [photo(random) for _ in range(count)]
    folder = Path(folder)
    for kind in ("tar", "parquet"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for shard in range(SHARDS):
        part = [(f"{i:08}", "jpg", pictures[i], TURNS) for i in range(shard, count, SHARDS)]
        write_tar(folder / f"tar/train-{shard:05}.tar", part)
        write_parquet(folder / f"parquet/train-{shard:05}.parquet", part, 100)
    return {"bytes": sum(map(len, pictures)) // count}


def mixture(folder, count):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    distinct = count * 10 // 29
    def part(first, end):
        for i in range(first, end):
            question = f"<image>\nWhich number is in picture {i}?"
            yield i, "png", small_png(i % distinct), [{"from": "human", "value": question}, {"from": "gpt", "value": str(i % distinct)}]
    of_tars, of_parquet = count // 5, count * 2 // 5
    for shard in range(SHARDS):
        write_tar(folder / f"train-{shard:05}.tar", part(of_tars * shard // SHARDS, of_tars * (shard + 1) // SHARDS))
        first = of_tars + of_parquet * shard // SHARDS
        write_parquet(folder / f"train-{shard:05}.parquet", part(first, of_tars + of_parquet * (shard + 1) // SHARDS), 10000)
    with open(folder / "train.jsonl", "w") as file:
        for i, _, picture, turns in part(of_tars + of_parquet, count):
            url = "data:image/png;base64," + base64.b64encode(picture).decode()
            file.write(json.dumps({"id": i, "image": url, "conversations": turns}) + "\n")
    return {"records": count, "distinct": distinct}


def rate_of(dataset, workers):
    """Samples a second behind the first batch."""
    import torch

    loader = torch.utils.data.DataLoader(dataset, batch_size=8, num_workers=workers, collate_fn=list, prefetch_factor=4)
    count, start = 0, None
    for batch in loader:
        if start is None:
            start = time.perf_counter()
            continue
        count += len(batch)
    return {"samples_per_second": count / (time.perf_counter() - start), "samples": count}


class Encoder:
    """A record as a training script makes inputs of it: pixels by transformers' processor, tokens by its tokenizer."""

    def __init__(self, model):
        import torch
        from transformers import AutoTokenizer
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        torch.set_num_threads(1)
        self.pictures = Qwen2VLImageProcessorPil.from_pretrained(model)
        self.tokenizer = AutoTokenizer.from_pretrained(model)

    def __call__(self, data, turns):
        from PIL import Image

        with Image.open(io.BytesIO(data)) as picture:
            found = self.pictures(picture.convert("RGB"), return_tensors="pt")
        places = "<|image_pad|>" * int(found["image_grid_thw"][0].prod() // 4)
        roles = {"human": "user", "gpt": "assistant"}
        text = "".join(f"<|im_start|>{roles[turn['from']]}\n{turn['value']}<|im_end|>\n" for turn in turns)
        return found["pixel_values"], self.tokenizer(text.replace("<image>", f"<|vision_start|>{places}<|vision_end|>"))["input_ids"]


def tar(model, folder, workers):
    import webdataset

    encoder = Encoder(model)
    files = sorted(str(path) for path in Path(folder).glob("*.tar"))
    dataset = webdataset.WebDataset(files, shardshuffle=False).map(
        lambda sample: encoder(sample["jpg"], json.loads(sample["json"])["conversations"]))
    return rate_of(dataset, int(workers))


def parquet(model, folder, workers):
    import pyarrow.parquet as pq
    import torch

    encoder = Encoder(model)

    class Rows(torch.utils.data.IterableDataset):
        def __iter__(self):
            worker = torch.utils.data.get_worker_info()
            for path in sorted(Path(folder).glob("*.parquet"))[worker.id::worker.num_workers]:
                for batch in pq.ParquetFile(path).iter_batches(batch_size=100):
                    for row in batch.to_pylist():
                        yield encoder(row["image"]["bytes"], row["conversations"])

    return rate_of(Rows(), int(workers))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command in ("samples", "mixture"):
        arguments[1] = int(arguments[1])
    print(json.dumps({"samples": samples, "mixture": mixture, "tar": tar, "parquet": parquet}[command](*arguments)))

"""Sizes and patches as the image processor of Qwen2-VL, Qwen2.5-VL and Qwen3-VL gives them. Made with transformers 5.23.0 (its PIL backend, numpy) and
Pillow 13.0.0.

    python tests/oracle/make_picture_fixture.py        writes tests/data/processor/images.json
"""
import json
import pathlib

import numpy as np
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

from make_image_fixtures import fnv, noise

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "processor" / "images.json"
SIDES = [1, 2, 5, 13, 14, 15, 20, 27, 28, 29, 42, 43, 70, 98, 126, 154, 200, 224, 300, 333, 480, 640, 1080, 1365, 1920,
         2048, 3000, 4000, 5000, 8191]
LIMITS = [(14, 3136, 12845056), (14, 3136, 1003520), (8, 1024, 65536), (14, 200704, 401408),
          (16, 65536, 16777216)]
PICTURES = [(17, 23), (64, 64), (40, 100), (100, 9), (1, 30), (3, 50), (61, 35)]
LARGE_PICTURES = [(1, 1), (300, 4000), (4000, 300), (701, 533)]  # with the limits of real models alone
PROCESSORS = [dict(patch_size=14, min_pixels=3136, max_pixels=12845056),
              dict(patch_size=8, min_pixels=1024, max_pixels=4096),
              dict(patch_size=16, min_pixels=65536, max_pixels=16777216, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]),
              dict(patch_size=4, min_pixels=256, max_pixels=1024, merge_size=1, temporal_patch_size=1,
                   image_mean=[0.5, 0.25, 0.1], image_std=[0.5, 0.3, 0.7])]


def size(height, width, patch, low, high):
    try:
        return list(smart_resize(height, width, factor=patch * 2, min_pixels=low, max_pixels=high))
    except ValueError:
        return 0


def sizes():
    """For each limit, the sizes of all pairs of sides, height first; 0 where the picture is refused."""
    for patch, low, high in LIMITS:
        found = [size(height, width, patch, low, high) for height in SIDES for width in SIDES]
        yield {"patch_size": patch, "min_pixels": low, "max_pixels": high, "sizes": found}


def patches():
    """The picture is noise(height * width * 3, height * 1000 + width); `hash` is over the float32 rows' bytes."""
    for options in PROCESSORS:
        processor = Qwen2VLImageProcessorPil(**options)
        for height, width in PICTURES + (LARGE_PICTURES if options["max_pixels"] > 10**7 else []):
            image = Image.frombytes("RGB", (width, height), noise(height * width * 3, height * 1000 + width))
            features = processor(image, return_tensors="np")
            rows = features["pixel_values"].astype(np.float32)
            yield {**options, "height": height, "width": width, "grid": features["image_grid_thw"][0].tolist(),
                   "shape": list(rows.shape), "hash": fnv(rows.tobytes()),
                   "some": [float(v) for v in rows.reshape(-1)[::rows.size // 7][:8]]}


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = lambda items: "[\n" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items) + "\n]"
    OUT.write_text('{"sides":' + json.dumps(SIDES) + ',\n"limits":' + lines(sizes()) + ',\n"patches":' +
                   lines(patches()) + "}\n")

"""Views, tokens and patches of pictures as LLaVA-OneVision's processor gives them. Made with transformers 5.23.0 (its PIL backend,
numpy) and Pillow 13.0.0.

    python tests/oracle/make_view_fixture.py        writes tests/data/llava_onevision/views.json
"""
import json

import numpy as np
from PIL import Image
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

from make_image_fixtures import fnv, noise
from make_model_fixture import DATA, VARIANTS
from tiny_models import num_picture_tokens, num_views

HUB = {"vision_config": {"image_size": 384, "patch_size": 14}, "vision_aspect_ratio": "anyres_max_9",
       "image_grid_pinpoints": [[384 * i, 384 * j] for i in range(1, 7) for j in range(1, 7)]}
CONFIGS = {"hub": HUB} | VARIANTS["llava_onevision"]
SIDES = [1, 2, 3, 5, 14, 27, 100, 200, 300, 336, 383, 384, 385, 480, 640, 768, 899, 1000, 1024, 1080, 1152, 1365, 1920, 2000, 2304,
         3000, 4000, 8191]
NUM_RANDOM = 20000
HUB_PICTURES = [(1, 1), (200, 200), (17, 523), (640, 480), (899, 1024), (300, 4000), (4000, 300)]
PICTURES = [(1, 1), (7, 9), (37, 50), (50, 37), (3, 500), (500, 3), (64, 64), (90, 31)]
NORMS = {"tied": dict(image_mean=[0.5] * 3, image_std=[0.5] * 3), "untied": {}, "hub": dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)}


def random_sides():
    """Pairs of sides from 1 to 4096, from two bytes each of noise(4 * NUM_RANDOM, 7)."""
    data = np.frombuffer(noise(4 * NUM_RANDOM, 7), dtype=">u2").reshape(-1, 2)
    return (data % 4096 + 1).tolist()


def counts(config):
    """For all pairs of SIDES, height first, views and tokens; and the hash of those of the random sizes, as 32-bit integers."""
    def of(size):
        return [num_views(size, config, True), num_picture_tokens(size, config, True)]

    random = np.array([of(size) for size in random_sides()], dtype="<i4")
    return {"counts": [of((height, width)) for height in SIDES for width in SIDES], "random": fnv(random.tobytes())}


def patch_rows(views, patch):
    """Views [views, 3, side, side] -> rows of patches [P, 3 * patch²]; pixels right and below of whole patches are left out."""
    count = views.shape[-1] // patch
    cut = views[..., :count * patch, :count * patch].reshape(-1, 3, count, patch, count, patch)
    return np.ascontiguousarray(cut.transpose(0, 2, 4, 1, 3, 5).reshape(-1, 3 * patch * patch))


def patches(name, config):
    """The picture is noise(height * width * 3, height * 1000 + width); `hash` is over the float32 rows' bytes."""
    side = config["vision_config"]["image_size"]
    processor = LlavaOnevisionImageProcessorPil(size={"height": side, "width": side},
                                                image_grid_pinpoints=config["image_grid_pinpoints"], **NORMS[name])
    for height, width in HUB_PICTURES if name == "hub" else PICTURES:
        image = Image.frombytes("RGB", (width, height), noise(height * width * 3, height * 1000 + width))
        for alone in (True, False):
            images = [image] if alone else [[image, image]]
            features = processor(images, return_tensors="np")
            rows = patch_rows(features["pixel_values"][0].astype(np.float32), config["vision_config"]["patch_size"])
            assert list(features["image_sizes"][0]) == [height, width]
            yield {"config": name, "height": height, "width": width, "alone": alone, "shape": list(rows.shape),
                   "hash": fnv(rows.tobytes()), "some": [float(v) for v in rows.reshape(-1)[::rows.size // 7][:8]]}


if __name__ == "__main__":
    compact = lambda value: json.dumps(value, separators=(",", ":"))
    lines = lambda items: "[\n" + ",\n".join(compact(item) for item in items) + "\n]"
    configs = [{"name": name} | counts(config) for name, config in CONFIGS.items()]
    rows = [entry for name, config in CONFIGS.items() for entry in patches(name, config)]
    (DATA / "llava_onevision" / "views.json").write_text(
        '{"sides":' + compact(SIDES) + ',\n"configs":' + lines(configs) + ',\n"patches":' + lines(rows) + "}\n")

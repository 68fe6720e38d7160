"""Makes tests/data/qwen2_5_vl/windows.json and tests/data/qwen3_vl/position_tables.safetensors: the windows of Qwen2.5-VL's vision
tower and the interpolated positions of Qwen3-VL's, as transformers computes them.

Versions: torch 2.13.0, transformers 5.23.0.
    python tests/oracle/make_vision_fixture.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_window_index

DATA = Path(__file__).resolve().parent.parent / "data"
GRIDS = [  # pictures of a batch, (frames, rows, columns) in patches
    [(1, 2, 2)], [(1, 8, 8)], [(1, 10, 6)], [(1, 16, 24)], [(2, 10, 6)], [(1, 10, 6), (1, 4, 4)], [(1, 2, 40)], [(1, 40, 2)],
    [(1, 18, 10)], [(1, 18, 18), (1, 2, 2), (1, 10, 18)], [(3, 6, 20)], [(1, 24, 8), (2, 8, 12)],
]
WINDOWS = [(112, 14), (100, 14), (56, 14), (64, 16)]  # window_size, patch_size
TABLES = [(5, [(1, 2, 2), (1, 6, 10)]), (7, [(2, 4, 8), (1, 14, 6)]), (1, [(1, 4, 2)]), (2, [(1, 6, 6)]),
          (48, [(1, 2, 34), (1, 48, 6), (1, 50, 4)])]  # side of the table, grids


def frame_segments(grids):
    """Where the frames of the pictures begin, in patches, and the end."""
    lengths = [h * w for t, h, w in grids for _ in range(t)]
    return [sum(lengths[:i]) for i in range(len(lengths) + 1)]


def windows():
    for window_size, patch_size in WINDOWS:
        for grids in GRIDS:
            index, segments = get_vision_window_index(torch.tensor(grids), 2, window_size, patch_size)
            yield {"window_size": window_size, "patch_size": patch_size, "grids": grids, "index": index.tolist(),
                   "segments": segments.tolist(), "frames": frame_segments(grids)}


def tables():
    """`weight` [side^2, E], `rows` [P, E]: what the tower adds to the patches of `grids`, in their order (merge blocks)."""
    generator = torch.Generator().manual_seed(31)
    tensors = {}
    for side, grids in TABLES:
        weight = torch.randn(side * side, 3, generator=generator)
        indices, factors = get_vision_interpolation_indices_and_weights(
            torch.tensor(grids), side, "bilinear", align_corners=True, spatial_merge_size=2)
        rows = (weight[indices] * factors[:, :, None]).sum(1)
        tensors |= {f"{side}.weight": weight, f"{side}.grids": torch.tensor(grids), f"{side}.rows": rows}
    return tensors


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in windows())
    (DATA / "qwen2_5_vl" / "windows.json").write_text(f"[\n{lines}\n]\n")
    save_file(tables(), DATA / "qwen3_vl" / "position_tables.safetensors")

"""Writes tests/data/safetensors/*.safetensors with the format's own library (safetensors 0.8.0, torch 2.13).

    python tests/oracle/make_safetensors_fixture.py

The values are the ones that tests/base/safetensors_test.cpp makes for itself: tensor number n counts up from n, except
that booleans alternate. One metadata entry only, as the library writes several in a random order.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

DTYPES = [
    ("bool", torch.bool), ("u8", torch.uint8), ("i8", torch.int8), ("i16", torch.int16), ("u16", torch.uint16),
    ("i32", torch.int32), ("u32", torch.uint32), ("i64", torch.int64), ("u64", torch.uint64), ("f16", torch.float16),
    ("bf16", torch.bfloat16), ("f32", torch.float32), ("f64", torch.float64), ("f8_e4m3", torch.float8_e4m3fn),
    ("f8_e5m2", torch.float8_e5m2), ("c64", torch.complex64),
]

folder = Path(__file__).parents[1] / "data" / "safetensors"
folder.mkdir(parents=True, exist_ok=True)

every = {}
for number, (name, dtype) in enumerate(DTYPES):
    values = torch.arange(number, number + 3)
    every[name] = (values % 2 == 1) if dtype == torch.bool else values.to(dtype)
every["z.matrix"] = torch.arange(6, dtype=torch.float32).reshape(2, 3)
every["a.scalar"] = torch.tensor(2.5)
every["empty"] = torch.zeros(0, 4)
every['quote " and \\ and é\n'] = torch.ones(1)
save_file(every, folder / "every_dtype.safetensors", metadata={"format": "pt"})
save_file({}, folder / "no_tensors.safetensors", metadata={"format": "pt"})

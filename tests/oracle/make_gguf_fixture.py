"""Writes tests/data/gguf: blocks of numbers as llama.cpp's own Python package encodes them, and a small file of its writer.

Versions: gguf 0.19.0, numpy 2.4.6.
    python tests/oracle/make_gguf_fixture.py
"""

import json
from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).resolve().parent.parent / "data" / "gguf"


def blocks():
    """float32 [blocks, 32]: random ones of several sizes, and those in which the encodings decide something."""
    generator = np.random.default_rng(1)
    rows = [generator.normal(scale=scale, size=32) for scale in (1e-7, 1e-3, 0.02, 0.5, 1, 30, 1e4)]
    rows.append(np.zeros(32))
    rows.append(np.r_[3.0, -3.0, np.linspace(-3, 3, 30)])  # two of the largest magnitude, the positive first
    rows.append(np.r_[-3.0, 3.0, np.linspace(-3, 3, 30)])
    rows.append(np.r_[127.0, np.arange(31) - 15.5])  # halves between the steps of 8 bits
    rows.append(np.r_[-8.0, (np.arange(31) - 15) / 2])  # and of 4 bits
    rows.append(np.r_[8.0, (np.arange(31) - 15) / 2])
    rows.append(np.r_[1.0, np.full(31, 0.9375)])  # beyond the last step of 4 bits
    rows.append(np.full(32, 1e-9))  # a scale that float16 has not
    rows.append(np.nextafter(np.float32(0.0625) * (np.arange(32) - 16), np.float32(9)))  # next to halves
    rows += list(generator.normal(scale=0.05, size=(8, 32)))
    return np.stack(rows).astype(np.float32)


def write_small_file(path):
    writer = gguf.GGUFWriter(path, "qwen2vl")
    writer.add_bool("a.flag", True)
    writer.add_int32("a.negative", -3)
    writer.add_uint32("a.count", 7)
    writer.add_float32("a.number", 0.5)
    writer.add_string("a.text", "größer")
    writer.add_array("a.flags", [True, False, True])
    writer.add_array("a.integers", [2, 1, 1, 0])
    writer.add_array("a.numbers", [0.25, -1.5])
    writer.add_array("a.texts", ["Ġthe", "", "x"])
    values = np.arange(96, dtype=np.float32).reshape(3, 32) / 8 - 5
    writer.add_tensor("one", values[0, :5].copy())
    writer.add_tensor("two", values.astype(np.float16))
    for kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.BF16):
        writer.add_tensor("of." + kind.name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("four", np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    values = blocks()
    encoded = {"values": values.tobytes().hex()}
    for kind in ("F16", "BF16", "Q8_0", "Q4_0", "F32"):
        encoded[kind.lower()] = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind]).tobytes().hex()
    (OUT / "encoded.json").write_text(json.dumps(encoded, indent=1) + "\n")
    write_small_file(OUT / "small.gguf")


if __name__ == "__main__":
    main()

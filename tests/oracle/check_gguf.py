"""Checks that llama.cpp's own converter accepts what the program writes, and that every weight arrives unchanged.

Versions: torch 2.13.0, transformers 5.23.0, and the converter of llama.cpp as llama-cpp-python 0.3.36 carries it in its source package:
    pip download --no-deps --no-binary=:all: llama-cpp-python==0.3.36
    tar xzf llama_cpp_python-0.3.36.tar.gz --strip-components=3 --wildcards '*/vendor/llama.cpp/c*' '*/vendor/llama.cpp/gguf-py/*'
    python tests/data/qwen2/make_tokenizer.py build/test-data/qwen2
    python tests/oracle/check_gguf.py build/release/vlsi build/test-data/qwen2 convert_hf_to_gguf.py

The program makes a small Qwen2-VL in shards, with the real tokenizer, which the converter must recognise. The converter makes its two
files, language model and vision tower. Every tensor of both is compared with the one in the model directory, bit for bit: names that
the converter takes as they are, the maps that it cuts, and the settings by which llama.cpp rebuilds the architecture.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

TINY = Path(__file__).resolve().parent.parent / "data" / "tiny"
DEPTH = 3  # blocks of the tower: the converter counts the merger's two maps, 0 and 2, as it counts blocks


def make_model(program, tokenizer, out):
    shutil.copytree(tokenizer, out / "tokenizer")
    shutil.copy(TINY / "tokenizer" / "preprocessor_config.json", out / "tokenizer")
    config = json.loads((TINY / "student.json").read_text())
    config["vision_config"]["depth"] = DEPTH
    config.update(vocab_size=151_936, bos_token_id=151_643, eos_token_id=151_645, vision_start_token_id=151_652, vision_end_token_id=151_653,
                  vision_token_id=151_654, image_token_id=151_655, video_token_id=151_656, tie_word_embeddings=False)
    (out / "config.json").write_text(json.dumps(config))
    subprocess.run([program, "init", "--config", out / "config.json", "--tokenizer", out / "tokenizer", "--out", out / "model",
                    "--dtype", "bfloat16", "--max-shard-bytes", "10000000"], check=True)
    assert len(list((out / "model").glob("model-*.safetensors"))) > 1
    return config


def convert(converter, model, out, *more):
    found = subprocess.run([sys.executable, converter, model, "--outfile", out, *more], capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(f"{converter} refused {model}:\n{found.stderr[-3000:]}")


def expected_tensors(model, config):
    """By their names in the two files, in the shapes that torch gives them."""
    stored = {}
    for path in sorted(model.glob("*.safetensors")):
        stored.update(load_file(path))
    text = {"token_embd.weight": stored.pop("model.embed_tokens.weight"), "output_norm.weight": stored.pop("model.norm.weight"),
            "output.weight": stored.pop("lm_head.weight")}
    of_layer = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
                "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
                "mlp.down_proj": "ffn_down"}
    for i in range(config["num_hidden_layers"]):
        for name, new in of_layer.items():
            for kind in ("weight", "bias"):
                if f"model.layers.{i}.{name}.{kind}" in stored:
                    text[f"blk.{i}.{new}.{kind}"] = stored.pop(f"model.layers.{i}.{name}.{kind}")
    patches = stored.pop("visual.patch_embed.proj.weight")
    vision = {"v.patch_embd.weight": patches[:, :, 0], "v.patch_embd.weight.1": patches[:, :, 1]}
    for kind in ("weight", "bias"):
        vision[f"v.post_ln.{kind}"] = stored.pop(f"visual.merger.ln_q.{kind}")
        for i in (0, 2):
            vision[f"mm.{i}.{kind}"] = stored.pop(f"visual.merger.mlp.{i}.{kind}")
        for i in range(DEPTH):
            for name, new in {"norm1": "ln1", "norm2": "ln2", "attn.proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}.items():
                vision[f"v.blk.{i}.{new}.{kind}"] = stored.pop(f"visual.blocks.{i}.{name}.{kind}")
            for new, part in zip("qkv", stored.pop(f"visual.blocks.{i}.attn.qkv.{kind}").chunk(3)):
                vision[f"v.blk.{i}.attn_{new}.{kind}"] = part
    assert not stored, sorted(stored)
    return text, vision


def check_tensors(reader, expected, what):
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert set(found) == set(expected), sorted(set(found) ^ set(expected))
    for name, wanted in expected.items():
        assert found[name].tensor_type.name == "F32", name
        assert torch.equal(torch.from_numpy(found[name].data.copy()), wanted.float()), name
    print(f"{what}: all {len(found)} tensors are those of the model directory")


def check_settings(reader, expected):
    for key, wanted in expected.items():
        found = reader.fields[key].contents()
        assert found == wanted or abs(found - wanted) < 1e-9, f"{key} is {found}, expected {wanted}"


def check(program, tokenizer, converter, out):
    config = make_model(program, tokenizer, out)
    convert(converter, out / "model", out / "text.gguf", "--outtype", "f32")
    convert(converter, out / "model", out / "vision.gguf", "--outtype", "f32", "--mmproj")
    sys.path.insert(0, str(converter.parent / "gguf-py"))
    from gguf import GGUFReader
    text, vision = GGUFReader(out / "text.gguf"), GGUFReader(out / "vision.gguf")
    expected_text, expected_vision = expected_tensors(out / "model", config)
    check_tensors(text, expected_text, "language model")
    check_tensors(vision, expected_vision, "vision tower")
    check_settings(text, {"general.architecture": "qwen2vl", "qwen2vl.block_count": config["num_hidden_layers"],
                          "qwen2vl.embedding_length": config["hidden_size"], "qwen2vl.feed_forward_length": config["intermediate_size"],
                          "qwen2vl.attention.head_count": config["num_attention_heads"],
                          "qwen2vl.attention.head_count_kv": config["num_key_value_heads"], "qwen2vl.rope.freq_base": config["rope_theta"],
                          "qwen2vl.rope.dimension_sections": config["rope_scaling"]["mrope_section"] + [0],
                          "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.eos_token_id": config["eos_token_id"]})
    assert len(text.fields["tokenizer.ggml.tokens"].contents()) == config["vocab_size"]
    tower = config["vision_config"]
    check_settings(vision, {"clip.projector_type": "qwen2vl_merger", "clip.vision.block_count": tower["depth"],
                            "clip.vision.embedding_length": tower["embed_dim"], "clip.vision.attention.head_count": tower["num_heads"],
                            "clip.vision.patch_size": tower["patch_size"]})
    print("settings: as config.json has them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("converter", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check(arguments.program.resolve(), arguments.tokenizer.resolve(), arguments.converter.resolve(), Path(folder))

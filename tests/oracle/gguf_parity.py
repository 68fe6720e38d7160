"""Compares what a real llama.cpp makes of `vlsi export --format gguf` with transformers, for every family and type.

Versions: torch 2.13.0, transformers 5.23.0, gguf 0.19.0, and xllamacpp 2026.10.11549, whose wheel holds llama.cpp and its reader of `mmproj` files:
    python tests/oracle/gguf_parity.py build/release/vlsi

Each family's tiny random model, with sizes that 32 divides, is exported, and llama.cpp continues prompts greedily: text, and a question about a
picture that needs no resizing. transformers computes, in float32, the log-probabilities of every token of the vocabulary at every position of
llama.cpp's answer:
  "file"   with the weights that the file holds, which `gguf` dequantises: what is left is llama.cpp's own arithmetic (activations rounded to the
           weights' type, keys and values to float16, GELU by a table and the tanh formula in every merger);
  "model"  with the weights before the export: the loss by the type.
Columns: the largest difference of the log-probabilities of the chosen tokens, the mean one over the whole vocabulary, and how many of llama.cpp's
tokens are the most probable ones of transformers with the file's weights. Another token is passed only where transformers holds both nearly
equally probable.
"""

import argparse
import base64
import io
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import torch

import tiny_models

TINY = Path(__file__).resolve().parent.parent / "data" / "tiny"
VOCABULARY, FIRST_SPECIAL, NUM_NEW = 320, 312, 16
TYPES = {"f16": "F16", "bf16": "BF16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
# Of the log-probabilities with the file's weights, nats. llama.cpp rounds the activations of every product: to float16, some 2^-11 of their size;
# to bfloat16, 2^-8; beside 8 and 4 bits, to 8 bits, 2^-8 of the largest of 32. Through tower, three layers and a head whose logits are a few units,
# such errors add up to some ten of them.
LARGEST_ERROR = {"f16": 0.03, "bf16": 0.15, "q8_0": 0.25, "q4_0": 0.25}
QUESTION = "What is the color of the shape?"

SAME = dict(hidden=64, layers=3, heads=4, kv_heads=2, intermediate=96, vocabulary=VOCABULARY, first_special=FIRST_SPECIAL)
TOWER = dict(vision_depth=4, vision_width=64, vision_heads=2)


def configs(tied):
    mrope = [4, 2, 2]
    return {
        "qwen2_vl": tiny_models.qwen2_vl_config(**SAME, **TOWER, tied=tied, patch=14, mrope_section=mrope),
        "qwen2_5_vl": tiny_models.qwen2_5_vl_config(**SAME, **TOWER, tied=tied, patch=14, mrope_section=mrope, window_cells=4,
                                                    full_blocks=[1, 3], vision_intermediate=96),
        "qwen3_vl": tiny_models.qwen3_vl_config(**SAME, **TOWER, tied=tied, patch=16, mrope_section=[6, 5, 5], head_dim=32, taps=[0, 2],
                                                table_side=6, vision_intermediate=96),
        "llava_onevision": tiny_models.llava_onevision_config(**SAME, **TOWER, tied=tied, patch=14, image_size=56, grids=[(1, 1), (2, 2)],
                                                              max_views=4, vision_intermediate=96),
    }


def make_run(folder, config):
    """A finished run whose student is a random model."""
    model = tiny_models.write_model(folder / "run" / "model", config, seed=5)
    for path in (TINY / "tokenizer").iterdir():
        shutil.copy(path, folder / "run" / "model")
    settings = json.loads((TINY / "tokenizer" / "preprocessor_config.json").read_text())
    settings.update(patch_size=config["vision_config"]["patch_size"], min_pixels=3136, max_pixels=1_000_000)
    (folder / "run" / "model" / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "run" / "config.yaml").write_text(f"out: {folder / 'run'}\ndtype: float32\nstudent: {{model: {folder / 'run' / 'model'}}}\n")
    return model, settings


def export(program, folder, *more):
    found = subprocess.run([program, "export", "--run", folder / "run", "--out", folder / "gguf", "--format", "gguf", *more],
                           capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(f"export: {found.stderr}")
    return folder / "gguf"


def excluded_tokens(tokenizer):
    """Those that are no answer here: special ones, and stretches of bytes that are no text alone, of which llama.cpp reports no probabilities."""
    return [token for token in range(VOCABULARY)
            if token >= FIRST_SPECIAL or "\ufffd" in tokenizer.decode([token]) or not tokenizer.decode([token])]


def ask_llama(directory, prompts, excluded):
    """In a process of its own: llama.cpp ends the process where it does not like a file."""
    request = {"directory": str(directory), "prompts": prompts, "excluded": excluded}
    found = subprocess.run([sys.executable, __file__, "--llama"], input=json.dumps(request), capture_output=True, text=True)
    if found.returncode != 0:
        sys.exit(f"llama.cpp: {found.stderr[-4000:]}")
    return json.loads(found.stdout.splitlines()[-1])


def run_llama():
    import os
    os.environ["LLAMA_MEDIA_MARKER"] = "<__media__>"
    import xllamacpp
    request = json.loads(sys.stdin.read())
    params = xllamacpp.CommonParams()
    params.model.path = request["directory"] + "/model.gguf"
    if os.path.exists(request["directory"] + "/mmproj.gguf"):
        params.mmproj.path = request["directory"] + "/mmproj.gguf"
    params.n_ctx, params.n_parallel, params.warmup = 2048, 1, False
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)
    answers = []
    for prompt in request["prompts"]:
        text = prompt["text"]
        body = json.dumps({
            "prompt": {"prompt_string": text, "multimodal_data": [prompt["picture"]]} if "picture" in prompt else text,
            "n_predict": NUM_NEW, "temperature": 0, "n_probs": VOCABULARY, "cache_prompt": False,
            "logit_bias": [[token, False] for token in request["excluded"]]})
        asked = urllib.request.Request(server.listening_address + "/completion", body.encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as reply:
            answers.append(json.load(reply))
    print(json.dumps(answers), flush=True)
    os._exit(0)


def round_trip(weight, kind):
    import gguf
    qtype = gguf.GGMLQuantizationType[kind]
    values = weight.detach().float().contiguous().numpy()
    return torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(values, qtype), qtype).copy()).view(weight.shape)


def with_weights_of_file(model, kind, picture_kind, tied):
    """The model with every weight as the file has it."""
    weights = {}
    head = "model.language_model.embed_tokens.weight" if tied else "lm_head.weight"
    for name, value in model.state_dict().items():
        is_picture = "visual" in name
        of_map = picture_kind if is_picture else "q8_0" if kind == "q4_0" and name == head else kind
        if value.dim() == 2 and "pos_embed" not in name:
            value = round_trip(value, TYPES[of_map])
        elif value.dim() == 5 and of_map == "f16":
            value = value.half().float()
        weights[name] = value
    if tied:
        weights["lm_head.weight"] = weights[head]
    copied = type(model)(model.config).eval()
    copied.load_state_dict(weights)
    return copied


def cut_patches(pixels, settings):
    """RGB bytes [H, W, 3] -> patches [P, 3 * 2 * patch²] in blocks of 2 x 2, grid [1, 3]."""
    mean, std = (torch.tensor(settings[key]) for key in ("image_mean", "image_std"))
    values = ((torch.from_numpy(pixels).float() / 255 - mean) / std).permute(2, 0, 1)
    patch = settings["patch_size"]
    h, w = (size // patch for size in values.shape[1:])
    blocks = values.reshape(3, h // 2, 2, patch, w // 2, 2, patch).permute(1, 4, 2, 5, 0, 3, 6)
    rows = blocks.reshape(h * w, 3, 1, patch, patch).expand(-1, -1, 2, -1, -1).reshape(h * w, -1)
    return rows, torch.tensor([[1, h, w]])


def log_probabilities(model, sample, answer):
    """At every position of the answer, over the vocabulary."""
    tokens = torch.cat([sample["tokens"], torch.tensor(answer)])
    with torch.no_grad():
        logits = model(**tiny_models.model_inputs(model, sample | {"tokens": tokens}), use_cache=False).logits[0]
    first = len(sample["tokens"]) - 1
    return torch.log_softmax(logits[first:first + len(answer)].double(), dim=-1)


def compare(name, model, loaded, sample, answer, excluded, limit):
    probabilities = answer["completion_probabilities"]
    chosen = [entry["id"] for entry in probabilities]
    assert len(chosen) == NUM_NEW, chosen
    found = torch.full((len(chosen), VOCABULARY), float("nan"), dtype=torch.double)
    for row, entry in zip(found, probabilities):
        for candidate in entry["top_logprobs"]:
            row[candidate["id"]] = candidate["logprob"]
    results = {}
    for what, reference in (("file", loaded), ("model", model)):
        expected = log_probabilities(reference, sample, chosen)
        difference = (found - expected).abs()
        at_chosen = difference[torch.arange(len(chosen)), chosen]
        allowed = expected.index_fill(-1, torch.tensor(excluded), -torch.inf)
        same = allowed.argmax(-1) == torch.tensor(chosen)
        gap = (allowed.max(-1).values - expected[torch.arange(len(chosen)), chosen]).max()
        results[what] = (float(at_chosen.max()), float(difference.nanmean()), int(same.sum()), float(gap))
    of_file, of_model = results["file"], results["model"]
    print(f"| {name} | {of_file[0]:.4f} | {of_file[1]:.4f} | {of_model[0]:.4f} | {of_file[2]} of {len(chosen)} |", flush=True)
    return of_file[0] <= limit and of_file[3] <= 2 * limit


def samples_of(family, config, settings, tokenizer):
    """Prompts for llama.cpp, with the same as transformers reads it."""
    from PIL import Image
    begin = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    end = QUESTION + "<|im_end|>\n<|im_start|>assistant\n"
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    yield "text", {"text": begin + end}, {"tokens": torch.tensor(ids(begin + end))}
    if family == "llava_onevision":
        return
    patch = config["vision_config"]["patch_size"]
    pixels = np.random.default_rng(7).integers(0, 256, (8 * patch, 10 * patch, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png")
    rows, grid = cut_patches(pixels, settings)
    token = "<|vision_start|>" + "<|image_pad|>" * (len(rows) // 4) + "<|vision_end|>"
    yield ("picture", {"text": begin + "<__media__>" + end, "picture": base64.b64encode(file.getvalue()).decode()},
           {"tokens": torch.tensor(ids(begin + token + end)), "patches": rows, "grids": grid})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    program = parser.parse_args().program.resolve()
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer" / "tokenizer.json"))
    print("| family | type | prompt | file: largest | mean | model: largest | same token |\n|---|---|---|---|---|---|---|")
    failed, excluded = [], excluded_tokens(tokenizer)
    for tied in (False, True):
        for family, config in configs(tied).items():
            for kind in TYPES:
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name)
                    model, settings = make_run(folder, config)
                    out = export(program, folder, "--type", kind, "--mmproj-type", kind)
                    loaded = with_weights_of_file(model, kind, kind, tied)
                    samples = list(samples_of(family, config, settings, tokenizer))
                    answers = ask_llama(out, [prompt for _, prompt, _ in samples], excluded)
                    for (what, _, sample), answer in zip(samples, answers):
                        label = f"{family}{', tied' if tied else ''} | {kind} | {what}"
                        if not compare(label, model, loaded, sample, answer, excluded, LARGEST_ERROR[kind]):
                            failed.append(label)
    sys.exit(f"too far apart: {failed}" if failed else 0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--llama"]:
        run_llama()
    else:
        main()

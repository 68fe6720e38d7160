#!/usr/bin/env python3
"""The peers of bench/inference.py; each prints one line of JSON, {"seconds": of what is measured}.

    inference_peer.py write bf16|q8_0|q4_0 FILE.gguf               random weights of Qwen2-VL 2B's text model, for llama.cpp
    inference_peer.py llamacpp FILE.gguf THREADS TOKENS            its own figure for a token of one answer
    inference_peer.py transformers DIRECTORY THREADS TOKENS BATCH  median seconds between tokens of `generate`, bfloat16
    inference_peer.py photo FILE.jpg                               a smooth picture of 4000 x 3000 pixels with noise
    inference_peer.py patches DIRECTORY FILE THREADS               median seconds from a picture's file to its patches
    inference_peer.py first_token DIRECTORY PROMPT THREADS         the model's answer of one token

gguf 0.19, xllamacpp 2026.10, transformers 5.23, torch 2.13.
"""

import json
import sys

WIDTH, HIDDEN, LAYERS, HEADS, KEY_HEADS, VOCABULARY = 1536, 8960, 28, 12, 2, 151936
PROMPT_TOKENS = 8


def write(kind, path):
    import gguf
    import numpy

    types = gguf.GGMLQuantizationType
    of_maps = {"bf16": types.BF16, "q8_0": types.Q8_0, "q4_0": types.Q4_0}[kind]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(32768)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([f"t{i}" for i in range(VOCABULARY)])
    writer.add_token_types([1] * VOCABULARY)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(VOCABULARY - 1)
    writer.add_bos_token_id(VOCABULARY - 1)
    random = numpy.random.default_rng(1)

    def add_map(name, outputs, inputs, dtype=of_maps):
        # The time of a product does not depend on its numbers: a few rows stand for all.
        rows = gguf.quants.quantize(random.standard_normal((min(outputs, 2048), inputs), dtype=numpy.float32) * 0.02, dtype)
        writer.add_tensor(name, numpy.concatenate([rows] * (-(-outputs // len(rows))))[:outputs], raw_dtype=dtype)

    def add_vector(name, size, scale=0.02):
        values = numpy.ones(size) if scale is None else random.standard_normal(size) * scale
        writer.add_tensor(name, values.astype(numpy.float32))

    add_map("token_embd.weight", VOCABULARY, WIDTH, types.Q8_0 if kind == "q4_0" else of_maps)
    add_vector("output_norm.weight", WIDTH, None)
    for layer in range(LAYERS):
        place = f"blk.{layer}."
        add_vector(place + "attn_norm.weight", WIDTH, None)
        add_vector(place + "ffn_norm.weight", WIDTH, None)
        for name, outputs in (("q", WIDTH), ("k", WIDTH // HEADS * KEY_HEADS), ("v", WIDTH // HEADS * KEY_HEADS)):
            add_map(f"{place}attn_{name}.weight", outputs, WIDTH)
            add_vector(f"{place}attn_{name}.bias", outputs)
        add_map(place + "attn_output.weight", WIDTH, WIDTH)
        add_map(place + "ffn_gate.weight", HIDDEN, WIDTH)
        add_map(place + "ffn_up.weight", HIDDEN, WIDTH)
        add_map(place + "ffn_down.weight", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {}


def llamacpp(path, threads, tokens):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 512
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
    server = xllamacpp.Server(params)
    request = {"prompt": list(range(1000, 1000 + PROMPT_TOKENS)), "n_predict": int(tokens), "temperature": 0, "ignore_eos": True}
    found = server.handle_completions(request)
    return {"seconds": found["timings"]["predicted_per_token_ms"] / 1e3}


def transformers(directory, threads, tokens, batch):
    import statistics
    import time

    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, StoppingCriteriaList

    torch.set_num_threads(int(threads))
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(directory), dtype=torch.bfloat16).eval()
    times = []

    prompt = torch.arange(1000, 1000 + PROMPT_TOKENS).repeat(int(batch), 1)
    count = {"min_new_tokens": int(tokens), "max_new_tokens": int(tokens), "do_sample": False}
    def note(*_, **__):
        times.append(time.perf_counter())
        return torch.zeros(int(batch), dtype=torch.bool)

    with torch.inference_mode():
        model.generate(prompt, attention_mask=torch.ones_like(prompt), stopping_criteria=StoppingCriteriaList([note]), **count)
    return {"seconds": statistics.median(b - a for a, b in zip(times[4:], times[5:]))}


def photo(path):
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(1)
    small = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=numpy.uint8))
    pixels = numpy.asarray(small.resize((4000, 3000), Image.Resampling.BICUBIC), dtype=numpy.int16)
    noisy = numpy.clip(pixels + random.integers(-8, 9, pixels.shape, dtype=numpy.int16), 0, 255).astype(numpy.uint8)
    Image.fromarray(noisy).save(path, quality=90)
    return {}


def patches(directory, path, threads):
    import statistics
    import time

    import torch
    from PIL import Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.set_num_threads(int(threads))
    processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        with Image.open(path) as image:
            found = processor(image.convert("RGB"), return_tensors="pt")["pixel_values"]
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:]), "patches": len(found)}


def first_token(directory, prompt, threads):
    import torch
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    torch.set_num_threads(int(threads))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.bfloat16)
    text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
    with torch.inference_mode():
        found = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=1, do_sample=False)
    return {"text": tokenizer.decode(found[0, -1])}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))

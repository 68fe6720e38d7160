#!/usr/bin/env python3
"""Inference at the shapes of Qwen2-VL 2B, with random weights: one function a key.

    bench/inference.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE]

PYTHON is an interpreter with torch, transformers 5.23, gguf and xllamacpp. Two threads; decoding makes 48 tokens an answer after a prompt
of 8. decode_bytes_to_bandwidth: bytes of the weights that a token reads a second, bfloat16, one request, ÷ the best of several plain
threaded reads of 1 GiB. llamacpp_to_ours_16, _8, _4: seconds a token, llama.cpp's BF16, Q8_0, and Q4_0 with a head in Q8_0 ÷ ours in
bfloat16, int8, int4. transformers_to_ours_b1, _b8: seconds a step of `generate` in bfloat16 ÷ ours, one request and eight. batch_gain:
tokens a second of 16 requests at once ÷ one. draft_to_plain: seconds of a step that drafts 4 tokens by a random verbalizer of layer 6 and
checks them, ÷ a plain step: drafts pay where such a step gives more tokens than that. prefill_to_mm: FLOP/s of the decoder's and the head's
maps while a prompt of 1,024 tokens is read, attention and all else in the time but not in the FLOPs, ÷ at::mm's at 1024 x 1536 x 8960.
image_pipeline: from a JPEG file of 4000 x 3000 pixels to patches, Pillow + transformers' processor ÷ ours. first_token: from the program's
start to the first token of a prompt of text, weights in the page cache, transformers ÷ ours. shared_prefix: 20 questions about a picture of
a million pixels, seconds to the first token, the first ÷ the mean of the others. served_overhead, served_to_whole: bench/served_overhead.py, 200 questions,
4 layers of the 2B's shapes with its whole vocabulary. The sides take turns; a ratio is that of their medians, printed with its range over the rounds.
Prints and, with --json, writes {key: value}.
"""

import json
import shutil
import statistics
import time

from keys import ROOT, VLSI, main, run
from true_size import IMAGES, Bench

THREADS = 2
TOKENS = 48
PROMPT = "Name the colours of the rainbow."


class Inference(Bench):
    def directory(self):
        folder = self.folder / "inference"
        if not folder.exists():
            shutil.copytree(self.tokenizer("qwen2vl"), folder)
            shutil.copy(ROOT / "runs/qwen2vl/model-2b.json", folder / "config.json")
        return folder

    def bench(self, *words):
        return json.loads(run(ROOT / "build/release/bench/inference_bench", self.directory(), THREADS, *words).splitlines()[-1])

    def ours(self, requests=1, kind="none", tokens=TOKENS):
        return self.bench("decode", requests, tokens, kind)

    def inference_peer(self, *arguments):
        peer = ROOT / "bench/peers/inference_peer.py"
        return json.loads(run(self.options.peer_python, peer, *arguments).splitlines()[-1])

    def decode_bytes_to_bandwidth(self):
        found = [self.ours() for _ in range(self.options.rounds)]
        shares = sorted(one["bytes"] / one["seconds"] / one["bandwidth"] for one in found)
        print(f"{found[0]['seconds'] * 1e3:.1f} ms a token; read bandwidth {found[0]['bandwidth'] / 1e9:.1f} GB/s")
        return {"decode_bytes_to_bandwidth": shares[len(shares) // 2]}

    def llamacpp(self, key, kind, peer_kind):
        weights = self.folder / f"{peer_kind}.gguf"
        self.inference_peer("write", peer_kind, weights)
        peer, own = self.rounds(lambda: self.inference_peer("llamacpp", weights, THREADS, TOKENS)["seconds"],
                                lambda: self.ours(kind=kind)["seconds"])
        weights.unlink()
        print(f"{kind}: ours {own * 1e3:.1f} ms a token, llama.cpp {peer_kind} {peer * 1e3:.1f} ms")
        return {key: peer / own}

    def llamacpp_to_ours_16(self):
        return self.llamacpp("llamacpp_to_ours_16", "none", "bf16")

    def llamacpp_to_ours_8(self):
        return self.llamacpp("llamacpp_to_ours_8", "int8", "q8_0")

    def llamacpp_to_ours_4(self):
        return self.llamacpp("llamacpp_to_ours_4", "int4", "q4_0")

    def transformers(self, key, requests):
        peer, own = self.rounds(
            lambda: self.inference_peer("transformers", self.directory(), THREADS, TOKENS, requests)["seconds"],
            lambda: self.ours(requests)["seconds"])
        print(f"{requests} request(s): ours {own * 1e3:.1f} ms a step, transformers {peer * 1e3:.1f} ms")
        return {key: peer / own}

    def transformers_to_ours_b1(self):
        return self.transformers("transformers_to_ours_b1", 1)

    def transformers_to_ours_b8(self):
        return self.transformers("transformers_to_ours_b8", 8)

    def batch_gain(self):
        one, sixteen = self.rounds(lambda: self.ours(1)["seconds"], lambda: self.ours(16)["seconds"])
        print(f"one request {one * 1e3:.1f} ms a token, sixteen {sixteen * 1e3:.1f} ms a step")
        return {"batch_gain": 16 * one / sixteen}

    def draft_to_plain(self, layer=6, drafted=4):
        found = [self.bench("draft", layer, drafted) for _ in range(self.options.rounds)]
        ratios = sorted(one["with_draft"] / one["plain"] for one in found)
        print(f"a plain step {found[0]['plain'] * 1e3:.1f} ms, with {drafted} tokens drafted by layer {layer} "
              f"{found[0]['with_draft'] * 1e3:.1f} ms; {len(ratios)} rounds {ratios[0]:.3f} to {ratios[-1]:.3f}")
        return {"draft_to_plain": statistics.median(ratios)}

    def prefill_to_mm(self):
        found = [self.bench("prefill", 1024) for _ in range(self.options.rounds)]
        shares = sorted(one["flops"] / one["mm"] for one in found)
        print(f"a prompt of 1,024 tokens: {found[0]['flops'] / 1e12:.3f} TFLOP/s, at::mm {found[0]['mm'] / 1e12:.3f}; "
              f"{len(shares)} rounds {shares[0]:.3f} to {shares[-1]:.3f}")
        return {"prefill_to_mm": statistics.median(shares)}

    def image_pipeline(self):
        picture = self.folder / "photo.jpg"
        self.inference_peer("photo", picture)
        peer, own = self.rounds(lambda: self.inference_peer("patches", self.directory(), picture, THREADS)["seconds"],
                                lambda: self.bench("patches", picture)["seconds"])
        print(f"a JPEG of 4000 x 3000 to patches: ours {own * 1e3:.0f} ms, Pillow and transformers {peer * 1e3:.0f} ms")
        return {"image_pipeline": peer / own}

    def first_token(self):
        model = self.model(28, vision_depth=32)

        def seconds(*command):
            start = time.time()
            run(*command)
            return time.time() - start

        ours = (VLSI, "generate", "--model", model, "--prompt", PROMPT, "--greedy", "--max-new-tokens", 1, "--dtype", "bfloat16",
                "--threads", THREADS)
        theirs = (self.options.peer_python, ROOT / "bench/peers/inference_peer.py", "first_token", model, PROMPT, THREADS)
        seconds(*ours), seconds(*theirs)  # the weights come into the page cache
        peer, own = self.rounds(lambda: seconds(*theirs), lambda: seconds(*ours))
        print(f"start to first token: ours {own:.2f} s, transformers {peer:.2f} s")
        return {"first_token": peer / own}

    def shared_prefix(self):
        self.picture_data(1, 1000, 1)
        found = self.bench("picture", self.folder / "pictures/0.png", 20)
        print(f"first question {found['first']:.2f} s, others {found['others'] * 1e3:.0f} ms")
        return {"shared_prefix": found["first"] / found["others"]}

    def served_overhead(self):
        data = self.folder / "served-data"
        run("python3", ROOT / "runs/quickstart/prepare.py", "data", IMAGES.parent, data)
        found = json.loads(run("python3", ROOT / "bench/served_overhead.py", VLSI, self.model(4), data / "test.json", IMAGES,
                               "--dtype", "bfloat16", "--repetitions", self.options.rounds).splitlines()[-1])
        print(f"200 questions: served in {found['serve_seconds']:.2f} s, answered in {found['answer_seconds']:.2f} s")
        return {"served_overhead": found["served_overhead"], "served_to_whole": found["served_to_whole"]}


if __name__ == "__main__":
    main(Inference, __doc__, "decode_bytes_to_bandwidth,llamacpp_to_ours_16,llamacpp_to_ours_8,llamacpp_to_ours_4,"
         "transformers_to_ours_b1,transformers_to_ours_b8,batch_gain,draft_to_plain,prefill_to_mm,image_pipeline,first_token,"
         "shared_prefix,served_overhead")

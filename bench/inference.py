#!/usr/bin/env python3
"""Decoding at the shapes of Qwen2-VL 2B, with random weights: one function a key.

    bench/inference.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE]

PYTHON is an interpreter with torch, transformers 5.23, gguf and xllamacpp. Two threads; 48 tokens an answer after a prompt of 8.
decode_bytes_to_bandwidth: bytes of the weights that a token reads a second, bfloat16, one request, ÷ the best of several plain threaded
reads of 1 GiB. llamacpp_to_ours_16, _8, _4: seconds a token, llama.cpp's BF16, Q8_0, and Q4_0 with a head in Q8_0 ÷ ours in bfloat16,
int8, int4. transformers_to_ours_b1, _b8: seconds a step of `generate` in bfloat16 ÷ ours, one request and eight. batch_gain: tokens a
second of 16 requests at once ÷ one. The sides take turns; a ratio is that of their medians, printed with its range over the rounds.
Prints and, with --json, writes {key: value}.
"""

import json
import shutil

from true_size import ROOT, Bench, main, run

THREADS = 2
TOKENS = 48


class Inference(Bench):
    def directory(self):
        folder = self.folder / "inference"
        if not folder.exists():
            shutil.copytree(self.tokenizer("qwen2vl"), folder)
            shutil.copy(ROOT / "runs/qwen2vl/model-2b.json", folder / "config.json")
        return folder

    def ours(self, requests=1, kind="none", tokens=TOKENS):
        program = ROOT / "build/release/bench/inference_bench"
        return json.loads(run(program, self.directory(), THREADS, requests, tokens, kind).splitlines()[-1])

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


if __name__ == "__main__":
    main(Inference, __doc__, "decode_bytes_to_bandwidth,llamacpp_to_ours_16,llamacpp_to_ours_8,llamacpp_to_ours_4,"
         "transformers_to_ours_b1,transformers_to_ours_b8,batch_gain")

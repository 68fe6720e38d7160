#!/usr/bin/env python3
"""Times other ways to the verbal losses, on the shapes of bench/objective.h; prints {name: seconds} as JSON.

    objective_peer.py [--vocab-size 151936] [--layers 8] [--positions 256] NAME...

    chunked            forward KL of every student layer to its teacher layer, 256 positions at a time, each chunk
                       recomputed in the backward pass (torch.utils.checkpoint), rows and heads converted to float32:
                       how TRL's supervised and distillation trainers projected until August 2026
    chunked_bfloat16   the same with bfloat16 products, whose logits are converted: how they did after that
    trl                TRL's own function (package trl, pinned in requirements.txt): tiles of 32,768 vocabulary rows,
                       which both models project again in the backward pass; on a CPU in float32
    cut_cross_entropy  Apple's package with impl="torch_compile", its way for processors without Triton: cross entropy
                       alone; the first call, which compiles, is not counted

Eight student layers face eight teacher layers, so that Algorithm 1 leaves no choice and these ways, none of which has
a matrix of pairs, need not pay for one. Random weights: the time does not depend on them. PyTorch chooses the threads.
"""

import argparse
import json
import time

import torch
from torch.utils.checkpoint import checkpoint

STUDENT_WIDTH, TEACHER_WIDTH, CHUNK = 1536, 3584, 256


def head(vocab_size, width):
    """Random rows, repeated, for the sake of a quick start."""
    block = (torch.randn(2048, width) * 0.02).bfloat16()
    return block.repeat(-(-vocab_size // len(block)), 1)[:vocab_size].contiguous()


def hidden(layers, positions, width):
    return [(torch.randn(positions, width) * 4).bfloat16() for _ in range(layers)]


def forward_kl(log_q, log_p):
    return torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True)


def chunk_kl(u, student_head, v, teacher_head, widen):
    def log_probabilities(rows, weight):
        logits = rows.float() @ weight.float().T if widen else (rows @ weight.T).float()
        return torch.log_softmax(logits, -1)

    return forward_kl(log_probabilities(u, student_head), log_probabilities(v, teacher_head))


def chunked(problem, widen):
    loss = 0
    for u, v in zip(problem.student, problem.teacher):
        for first in range(0, len(u), CHUNK):
            rows = slice(first, first + CHUNK)
            loss = loss + checkpoint(
                chunk_kl, u[rows], problem.student_head, v[rows], problem.teacher_head, widen, use_reentrant=False
            )
    return loss / len(problem.student[0])


def trl(problem):
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    loss = 0
    for u, v in zip(problem.student, problem.teacher):
        divergence, _ = ChunkedDivergenceFunction.apply(
            u, problem.student_head, None, v, problem.teacher_head, None, 0.0
        )
        loss = loss + divergence.mean()
    return loss


def cut_cross_entropy(problem):
    from cut_cross_entropy import linear_cross_entropy

    return linear_cross_entropy(torch.cat(problem.student), problem.student_head, problem.labels, impl="torch_compile")


WAYS = {
    "chunked": lambda problem: chunked(problem, widen=True),
    "chunked_bfloat16": lambda problem: chunked(problem, widen=False),
    "trl": trl,
    "cut_cross_entropy": cut_cross_entropy,
}


class Problem:
    def __init__(self, vocab_size, layers, positions):
        torch.manual_seed(1)
        self.student_head, self.teacher_head = (head(vocab_size, width) for width in (STUDENT_WIDTH, TEACHER_WIDTH))
        self.student = [rows.requires_grad_() for rows in hidden(layers, positions, STUDENT_WIDTH)]
        self.teacher = hidden(layers, positions, TEACHER_WIDTH)
        self.labels = torch.randint(vocab_size, (layers * positions,))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=WAYS, metavar="NAME")
    parser.add_argument("--vocab-size", type=int, default=151936)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--positions", type=int, default=256)
    options = parser.parse_args()
    small = Problem(2048, 1, 8)
    problem = Problem(options.vocab_size, options.layers, options.positions)
    seconds = {}
    for name in options.names:
        # The first call loads and prepares, whatever its size; what is compiled is compiled for a size.
        WAYS[name](problem if name == "cut_cross_entropy" else small).backward()
        begin = time.perf_counter()
        WAYS[name](problem).backward()
        seconds[name] = time.perf_counter() - begin
        assert all(rows.grad.isfinite().all() and rows.grad.any() for rows in problem.student)
        for rows in problem.student:
            rows.grad = None
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What storing a teacher's expected rows in 16 bits costs: the table of the teacher cache in docs/numerics.md.

    bench/cache_rounding.py         needs torch; a minute, 4 GB

Real sizes (152k rows, width 1536), a student and a teacher that are close to each other. Everything is in float64 but for the
rounding of the expected rows to float16 or bfloat16; entropies stay. Worst error of a position's KL, and of the mean over all
positions, in nats.
"""

import torch

V, D, N = 151936, 1536, 32

torch.manual_seed(0)
head = (torch.randn(V, D) / D**0.5).bfloat16()
wide = head.double()
print(f"{'KL':>7} {'entropy':>8} | {'float16':>9} {'mean':>9} | {'bfloat16':>9} {'mean':>9}")
for scale in (1, 3, 6):
    student = (torch.randn(N, D) * scale).bfloat16().double()
    teacher = (student + torch.randn(N, D) * 0.1 * scale).bfloat16().double()
    log_p = (teacher @ wide.T).log_softmax(-1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(-1)
    expected_row = p @ wide
    log_sum_exp = (student @ wide.T).logsumexp(-1)

    def kl(rows):
        return log_sum_exp - (rows.double() * student).sum(-1) - entropy

    exact = kl(expected_row)
    columns = []
    for dtype in (torch.float16, torch.bfloat16):
        error = kl(expected_row.to(dtype)) - exact
        columns += [error.abs().max().item(), error.mean().abs().item()]
    print(f"{exact.mean():7.4f} {entropy.mean():8.2f} | {columns[0]:9.1e} {columns[1]:9.1e} | {columns[2]:9.1e} {columns[3]:9.1e}", flush=True)

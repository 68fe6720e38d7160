#!/usr/bin/env python3
"""What the roundings of the one-pass objective cost, one by one: the table in docs/numerics.md.

    bench/rounding.py           needs torch; 2 minutes, 4 GB

Real sizes (152k rows, width 1536), a student and a teacher that are close to each other, the error in nats against float64 of:
one running float32 sum over the vocabulary; sums within tiles of 1,024 rows and then across them; the same with probabilities
rounded to bfloat16, divided by the sum of the rounded ones, or by the sum before rounding; and bfloat16 logits under a
log_softmax in float32.
"""

import torch
import torch.nn.functional as F

V, D, N, TILE = 151936, 1536, 16, 1024


def running_sum(x):
    total = torch.zeros(x.size(0))
    for column in x.T:
        total = total + column
    return total


def tiled_sum(x):
    return F.pad(x, (0, -V % TILE)).view(x.size(0), -1, TILE).sum(-1).sum(-1)


def kl_by_identity(z_student, z_teacher, total, rounded=False, renormalised=True):
    """c_s - B . u_s - H from logits [N, V]; B . u_s is the student's logit, averaged by the teacher."""
    def log_sum_exp(z):
        peak = z.amax(-1, keepdim=True)
        return peak, (z - peak).exp()

    peak, p = log_sum_exp(z_teacher)
    weights = p.bfloat16().float() if rounded else p
    norm = total(weights if renormalised else p)
    entropy = total(p).log() - total(weights * (z_teacher - peak)) / norm
    student_peak, q = log_sum_exp(z_student)
    return student_peak[:, 0] + total(q).log() - total(weights * z_student) / norm - entropy


torch.manual_seed(0)
head = (torch.randn(V, D) / D**0.5).bfloat16()
print(f"{'KL':>7} {'entropy':>8} {'running':>9} {'tiled':>9} {'rounded':>9} {'not renorm.':>12} {'bf16 logits':>12}")
for scale in (1, 3, 6):
    student = (torch.randn(N, D) * scale).bfloat16()
    teacher = (student.float() + torch.randn(N, D) * 0.1 * scale).bfloat16()
    log_q, log_p = ((x.double() @ head.double().T).log_softmax(-1) for x in (student, teacher))
    exact = (log_p.exp() * (log_p - log_q)).sum(-1)
    z = [x.float() @ head.float().T for x in (student, teacher)]
    usual_q, usual_p = ((x @ head.T).log_softmax(-1, dtype=torch.float32) for x in (student, teacher))
    columns = [
        kl_by_identity(*z, running_sum),
        kl_by_identity(*z, tiled_sum),
        kl_by_identity(*z, tiled_sum, rounded=True),
        kl_by_identity(*z, tiled_sum, rounded=True, renormalised=False),
        (usual_p.exp() * (usual_p - usual_q)).sum(-1),
    ]
    errors = [f"{(found - exact).abs().max().item():.1e}" for found in columns]
    print(f"{exact.mean():7.4f} {-(log_p.exp() * log_p).sum(-1).mean():8.2f} {errors[0]:>9} {errors[1]:>9} {errors[2]:>9} "
          f"{errors[3]:>12} {errors[4]:>12}", flush=True)

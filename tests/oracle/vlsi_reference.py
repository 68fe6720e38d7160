"""The three steps of the method in plain PyTorch on transformers' models: full logits, log_softmax, one KL a pair.

Versions: torch 2.13.0, transformers 5.23.0.
The readable definition that the C++ program is compared with; nothing here is fast. Every sample runs alone, unpadded.
(N answer positions of all samples of a batch, D width, V shared vocabulary rows, t_s and t_l target layers)
"""

import contextlib
import importlib
import math

import torch
import torch.nn.functional as F
from torch import nn
from tiny_models import LayerRecorder, model_inputs, named_parameters, part_of

NORMS = {"qwen2_vl": "Qwen2VLRMSNorm", "qwen2_5_vl": "Qwen2_5_VLRMSNorm", "qwen3_vl": "Qwen3VLTextRMSNorm", "qwen2": "Qwen2RMSNorm"}


@contextlib.contextmanager
def in_float64():
    """Lifts the float32 casts inside transformers' norms and vision rotary, so that a float64 model is one throughout.
    The rotary angles and the weights of a table of positions keep their float32 values, which are constants of the architecture.
    Needs attention="sdpa"."""

    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    def rotate_half(x):
        first, second = x.chunk(2, -1)
        return torch.cat([-second, first], -1)

    def rotate_vision(q, k, cos, sin):
        cos, sin = cos.unsqueeze(-2).to(q.dtype), sin.unsqueeze(-2).to(q.dtype)
        return q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin

    replaced = []
    for family, norm_class in NORMS.items():
        modeling = importlib.import_module(f"transformers.models.{family}.modeling_{family}")
        for owner, name, value in ((getattr(modeling, norm_class), "forward", norm),
                                   (modeling, "apply_rotary_pos_emb_vision", rotate_vision)):
            if hasattr(owner, name):
                replaced.append((owner, name, getattr(owner, name)))
                setattr(owner, name, value)
    yield
    for owner, name, value in replaced:
        setattr(owner, name, value)


class VerbFfn(nn.Module):
    """down(silu(gate h) * (up h)), all D x D without bias."""

    def __init__(self, weights, layer):
        super().__init__()
        for name in ("gate", "up", "down"):
            weight = weights[f"layers.{layer}.{name}.weight"]
            self.register_parameter(name, nn.Parameter(weight.clone()))

    def forward(self, rows):
        return F.linear(F.silu(F.linear(rows, self.gate)) * F.linear(rows, self.up), self.down)


class Speaker(nn.Module):
    """A backbone with one verbalizer per target layer (1-based decoder layers)."""

    def __init__(self, backbone, layers, verbalizer_weights):
        super().__init__()
        self.backbone = backbone
        self.layers = layers
        self.verbalizers = nn.ModuleList(VerbFfn(verbalizer_weights, layer) for layer in layers)

    def answer_rows(self, batch):
        """The raw outputs of the target layers at the answer positions, one [N, D] each, and the final normed rows."""
        raw, final = [[] for _ in self.layers], []
        for sample in batch:
            at = sample["answer_positions"]
            with LayerRecorder(self.backbone) as recorder:
                outputs = self.backbone.model(**model_inputs(self.backbone, sample))
            for kept, layer in zip(raw, self.layers):
                kept.append(recorder.rows[layer][at])
            final.append(outputs.last_hidden_state[0, at])
        return [torch.cat(rows) for rows in raw], torch.cat(final)

    def layer_logits(self, rows, vocabulary):
        """What each target layer says: [N, V] each."""
        head = self.backbone.lm_head.weight[:vocabulary]
        return [F.linear(verbalizer(layer_rows), head) for verbalizer, layer_rows in zip(self.verbalizers, rows)]

    def final_logits(self, rows, vocabulary):
        return F.linear(rows, self.backbone.lm_head.weight[:vocabulary])


def labels_of(batch):
    return torch.cat([sample["labels"] for sample in batch])


def kl(teacher_logits, student_logits):
    """Forward KL from teacher to student, mean over the N positions, in nats."""
    teacher, student = F.log_softmax(teacher_logits, -1), F.log_softmax(student_logits, -1)
    return (teacher.exp() * (teacher - student)).sum(-1).mean()


def match_layers(matrix, choose):
    """Algorithm 1 on a [t_s, t_l] KL matrix: for each student layer the candidates, their probabilities, the choice."""
    num_student, num_teacher = matrix.shape
    start, matches, probabilities = 0, [], []
    for s in range(num_student):
        candidates = list(range(start, num_teacher - num_student + s + 1))
        k = matrix[s, candidates]
        temperature = (k.max() - k.min() + 1e-6) / 2
        probability = F.softmax(-k / temperature, -1)
        chosen = candidates[choose(k, probability)]
        matches.append(chosen)
        probabilities.append(probability.tolist())
        start = chosen + 1
    return matches, probabilities


def nearest(k, probability):
    """The candidate with the least KL, which is also the most probable one."""
    return int(k.argmin())


def learning_rate(iteration, *, iterations, warmup, peak, floor):
    """Iterations count from 0: a line (iteration + 1) / warmup up to the peak, then half a cosine towards the floor."""
    if iteration < warmup:
        return peak * (iteration + 1) / warmup
    return floor + (peak - floor) * (1 + math.cos(math.pi * (iteration - warmup) / (iterations - warmup))) / 2


def train(parameters, loss_of, batches, settings):
    """One optimizer update per iteration on alternating batches. `loss_of(batch)` gives the loss and a record, which is
    kept with the loss before the update, the gradient norm before clipping, and the learning rate."""
    parameters = list(parameters)
    optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=tuple(settings["betas"]), eps=settings["eps"],
                                  weight_decay=settings["weight_decay"])
    records = []
    for iteration in range(settings["iterations"]):
        rate = learning_rate(iteration, iterations=settings["iterations"], warmup=settings["warmup"],
                             peak=settings["peak"], floor=settings["floor"])
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss, record = loss_of(batches[iteration % len(batches)])
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, settings["clip_norm"])
        optimizer.step()
        records.append({"loss": loss.item(), **record, "gradient_norm": norm.item(), "learning_rate": rate})
    return records


def only(model, trained):
    """Freezes everything but `trained`, which it returns."""
    model.requires_grad_(False)
    trained = list(trained)
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained


def verbalize(speaker, batches, settings, vocabulary):
    """Step 1: the verbalizers learn the answers; the backbone is frozen. Loss: sum over layers of the mean CE."""
    trained = only(speaker, speaker.verbalizers.parameters())

    def loss_of(batch):
        with torch.no_grad():
            rows, _ = speaker.answer_rows(batch)
        losses = [F.cross_entropy(logits, labels_of(batch)) for logits in speaker.layer_logits(rows, vocabulary)]
        return torch.stack(losses).sum(), {"layer_loss": [loss.item() for loss in losses]}

    return train(trained, loss_of, batches, settings)


def interact(student, teacher, batches, settings, vocabulary, choose=nearest):
    """Step 2: the student's decoder layers and final norm learn; teacher, verbalizers, embeddings, head are frozen. `batches`:
    pairs of the student's batch and the teacher's, which have the same answers."""
    teacher.requires_grad_(False)
    decoder = [parameter for name, parameter in named_parameters(student.backbone).items()
               if part_of(name) == "decoder"]
    trained = only(student, decoder)

    def loss_of(pair):
        batch, teacher_batch = pair
        with torch.no_grad():
            rows, final = teacher.answer_rows(teacher_batch)
            said_by_teacher = teacher.layer_logits(rows, vocabulary)
            teacher_final = teacher.final_logits(final, vocabulary)
        rows, final = student.answer_rows(batch)
        said_by_student = student.layer_logits(rows, vocabulary)
        matrix = torch.stack([torch.stack([kl(p, q) for p in said_by_teacher]) for q in said_by_student])  # [t_s, t_l]
        matches, probabilities = match_layers(matrix.detach(), choose)
        matched = [matrix[s, l] for s, l in enumerate(matches)]
        last = kl(teacher_final, student.final_logits(final, vocabulary))
        return sum(matched) + last, {
            "matches": [[student.layers[s], teacher.layers[l]] for s, l in enumerate(matches)],
            "kl": [value.item() for value in matched],
            "last_kl": last.item(),
            "kl_matrix": matrix.tolist(),
            "probabilities": probabilities,
        }

    return train(trained, loss_of, batches, settings)


def finetune(student, batches, settings, vocabulary):
    """Step 3: the student's whole language model learns the answers; the vision tower and merger are frozen."""
    trained = only(student, (parameter for name, parameter in named_parameters(student.backbone).items()
                             if part_of(name) != "vision"))

    def loss_of(batch):
        _, final = student.answer_rows(batch)
        return F.cross_entropy(student.final_logits(final, vocabulary), labels_of(batch)), {}

    return train(trained, loss_of, batches, settings)

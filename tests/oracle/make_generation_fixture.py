"""Makes tests/data/FAMILY/{tied,untied}/generation.json and tests/data/tiny/warped_logits.json: what transformers generates with the
tiny models of make_model_fixture.py under the settings of a generation_config.json, and what its warpers do to logits.

    python tests/oracle/make_generation_fixture.py FAMILY...

Versions: torch 2.13.0, transformers 5.23.0.
"""

import argparse
import json

import torch
from safetensors.torch import load_file
from transformers import LogitsProcessorList, MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from make_model_fixture import DATA, SAMPLES, VARIANTS
from tiny_models import load_model, model_inputs

NUM_TOKENS = 12


def settings_for(greedy, vocabulary):
    """Settings that end at different places: the stop tokens are among those that the model likes."""
    a, b, c = greedy[0], greedy[len(greedy) // 2], greedy[-1]
    other = (a + 7) % vocabulary
    return [
        dict(num_beams=5),
        dict(num_beams=5, eos_token_id=[b, other]),
        dict(num_beams=3, eos_token_id=[a, c, other], early_stopping=True),
        dict(num_beams=4, eos_token_id=b, early_stopping="never", length_penalty=2.0),
        dict(num_beams=5, eos_token_id=[c, other], length_penalty=0.0),
        dict(num_beams=2, eos_token_id=[b, other], length_penalty=-1.0),
        dict(num_beams=3, eos_token_id=b, repetition_penalty=1.4, no_repeat_ngram_size=2, min_new_tokens=3),
        dict(repetition_penalty=1.5),
        dict(repetition_penalty=0.7),
        dict(no_repeat_ngram_size=1),
        dict(no_repeat_ngram_size=3),
        dict(bad_words_ids=[[a], [b, c], [c, c, other]]),
        dict(suppress_tokens=[a, b]),
        dict(eos_token_id=[a, b], min_new_tokens=4),
    ]


@torch.no_grad()
def generated(model, sample, settings):
    length = int(sample["answer_positions"][0]) + 1
    settings = dict(settings)
    stops = settings.pop("eos_token_id", None)
    stops = [stops] if isinstance(stops, int) else stops
    model.generation_config.eos_token_id = stops
    model.generation_config.pad_token_id = 0
    output = model.generate(**model_inputs(model, sample, length), do_sample=False, max_new_tokens=NUM_TOKENS, **settings)
    tokens = output[0, length:].tolist()
    end = next((i for i, token in enumerate(tokens) if token in (stops or [])), None)
    return {"tokens": tokens[:end], "stopped": end is not None}


def make(family, variant):
    directory = DATA / family / variant
    model = load_model(directory)
    cases = {}
    for key in SAMPLES[family]:
        sample = load_file(directory / f"case_{key}.safetensors")
        vocabulary = sample["logits"].shape[-1]
        cases[key] = [{"settings": {"max_new_tokens": NUM_TOKENS, **settings}, **generated(model, sample, settings)}
                      for settings in settings_for(sample["greedy"].tolist(), vocabulary)]
    lines = ",\n".join(f' {json.dumps(key)}: [\n  ' + ",\n  ".join(map(json.dumps, found)) + "]" for key, found in cases.items())
    (directory / "generation.json").write_text("{\n" + lines + "\n}\n")
    print(family, variant, sum(len(found) for found in cases.values()), "answers",
          sum(one["stopped"] for found in cases.values() for one in found), "stopped")


def make_warped():
    generator = torch.Generator().manual_seed(5)
    lines = []
    for settings in [dict(temperature=0.7), dict(temperature=2.5, top_k=5), dict(top_k=1), dict(top_p=0.9), dict(top_p=0.01),
                     dict(min_p=0.1), dict(temperature=1.3, top_k=12, top_p=0.8, min_p=0.05), dict(temperature=0.5, top_p=0.95),
                     dict(top_k=100), dict(min_p=1.0)]:
        logits = torch.randn(1, 24, generator=generator) * 2
        warpers = LogitsProcessorList()
        if "temperature" in settings: warpers.append(TemperatureLogitsWarper(settings["temperature"]))
        if "top_k" in settings: warpers.append(TopKLogitsWarper(settings["top_k"]))
        if "top_p" in settings: warpers.append(TopPLogitsWarper(settings["top_p"]))
        if "min_p" in settings: warpers.append(MinPLogitsWarper(settings["min_p"]))
        warped = warpers(None, logits.clone())[0].tolist()
        lines.append(json.dumps({"settings": settings, "logits": logits[0].tolist(),
                                 "warped": [None if value == -float("inf") else value for value in warped]}))
    (DATA / "tiny" / "warped_logits.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="+", choices=VARIANTS)
    torch.set_num_threads(1)
    make_warped()
    for chosen in parser.parse_args().families:
        for name in VARIANTS[chosen]:
            make(chosen, name)

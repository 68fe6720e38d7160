"""Makes tests/data/adapter/NAME: adapters that PEFT writes for the tiny model tests/data/qwen2_vl/untied, and the logits that
transformers computes with them.

Versions: torch 2.13.0, transformers 5.23.0, peft 0.21.2.
    python tests/oracle/make_adapter_fixture.py
(T tokens, V vocabulary)
"""

import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tiny_models import load_model, model_inputs

DATA = Path(__file__).resolve().parent.parent / "data"
BASE = DATA / "qwen2_vl" / "untied"
CASES = ["text", "one_image"]
ADAPTERS = {
    # A list of names, with exceptions in rank and alpha.
    "names": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"],
                        rank_pattern={"layers.1.self_attn.q_proj": 2, "v_proj": 3},
                        alpha_pattern={r".*\.[02]\.mlp\.down_proj": 5}, task_type="CAUSAL_LM"),
    # A regular expression that reaches into the vision tower; alpha / sqrt(r).
    "expression": LoraConfig(
        r=3, lora_alpha=6, use_rslora=True, task_type="CAUSAL_LM",
        target_modules=r"model\.(visual\.blocks\.1\.attn\.qkv|language_model\.layers\.[02]\.(self_attn\.o_proj|mlp\.up_proj))"),
    # Chosen layers, an exception among the modules, trained with dropout.
    "layers": LoraConfig(r=2, lora_alpha=2, target_modules=["k_proj", "gate_proj", "o_proj"], exclude_modules=["o_proj"],
                         layers_to_transform=[1, 2], layers_pattern="layers", lora_dropout=0.1, task_type="CAUSAL_LM"),
}


def randomize(model, seed):
    """Factors that move the logits by one or two units."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_" in name:
                parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator) / parameter.shape[1] ** 0.5)


@torch.no_grad()
def make(name, config, seed):
    directory = DATA / "adapter" / name
    shutil.rmtree(directory, ignore_errors=True)
    base = load_model(BASE)
    cases = {case: load_file(BASE / f"case_{case}.safetensors") for case in CASES}
    before = {case: base(**model_inputs(base, sample)).logits[0] for case, sample in cases.items()}
    model = get_peft_model(base, config).eval()
    randomize(model, seed)
    model.peft_config["default"].base_model_name_or_path = "tiny/untied"
    model.save_pretrained(directory)
    (directory / "README.md").unlink()
    logits = {case: model(**model_inputs(base, sample)).logits[0].contiguous() for case, sample in cases.items()}
    save_file(logits, directory / "logits.safetensors")
    print(name, {case: float((logits[case] - before[case]).abs().max()) for case in CASES},
          sorted(load_file(directory / "adapter_model.safetensors"))[:2])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, (adapter, adapter_config) in enumerate(ADAPTERS.items()):
        make(adapter, adapter_config, seed=20 + number)

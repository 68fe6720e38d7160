"""Checks that what the program writes loads elsewhere and computes the same, family by family: a sharded model directory and a
merged run in transformers, a run's adapter in PEFT; and that the program reads what transformers and PEFT write.

Versions: torch 2.13.0 with transformers 5.23.0 and peft 0.21.2, and with transformers 4.53.3 (which has no qwen3_vl) and peft 0.17.1;
without peft it checks models alone.
    python tests/oracle/check_export.py build/release/vlsi FAMILY... [--keep DIR]

The program makes a small model in shards, trains adapters on it for a few iterations, exports the result, and scores answers about
random pictures with each. transformers then loads each directory and scores the same tokens, the pictures included. Of
LLaVA-OneVision, transformers' own processor makes tokens and pixels with the files of the directory.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from PIL import Image
from safetensors import safe_open

from tiny_models import (llava_onevision_config, load_model, model_inputs, qwen2_5_vl_config, qwen2_vl_config, qwen3_vl_config,
                         stored_name, text_of)

try:
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
        LlavaOnevisionImageProcessorPil as LlavaOnevisionImageProcessor)
except ImportError:
    from transformers.models.llava_onevision.image_processing_llava_onevision import LlavaOnevisionImageProcessor

DATA = Path(__file__).resolve().parent.parent / "data"
TINY = DATA / "tiny"
TOLERANCE = 2e-4  # nats, of a sum of some ten log-probabilities in float32 through two layers
# Of the tokenizer in tests/data/tiny. Pictures are 16 x 32 pixels: two windows.
STUDENT = dict(hidden=32, layers=2, heads=4, kv_heads=2, intermediate=64, vocabulary=320, first_special=312, tied=True, patch=8)
TEACHER = dict(hidden=40, layers=3, heads=5, kv_heads=1, intermediate=48, vocabulary=328, first_special=312, tied=False, patch=8)
WINDOWS = dict(window_cells=1, full_blocks=[1])
VIEWS = dict(patch=6, image_size=14, grids=[(h, w) for h in (1, 2, 3) for w in (1, 2, 3)], max_views=2)
TAPS = dict(taps=[0, 1], table_side=3, vision_depth=2)
MODELS = {  # student, teacher
    "qwen2_vl": (qwen2_vl_config(mrope_section=[2, 1, 1], **STUDENT), qwen2_vl_config(mrope_section=[1, 1, 2], **TEACHER)),
    "qwen2_5_vl": (qwen2_5_vl_config(mrope_section=[2, 1, 1], **WINDOWS, **STUDENT),
                   qwen2_5_vl_config(mrope_section=[1, 1, 2], **WINDOWS, **TEACHER)),
    "qwen3_vl": (qwen3_vl_config(mrope_section=[2, 2, 2], head_dim=12, **TAPS, **STUDENT),
                 qwen3_vl_config(mrope_section=[4, 2, 2], head_dim=16, **TAPS, **TEACHER)),
    "llava_onevision": (llava_onevision_config(**(STUDENT | VIEWS)), llava_onevision_config(**(TEACHER | VIEWS))),
}
RUN = """
out: {out}/run
dtype: float32
threads: 1
teacher: {{model: {out}/teacher, layers: [1, 2]}}
student: {{model: {out}/student, layers: [1], lora: {{rank: 4, alpha: 8}}}}
data: {{train: [{{path: {out}/data.json}}], batch_tokens: 300}}
optimizer: {{learning_rate: 0.01, accumulate: 2}}
verbalize: {{iterations: 2}}
interact: {{iterations: 10, train: [lora]}}
finetune: {{iterations: 10, train: [lora]}}
"""


def run(*arguments):
    subprocess.run([str(argument) for argument in arguments], check=True)


def scores(program, model, *more):
    out = model.parent / "scores.jsonl"
    run(program, "score", "--model", model, "--data", model.parent / "data.json", "--out", out, *more)
    return {line["id"]: line for line in map(json.loads, out.read_text().splitlines())}


def tokenizer_of(family, out):
    """The directory of tests/data/tiny, or of LLaVA-OneVision's one with its own picture token and settings."""
    if family != "llava_onevision":
        return TINY / "tokenizer"
    out.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (TINY / "tokenizer" / name).read_text().replace("<|image_pad|>", "<image>").replace("<|video_pad|>", "<video>")
        settings = json.loads(text)
        settings.pop("chat_template", None)
        (out / name).write_text(json.dumps(settings))
    config = MODELS[family][0]
    settings = dict(image_processor_type="LlavaOnevisionImageProcessor", image_grid_pinpoints=config["image_grid_pinpoints"],
                    image_mean=[0.5] * 3, image_std=[0.5] * 3, size=dict(height=14, width=14))
    (out / "preprocessor_config.json").write_text(json.dumps(settings))
    processor = dict(num_image_tokens=4, vision_feature_select_strategy="full", vision_aspect_ratio=config["vision_aspect_ratio"])
    (out / "processor_config.json").write_text(json.dumps(processor))
    return out


def make_data(out):
    """Questions about pictures of a size that needs no resizing."""
    generator = np.random.default_rng(5)
    records = []
    for number, (question, answer) in enumerate([("what color is the shape?", "red"), ("is there a circle?", "yes"),
                                                 ("what shape is present?", "triangle"), ("is there a blue shape?", "no")]):
        name = f"{number}.png"
        Image.fromarray(generator.integers(0, 256, (16, 32, 3), dtype=np.uint8)).save(out / name)
        turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
        records.append({"id": name, "image": name, "conversations": turns})
    (out / "data.json").write_text(json.dumps(records))


def pixels(path, patch):
    """One picture -> patches [h·w, 3·2·patch²] and its grid."""
    picture = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)  # [height, width, 3]
    config = json.loads((TINY / "tokenizer" / "preprocessor_config.json").read_text())
    mean, std = np.float32(config["image_mean"]), np.float32(config["image_std"])
    values = ((picture * np.float32(1 / 255) - mean) / std).transpose(2, 0, 1)
    h, w = picture.shape[0] // patch, picture.shape[1] // patch
    x = np.stack([values, values]).reshape(1, 2, 3, h // 2, 2, patch, w // 2, 2, patch)
    x = x.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(h * w, 3 * 2 * patch * patch)
    return torch.from_numpy(np.ascontiguousarray(x)), torch.tensor([[1, h, w]])


def sample_of(record, folder, tokenizer, config):
    """The rendered conversation with its picture."""
    patches, grids = pixels(folder / record["image"], config["vision_config"]["patch_size"])
    pads = "<|image_pad|>" * (int(grids.prod()) // 4)
    question, answer = (turn["value"] for turn in record["conversations"])
    question = question.replace("<image>\n", f"<|vision_start|>{pads}<|vision_end|>")
    text = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n")
    return {"tokens": torch.tensor(tokenizer.encode(text).ids), "patches": patches, "grids": grids}


class StillLlavaProcessor(transformers.LlavaOnevisionProcessor):
    """Without a video processor, which would need torchvision."""

    def check_argument_for_proper_class(self, *unused):
        pass


def llava_sample(record, folder, directory):
    settings = json.loads((directory / "preprocessor_config.json").read_text())
    pictures = LlavaOnevisionImageProcessor(
        **{key: settings[key] for key in ("image_grid_pinpoints", "image_mean", "image_std", "size")})
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
    processor = StillLlavaProcessor(pictures, tokenizer, **json.loads((directory / "processor_config.json").read_text()))
    question, answer = (turn["value"] for turn in record["conversations"])
    text = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
    inputs = processor(text=[text], images=[Image.open(folder / record["image"])], return_tensors="pt")
    return {"tokens": inputs["input_ids"][0], "inputs": {key: inputs[key] for key in inputs if key != "token_type_ids"}}


@torch.no_grad()
def largest_difference(model, model_directory, expected):
    """Of the summed log-probability of the answers, between `model` and the program's scores."""
    tokenizer = tokenizers.Tokenizer.from_file(str(TINY / "tokenizer" / "tokenizer.json"))
    config = json.loads((model_directory / "config.json").read_text())
    largest = 0.0
    folder = model_directory.parent
    for record in json.loads((folder / "data.json").read_text()):
        line = expected[record["id"]]
        is_llava = config["model_type"] == "llava_onevision"
        sample = llava_sample(record, folder, model_directory) if is_llava else sample_of(record, folder, tokenizer, config)
        inputs = sample["inputs"] if is_llava else model_inputs(model, sample)
        logprobs = torch.log_softmax(model(**inputs).logits[0].double(), -1)
        tokens = sample["tokens"].tolist()
        answer = line["tokens"]
        begin = len(tokens) - 1 - len(answer)  # a newline follows the last answer
        assert tokens[begin:-1] == answer, (tokens, answer)
        found = sum(float(logprobs[begin - 1 + i, token]) for i, token in enumerate(answer))
        largest = max(largest, abs(found - sum(line["logprobs"])))
    return largest


def report(what, difference):
    print(f"transformers {transformers.__version__}: {what}: log-probabilities differ by {difference:.1e}")
    if not difference < TOLERANCE:
        sys.exit(f"{what}: expected less than {TOLERANCE}")


def resave(directory, out):
    """The model as this version of transformers lays it out, with the tokenizer and picture settings beside it."""
    load_model(directory).save_pretrained(out, max_shard_size="30KB")
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json", "chat_template.json"):
        if (directory / name).exists():
            shutil.copy(directory / name, out / name)
    config = json.loads((out / "config.json").read_text())
    print(f"transformers {transformers.__version__} writes config.json with {sorted(set(config) & {'hidden_size', 'text_config', 'dtype', 'torch_dtype'})}")


def check_layout(directory, config):
    """The keys of config.json, and the names of the tensors, are those of the family's hub directories."""
    written = json.loads((directory / "config.json").read_text())
    assert set(config) <= set(written) and ("text_config" in written) == ("text_config" in config), sorted(written)
    assert set(text_of(config)) <= set(text_of(written)), sorted(text_of(written))
    assert set(config["vision_config"]) <= set(written["vision_config"]), sorted(written["vision_config"])
    names = set()
    for path in directory.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"format": "pt"}
            names |= set(file.keys())
    assert names == {stored_name(name, config["model_type"]) for name, _ in load_model(directory).named_parameters()}


def check_adapters(program, out, family):
    from peft import LoraConfig, PeftModel, get_peft_model
    namings = ["gen-2"] if family == "qwen3_vl" else ["gen-2", "gen-1"]
    for naming in namings:
        run(program, "export", "--run", out / "run", "--out", out / naming, "--format", "peft", "--naming", naming)
        base = load_model(out / "student")
        try:
            adapted = PeftModel.from_pretrained(base, out / naming).eval()
        except ValueError as error:  # names one by one, where some stand for maps of the tower, too
            if naming != "gen-1" or "not found in the base model" not in str(error):
                raise
            print(f"transformers {transformers.__version__}: {family}: peft does not find the modules of the older naming")
            continue
        adapted.config = base.config
        expected = scores(program, out / "student", "--adapter", out / naming)
        difference = largest_difference(adapted, out / "student", expected)
        if naming == "gen-1" and difference > TOLERANCE:
            print(f"transformers {transformers.__version__}: {family}: peft does not find the tensors of the older naming ({difference:.1e})")
        else:
            report(f"{family}: an adapter in peft, {naming} names", difference)
    base = load_model(out / "student")
    made = get_peft_model(base, LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "gate_proj", "down_proj"])).eval()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in sorted(made.named_parameters()):
            if "lora_" in name:
                parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator) / parameter.shape[1] ** 0.5)
    made.save_pretrained(out / "from-peft")
    made.config = base.config
    report(f"{family}: an adapter that peft wrote", largest_difference(
        made, out / "student", scores(program, out / "student", "--adapter", out / "from-peft")))


def check(program, out, family):
    make_data(out)
    tokenizer = tokenizer_of(family, out / "tokenizer")
    for name, config, shard_bytes in zip(("student", "teacher"), MODELS[family], (20_000, 5_000_000_000)):
        (out / f"{name}.json").write_text(json.dumps(config))
        run(program, "init", "--config", out / f"{name}.json", "--tokenizer", tokenizer, "--out", out / name,
            "--max-shard-bytes", shard_bytes)
    (out / "run.yaml").write_text(RUN.format(out=out))
    run(program, "distill", out / "run.yaml")
    run(program, "export", "--run", out / "run", "--out", out / "merged", "--max-shard-bytes", 30_000)
    check_layout(out / "merged", MODELS[family][0])
    student, merged = scores(program, out / "student"), scores(program, out / "merged")
    report(f"{family}: a sharded random model", largest_difference(load_model(out / "student"), out / "student", student))
    report(f"{family}: a trained model, adapters merged", largest_difference(load_model(out / "merged"), out / "merged", merged))
    resave(out / "merged", out / "resaved")
    found = scores(program, out / "resaved")
    report(f"{family}: what transformers saves in shards, read here",
           max(abs(found[key]["loss"] - merged[key]["loss"]) for key in merged))
    try:
        import peft  # noqa: F401
    except ImportError:
        return
    check_adapters(program, out, family)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("families", nargs="+", choices=MODELS)
    parser.add_argument("--keep", type=Path, help="work below this and leave everything")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for chosen in arguments.families:
        if arguments.keep:
            (arguments.keep / chosen).mkdir(parents=True, exist_ok=True)
            check(arguments.program.resolve(), arguments.keep.resolve() / chosen, chosen)
        else:
            with tempfile.TemporaryDirectory() as folder:
                check(arguments.program.resolve(), Path(folder), chosen)

#!/usr/bin/env python3
"""Whether two builds of the program compute the same numbers, bit for bit.

    bench/same_losses.py OLD NEW [--only NAME]... [--iterations 20] [--keep DIRECTORY]

OLD and NEW are two `vlsi` programs. Each makes its own small student and teacher with `vlsi init`, then goes through the runs of
RUNS: 20 iterations of every step with a fixed seed, in float32 and bfloat16, alone and on two ranks, and with other settings of the
method. Compared are

- every field of every line of metrics.jsonl but the times: losses, gradient norms, matches, KL of the matched pairs and of all pairs;
- the tensors of verbalizers, adapters and checkpoints, by value and without their names, which a format may change;
- the models that `vlsi init` and the runs write, file for file, byte for byte;
- what `vlsi score` writes about the student of each run.

Prints a line a run: `=`, or the largest relative difference, `differs` where there is none to measure. Exits with 1 where anything
differs. Needs the standard library and Linux; one thread a process, two minutes on two cores.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "tests/data"
PICTURES = ["rgb_8.png", "gray_8.png", "palette_8.png", "rgba_8.png", "rgb_444.jpg", "lossy.webp"]

MODELS = {  # over tests/data/tiny
    "student": {"num_hidden_layers": 4, "hidden_size": 32},
    "teacher": {"num_hidden_layers": 6, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2},
}
ALL_PARTS = "[decoder, embeddings, head, projector, vision]"
# name, ranks, settings over those of write_run; with "cache", the teacher's part of step 2 comes from `vlsi cache`.
RUNS = [
    ("float32", 1, {}),
    ("bfloat16", 1, {"dtype": "bfloat16"}),
    ("float32, two ranks", 2, {}),
    ("bfloat16, two ranks", 2, {"dtype": "bfloat16"}),
    ("adapters", 1, {"dtype": "bfloat16", "student.lora.rank": 4, "interact.train": "[lora, projector]", "finetune.train": "[lora]"}),
    ("all parts learn", 1, {"interact.train": ALL_PARTS, "finetune.train": ALL_PARTS}),
    ("all parts learn, two ranks", 2, {"interact.train": ALL_PARTS, "finetune.train": ALL_PARTS}),
    ("expected matches", 1, {"interact.matching.rule": "expected"}),
    ("bottom 3, last layer ce", 1, {"interact.matching.rule": "bottom_3", "interact.last_loss": "ce"}),
    ("uniform, unordered", 1, {"interact.matching.rule": "uniform", "interact.matching.order_preservation": "false"}),
    ("answers at every layer", 1, {"interact.intermediate_loss": "ce"}),
    ("without heads", 1, {"verbalize.iterations": 0, "interact.head": "false", "interact.intermediate_loss": "l2"}),
    ("two decoder verbalizers", 1, {"verbalize.architecture": "decoder_x2", "verbalize.final_norm": "true"}),
    ("residual mlp verbalizers", 1, {"verbalize.architecture": "mlp", "verbalize.residual": "true"}),
    ("streamed teacher", 1, {"dtype": "bfloat16", "teacher.residency": "streamed"}),
    ("sharded teacher, two ranks", 2, {"dtype": "bfloat16", "teacher.residency": "sharded"}),
    ("checkpointing, feature files", 1, {"activation_checkpointing": "true", "vision_cache": "features"}),
    ("teacher cache", 1, {"dtype": "bfloat16", "cache": "true"}),
]
TIMES = {"seconds"}
COLUMNS = ["loss", "gradient_norm", "matches", "kl", "kl_matrix", "other fields", "init", "weights", "model", "score"]


def write_inputs(directory):
    """The configurations of both models and the training data, which both programs read."""
    for name, changes in MODELS.items():
        config = json.loads((DATA / "tiny" / f"{name}.json").read_text())
        config["vision_config"] |= {"depth": 2, "hidden_size": changes["hidden_size"]}
        (directory / f"{name}.json").write_text(json.dumps(config | changes))
    records = json.loads((DATA / "tiny/train.json").read_text())
    for number, record in enumerate(records):
        record["image"] = str(DATA / "images" / PICTURES[number % len(PICTURES)])
    question, answer = ({"from": "human", "value": "is a circle a shape?"}, {"from": "gpt", "value": "yes, it is"})
    records += [{"id": "no-picture", "conversations": [question, answer]},
                {"id": "two-turns", "conversations": [*records[0]["conversations"], question, answer], "image": records[1]["image"]}]
    (directory / "train.json").write_text(json.dumps(records))


def write_run(path, models, data, out, iterations, settings):
    """The run's file of the program, and its settings as --set."""
    path.write_text(f"""out: {out}
seed: 3
dtype: float32
threads: 1
teacher: {{model: {models}/teacher, layers: [1, 2, 4, 5]}}
student: {{model: {models}/student, layers: [1, 3]}}
data: {{train: [{{path: {data}}}], validation: [{{path: {data}}}], batch_tokens: 200}}
optimizer: {{learning_rate: 1.0e-3, accumulate: 2}}
verbalize: {{iterations: {iterations}}}
interact: {{iterations: {iterations}, train: [decoder], kl_matrix_every: 1}}
finetune: {{iterations: {iterations}}}
checkpoint: {{every: {max(1, iterations // 2)}, keep: 100}}
""")
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def execute(commands):
    """Runs processes side by side, [(arguments, variables)], the second when the first listens; their failure ends the comparison."""
    processes = []
    for arguments, variables in commands:
        if processes:
            while processes[0].poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", int(variables["MASTER_PORT"]))) == 0:
                        break
                time.sleep(0.002)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RES_OPTIONS": "timeout:1 attempts:1", **variables}
        processes.append(subprocess.Popen([str(a) for a in arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process, (arguments, _) in zip(processes, commands):
        said, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(str(a) for a in arguments)} ended with {process.returncode}:\n{said}")


def make_models(program, inputs, models):
    for seed, name in enumerate(("student", "teacher"), 1):
        execute([([program, "init", "--config", inputs / f"{name}.json", "--tokenizer", DATA / "tiny/tokenizer",
                   "--out", models / name, "--seed", seed], {})])


def go(program, ranks, settings, inputs, folder, models, iterations):
    """One run of one program, and the scores of its student."""
    folder.mkdir(parents=True)
    settings = {key: folder / value if key == "vision_cache" else value for key, value in settings.items()}
    with_cache = settings.pop("cache", None)
    file, data = folder / "run.yaml", inputs / "train.json"
    sets = write_run(file, models, data, folder / "run", iterations, settings)
    if with_cache:  # of verbalizers that step 1 alone has made
        execute([([program, "distill", file, *sets, "--only", "verbalize", "--set", f"out={folder / 'first'}"], {})])
        sets += [word for side in ("student", "teacher") for word in ("--set", f"{side}.verbalizers={folder / 'first' / f'{side}-verbalizers'}")]
        execute([([program, "cache", file, *sets, "--out", folder / "cache"], {})])
        sets += ["--set", f"teacher.cache={folder / 'cache'}"]
    port = socket.create_server(("127.0.0.1", 0))
    number = str(port.getsockname()[1])
    port.close()
    variables = [{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": number}
                 for rank in range(ranks)]
    execute([([program, "distill", file, *sets], v if ranks > 1 else {}) for v in variables])
    dtype = settings.get("dtype", "float32")
    execute([([program, "score", "--model", folder / "run/model", "--data", data, "--dtype", dtype, "--out", folder / "scores.jsonl"], {})])


def difference(old, new):
    """None where both are the same; the largest relative difference of their numbers; "differs" where that says nothing."""
    if isinstance(old, float) and isinstance(new, float):
        return None if struct.pack("d", old) == struct.pack("d", new) else abs(old - new) / max(abs(old), abs(new))
    if type(old) is type(new) and isinstance(old, (list, dict)) and len(old) == len(new):
        if isinstance(old, dict):
            if list(old) != list(new):
                return "differs"
            old, new = list(old.values()), list(new.values())
        return worst(difference(a, b) for a, b in zip(old, new))
    return None if type(old) is type(new) and old == new else "differs"


def worst(differences):
    found = [d for d in differences if d is not None]
    return "differs" if "differs" in found else max(found, default=None)


def lines_of(path):
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in path.read_text().splitlines()]


def compare_metrics(old, new, row):
    """Fills the columns of metrics.jsonl."""
    before, after = lines_of(old / "metrics.jsonl"), lines_of(new / "metrics.jsonl")
    if len(before) != len(after) or any(list(a) != list(b) for a, b in zip(before, after)):
        row["other fields"] = "differs"
    for a, b in zip(before, after):
        for key in a.keys() & b.keys():
            column = key if key in COLUMNS else "other fields"
            row[column] = worst([row.get(column), difference(a[key], b[key])])
    return len(before)


def tensors_in(directory):
    """(folder, shape, dtype, SHA-256) of every tensor in `directory`, sorted: what is there, whatever it is called."""
    tensors = []
    for path in sorted(directory.rglob("*.safetensors")):
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        for name, entry in json.loads(content[8:8 + length]).items():
            if name != "__metadata__":
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                digest = hashlib.sha256(content[begin:end]).hexdigest()
                tensors.append((str(path.parent.relative_to(directory)), entry["shape"], entry["dtype"], digest))
    return sorted(tensors)


def files_in(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def same(old, new):
    return None if old == new else "differs"


def compare(folders, models):
    """The columns of one run."""
    old, new = (folder / "run" for folder in folders)
    row = {}
    row["lines"] = compare_metrics(old, new, row)
    row["init"] = worst(same(files_in(models[0] / name), files_in(models[1] / name)) for name in ("student", "teacher"))
    row["weights"] = same(tensors_in(old), tensors_in(new))
    row["model"] = same(files_in(old / "model"), files_in(new / "model"))
    row["score"] = difference(*(lines_of(folder / "scores.jsonl") for folder in folders))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", action="append", metavar="NAME", choices=[name for name, _, _ in RUNS], help="this run")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="where the runs of both go, instead of a folder that is removed")
    options = parser.parse_args()
    chosen = [run for run in RUNS if not options.only or run[0] in options.only]
    root = options.keep or Path(tempfile.mkdtemp(prefix="vlsi-same-"))
    root.mkdir(parents=True, exist_ok=True)
    write_inputs(root)
    sides = [(options.old.resolve(), root / "old"), (options.new.resolve(), root / "new")]
    for program, folder in sides:
        make_models(program, root, folder / "models")
    differing = 0
    print(f"{'':30}{'lines':>6}" + "".join(f"{column:>14}" for column in COLUMNS), flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # a program a core
        for number, (name, ranks, settings) in enumerate(chosen):
            folders = [folder / str(number) for _, folder in sides]
            list(pool.map(lambda side: go(side[0], ranks, dict(settings), root, side[1] / str(number), side[1] / "models", options.iterations), sides))
            row = compare(folders, [folder / "models" for _, folder in sides])
            cells = [row.get(column, "") for column in COLUMNS]
            texts = ["=" if c is None else c if isinstance(c, str) else f"{c:.1e}" for c in cells]
            differing += any(c not in (None, "") for c in cells)
            print(f"{name:30}{row['lines']:6}" + "".join(f"{text:>14}" for text in texts), flush=True)
    if not options.keep:
        shutil.rmtree(root)
    print(f"{differing} of {len(chosen)} runs differ" if differing else f"all {len(chosen)} runs are the same bit for bit")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())

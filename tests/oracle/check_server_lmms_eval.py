"""Checks that lmms-eval measures a served model as `vlsi evaluate` measures it from its directory.

Versions: lmms-eval 0.7.3, openai 3.57.0, datasets 5.2.0, filelock 3.32.7 (5.2.0 does not run with filelock 4)
    python runs/quickstart/prepare.py data .deps/easy-vqa/easy_vqa data
    python tests/oracle/check_server_lmms_eval.py build/release/vlsi MODEL data/test.json .deps/easy-vqa/easy_vqa/data [--questions 1000]

MODEL is one that answers such questions, as runs/quickstart.sh trains. A local task is made of the first questions; lmms-eval asks them through
its model for OpenAI's interface, which sends pictures as PNG in front of the text. Both scores are the share of answers that equal the expected
one without blanks around them, and every answer is compared, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from served_model import served

TASK = """
task: easy_vqa_local
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.pictures
doc_to_text: !function utils.question
doc_to_messages: !function utils.messages
doc_to_target: answer
process_results: !function utils.score
generation_kwargs: {max_new_tokens: 8, temperature: 0, do_sample: false}
metric_list: [{metric: right, aggregation: mean, higher_is_better: true}]
metadata: [{version: 0.0}]
"""

UTILS = """
from PIL import Image

def pictures(doc):
    return [Image.open(doc["picture"]).convert("RGB")]

def question(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]

def messages(doc, lmms_eval_specific_kwargs=None):
    return [{"role": "user", "content": [{"type": "image", "url": pictures(doc)[0]}, {"type": "text", "text": doc["question"]}]}]

def score(doc, results):
    return {"right": float(results[0].strip() == doc["answer"].strip())}
"""


def write_task(records, images, folder):
    """The records, each with the path of its picture, as a task."""
    lines = [{"question": record["conversations"][0]["value"].removeprefix("<image>\n"), "answer": record["conversations"][1]["value"],
              "picture": str((images / record["image"]).resolve())} for record in records]
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "easy_vqa_local.yaml").write_text(TASK.replace("QUESTIONS", str(folder / "questions.jsonl")))
    (folder / "utils.py").write_text(UTILS)


def lmms_eval(address, folder):
    """The score, and every answer in the order of the questions."""
    environment = {**os.environ, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    arguments = ["--model", "openai", "--model_args", f"model_version=model,base_url={address}/v1,api_key=x,num_concurrent=16", "--tasks",
                 "easy_vqa_local", "--include_path", folder, "--batch_size", "1", "--log_samples", "--output_path", folder / "results"]
    subprocess.run([sys.executable, "-m", "lmms_eval", *map(str, arguments)], check=True, env=environment)
    results = json.loads(next((folder / "results").rglob("*results.json")).read_text())["results"]["easy_vqa_local"]
    samples = [json.loads(line) for line in next((folder / "results").rglob("*samples*.jsonl")).read_text().splitlines()]
    only = lambda responses: responses if isinstance(responses, str) else responses[0]
    answers = {sample["doc_id"]: only(sample["filtered_resps"]) for sample in samples}
    return results["right,none"], [answers[i] for i in range(len(answers))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--questions", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = json.loads(options.data.read_text())[: options.questions]
        (folder / "data.json").write_text(json.dumps(records))
        write_task(records, options.images, folder)
        subprocess.run([options.program, "evaluate", "--benchmark", "easy-vqa", "--model", options.model, "--data", folder / "data.json", "--images",
                        options.images, "--out", folder / "evaluation", "--max-new-tokens", "8"], check=True, stdout=subprocess.DEVNULL)
        evaluated = json.loads((folder / "evaluation" / "results.json").read_text())
        predictions = [json.loads(line) for line in next((folder / "evaluation").glob("*.jsonl")).read_text().splitlines()]
        with served(options.program, options.model, "--greedy", "--name", "model") as (_, address):
            score, answers = lmms_eval(address, folder)
        differing = [(mine["answer"], theirs) for mine, theirs in zip(predictions, answers, strict=True) if mine["answer"].strip() != theirs.strip()]
        print(f"vlsi evaluate {evaluated['accuracy']:.4f}, lmms-eval {score:.4f}, {len(differing)} of {len(answers)} answers differ {differing[:5]}")
        assert abs(evaluated["accuracy"] - score) < 1e-12 and not differing


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares the scoring rules of profiles `vlmevalkit`, `official` and `vlsi` with the functions of their programs.

    tests/oracle/harness_verdicts.py --vlmevalkit DIR --mmmu DIR --mathvista DIR --phantom DIR --cambrian DIR \\
        --count 2000 --out /tmp/harness.jsonl --vlsi build/release/vlsi

Each DIR is a checkout (VLMEvalKit e8e78f05 with its history, MMMU bb0b95a9, MathVista 53d52587, Phantom aa618026,
Cambrian 539ffc32); what is not given is left out. The functions are taken out of the source files one by one, so that
nothing else of these programs is needed but numpy, pandas and Levenshtein. As in lmms_verdicts.py, the result is a file of
test vectors and a count of those that the program answers alike.
"""
import argparse
import ast
import copy
import os
import random
import re
import string
import subprocess
import sys
from typing import Dict, Optional

import drawn_replies as drawn
import lmms_verdicts
from lmms_verdicts import GUESS, choice_cases, lettered, mathvista_question


def functions_of(source, names, **more):
    """The named functions, classes and constants of a Python source, with what they need already imported."""
    scope = {"re": re, "string": string, "os": os, "cp": copy, "random": random, "Dict": Dict, "Optional": Optional, **more}
    for node in ast.parse(source).body:
        named = [node.name] if hasattr(node, "name") else [t.id for t in getattr(node, "targets", []) if hasattr(t, "id")]
        if any(name in names for name in named):
            exec(compile(ast.Module([node], []), "<source>", "exec"), scope)
    return scope


def read(folder, path):
    with open(os.path.join(folder, path)) as file:
        return file.read()


def vlmevalkit(folder):
    import numpy
    path = "vlmeval/utils/matching_util.py"
    git = ["git", "-C", folder, "show"]
    try:  # the file before the changes that the later matchers came with
        versions = {version: subprocess.run(git + [f"{commit}^:{path}"], check=True, stdout=subprocess.PIPE, text=True).stdout
                    for version, commit in {"2024": "c3371551", "2025-08": "a67ace50"}.items()}
    except subprocess.CalledProcessError:
        versions = {}
    versions["2026-06"] = read(folder, path)
    misc = functions_of(read(folder, "vlmeval/smp/misc.py"), ["process_punctuation", "istype"])
    vqa = functions_of(read(folder, "vlmeval/dataset/utils/vqa_eval.py"),
                       ["_process_digit_article", "relaxed_correctness", "levenshtein_distance", "anls_compute", "process_answer",
                        "process_line", "hit_calculate"], np=numpy, listinstr=lambda names, name: any(n in name for n in names), **misc)
    yes_no = functions_of(read(folder, "vlmeval/dataset/utils/yorn.py"), ["YOrN_Extraction"], **misc)
    matching = ["can_infer_option", "can_infer_text", "can_infer", "_VERBOSE_ANSWER_RE"]
    matchers = {version: functions_of(source, matching) for version, source in versions.items()}
    mathvista = functions_of(read(folder, "vlmeval/dataset/utils/mathvista.py"), ["list_to_dict", "post_check"],
                             can_infer=matchers["2026-06"]["can_infer"])

    def matcher(version):
        def case(rng):
            reply, options = choice_cases(rng)
            return {"prediction": reply, "choices": lettered(options)}, matchers[version]["can_infer"](reply, lettered(options)) or None
        return case

    def relaxed(rng):
        gold = drawn.number(rng) if rng.random() < 0.5 else drawn.number_reply(rng)
        reply = drawn.number_reply(rng)
        return {"gold": gold, "prediction": reply}, bool(vqa["relaxed_correctness"](gold, reply))

    def by_lines(method, dataset):
        def case(rng):
            golds = [drawn.text_reply(rng, drawn.GOLD_TEXTS[:6]) for _ in range(10)] if method == "vqa_score" else rng.sample(drawn.GOLD_TEXTS, 2)
            reply = drawn.text_reply(rng, golds)
            line = vqa["process_line"]({"answer": str(golds), "prediction": reply}, method)
            return {"gold": golds, "prediction": reply}, float(vqa["hit_calculate"]([line], dataset)[0])
        return case

    def post_check(rng):
        question_type, answer_type, choices, _, answer = mathvista_question(rng)
        reply = drawn.choice_reply(rng, choices) if choices else drawn.number_reply(rng)
        args = {"answer": answer, "answer_type": answer_type, "question_type": question_type, "prediction": reply, "res": reply,
                "prefetch": rng.random() < 0.5}
        if choices:
            args.update(choices=str(choices), answer_option=rng.choice("ABCD"))
        return args, mathvista["post_check"](args, args["prefetch"])

    def words(rng):
        reply = rng.choice([drawn.yes_no_reply, drawn.number_reply, lambda r: drawn.text_reply(r, drawn.GOLD_TEXTS)])(rng)
        return {"text": reply}, misc["process_punctuation"](reply)

    def yes_no_case(rng):
        reply = drawn.yes_no_reply(rng)
        return {"prediction": reply}, yes_no["YOrN_Extraction"](reply)

    return {**{f"vlmevalkit.can_infer@{version}": matcher(version) for version in versions},
            "vlmevalkit.YOrN_Extraction": yes_no_case, "vlmevalkit.process_punctuation": words,
            "vlmevalkit.relaxed_correctness": relaxed, "vlmevalkit.anls": by_lines("anls", "DocVQA"),
            "vlmevalkit.vqa_score": by_lines("vqa_score", "TextVQA"), "vlmevalkit.mathvista.post_check": post_check}


def mmmu(folder):
    import numpy
    names = ["parse_multi_choice_response", "check_is_number", "normalize_str", "extract_numbers", "parse_open_response", "eval_open"]

    class Guess:
        choice = staticmethod(lambda choices: GUESS)

    own = functions_of(read(folder, "mmmu/utils/eval_utils.py"), names, np=numpy, random=Guess)
    pro = functions_of(read(folder, "mmmu-pro/evaluate.py"), names, np=numpy, random=Guess)

    def choice(parse):
        def case(rng):
            reply, options = choice_cases(rng)
            return {"prediction": reply, "choices": lettered(options)}, parse(reply, list(lettered(options)), lettered(options))
        return case

    class Module:
        eval_open, parse_open_response = staticmethod(own["eval_open"]), staticmethod(own["parse_open_response"])

    def open_case(rng):
        args, out = lmms_verdicts.mmmu_open(Module)(rng)
        return args, bool(out["acc"])

    return {"official.mmmu.parse_multi_choice_response": choice(own["parse_multi_choice_response"]),
            "official.mmmu_pro.parse_multi_choice_response": choice(pro["parse_multi_choice_response"]), "official.mmmu.open": open_case}


def mathvista(folder):
    from Levenshtein import distance
    own = functions_of(read(folder, "evaluation/calculate_score.py"), ["get_most_similar", "normalize_extracted_answer", "safe_equal"],
                       distance=distance)

    class Evaluator:
        normalize_extracted_answer, safe_equal = staticmethod(own["normalize_extracted_answer"]), staticmethod(own["safe_equal"])

    return {"official.mathvista.normalize": lmms_verdicts.mathvista_normal(Evaluator)}


def phantom(folder):
    source = read(folder, "eval/utils.py")
    own = functions_of(source, ["convert_to_choice", "relaxed_correctness", "evaluate_relaxed_accuracy"])

    def to_choice(rng):
        reply, options = choice_cases(rng)
        return {"prediction": reply, "candidates": options}, own["convert_to_choice"](reply, options)

    def chartqa(rng):
        gold = rng.choice([drawn.number(rng), drawn.number_reply(rng), rng.sample(drawn.GOLD_TEXTS, 2)])
        reply = drawn.number_reply(rng)
        cut = reply.split(" ")[0] if any(c.isdigit() for c in reply) else reply
        return {"gold": gold, "prediction": reply}, float(own["evaluate_relaxed_accuracy"]([{"answer": cut, "annotation": gold}]))

    return {"vlsi.qbench.convert_to_choice": to_choice, "vlsi.chartqa": chartqa}


def cambrian(folder):
    own = functions_of(read(folder, "eval/eval/coco/coco_test.py"), ["extract_mcq_answer"])
    if "extract_mcq_answer" not in own:
        own = functions_of(read(folder, "eval/eval/ade/ade_test.py"), ["extract_mcq_answer"])
    return {"official.cvbench": lmms_verdicts.letter(own["extract_mcq_answer"])}


def functions(*rest):
    parser = argparse.ArgumentParser()
    programs = {"vlmevalkit": vlmevalkit, "mmmu": mmmu, "mathvista": mathvista, "phantom": phantom, "cambrian": cambrian}
    for name in programs:
        parser.add_argument("--" + name)
    folders = vars(parser.parse_args(rest))
    cases = {}
    for name, program in programs.items():
        if folders[name]:
            cases.update(program(folders[name]))
    if not cases:
        sys.exit("give the folder of one program at least")
    return cases


if __name__ == "__main__":
    lmms_verdicts.main(functions)

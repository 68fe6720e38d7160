#!/usr/bin/env python3
"""Compares the scoring rules of profile `lmms` with those of lmms-eval itself.

Needs lmms-eval 0.7.3 (pip install --no-deps lmms-eval==0.7.3, and what its tasks import: numpy pandas pyyaml loguru tqdm
requests python-dotenv pytz sacrebleu Levenshtein tenacity openai pillow scikit-learn evaluate torch).

    tests/oracle/lmms_verdicts.py --count 20000 --out /tmp/lmms.jsonl --vlsi build/release/vlsi

draws replies with a seed, asks lmms-eval's functions, writes test vectors {fn, args, out}, and has `vlsi evaluate
--vectors` say how many it answers alike, function by function. The functions of 75571cfe that 0.7.3 changed (BLINK's
letter, MMMU's open questions) are compared under their names with "@0.7.3".
"""
import argparse
import json
import os
import random
import subprocess
import tempfile

import drawn_replies as drawn

os.environ.setdefault("OPENAI_API_KEY", "none")

GUESS = "__RANDOM__"


def choice_cases(rng):
    options = rng.choice(drawn.OPTIONS)
    return drawn.choice_reply(rng, options), options


def lettered(options):
    return {chr(ord("A") + i): text for i, text in enumerate(options)}


def mmmu_choice(module):
    def case(rng):
        reply, options = choice_cases(rng)
        original, module.random.choice = module.random.choice, lambda choices: GUESS
        try:
            out = module.parse_mmmu_multi_choice_response(reply, list(lettered(options)), lettered(options))
        finally:
            module.random.choice = original
        return {"prediction": reply, "choices": lettered(options)}, out
    return case


def mmmu_open(module):
    def case(rng):
        gold = rng.choice([drawn.number(rng), rng.choice(drawn.GOLD_TEXTS), rng.choice("ABCx"), "",
                           [rng.choice(drawn.GOLD_TEXTS), drawn.number(rng)], str(rng.randint(0, 30) * 1000)])
        golds = gold if isinstance(gold, list) else [gold]
        reply = rng.choice([drawn.number_reply(rng), "The answer is " + drawn.text_reply(rng, golds), drawn.text_reply(rng, golds),
                            drawn.choice_reply(rng, drawn.OPTIONS[1])])
        right = module.eval_open(gold, module.parse_open_response(reply))
        return {"prediction": reply, "gold": gold}, {"acc": float(right)}
    return case


def letter(function, **more):
    def case(rng):
        reply = rng.choice([choice_cases(rng)[0], drawn.any_reply(rng)])
        return {"prediction": reply, **more}, function(reply)
    return case


def blink(function):
    def case(rng):
        num_options = rng.randint(2, 5)
        reply = rng.choice([choice_cases(rng)[0], drawn.any_reply(rng)])
        return {"prediction": reply, "num_options": num_options}, function(reply, "ABCDE"[:num_options])
    return case


def mmbench(evaluator):
    def case(rng):
        options = [text for text in rng.choice(drawn.OPTIONS)][:4]
        reply = drawn.choice_reply(rng, options).strip()
        out = evaluator.can_infer(reply, lettered(options))
        return {"prediction": reply, "choices": lettered(options)}, out or None
    return case


def score_of(process, gold, reply, key, **document):
    """The one number of a task's process_results."""
    return float(process({"answer": gold, **document}, [reply])[key])


def mathvista_question(rng):
    kind = rng.choice(["choice", "integer", "float", "list"])
    if kind == "choice":
        choices = rng.choice(drawn.OPTIONS)
        return "multi_choice", "text", choices, None, rng.choice(choices)
    answer = {"integer": str(rng.randint(0, 30)), "float": drawn.number(rng), "list": "[1, 2]"}[kind]
    precision = rng.choice([1, 2, 1.0, 2.0]) if kind == "float" else None
    return "free_form", kind, None, precision, answer


def mathvista_normal(evaluator):
    def case(rng):
        question_type, answer_type, choices, precision, gold = mathvista_question(rng)
        reply = drawn.choice_reply(rng, choices) if choices else drawn.number_reply(rng)
        normal = evaluator.normalize_extracted_answer(reply, choices, question_type, answer_type, precision)
        args = {"extraction": reply, "choices": choices, "question_type": question_type, "answer_type": answer_type,
                "precision": precision, "precision_is_float": isinstance(precision, float), "gold": gold}
        return args, {"normalized": normal, "correct": evaluator.safe_equal(normal, gold)}
    return case


def mathvista_extraction(evaluator):
    def case(rng):
        question_type, answer_type, choices, _, _ = mathvista_question(rng)
        reply = drawn.choice_reply(rng, choices) if choices else drawn.number_reply(rng)
        problem = {"question_type": question_type, "answer_type": answer_type, "choices": choices, "query": ""}
        evaluator.get_chat_response = lambda *args, **kwargs: "__JUDGE__"
        out = evaluator.extract_answer(reply, problem)
        return {"response": reply, "question_type": question_type, "answer_type": answer_type, "choices": choices}, out
    return case


def functions():
    from lmms_eval.api import metrics
    from lmms_eval.tasks._task_utils import mcq_extract, mmmu_mcq_utils
    from lmms_eval.tasks.ai2d import utils as ai2d
    from lmms_eval.tasks.blink import utils as blink_task
    from lmms_eval.tasks.chartqa import utils as chartqa
    from lmms_eval.tasks.cv_bench import utils as cv_bench
    from lmms_eval.tasks.llava_wilder import utils as wilder
    from lmms_eval.tasks.mathvista.mathvista_evals import MathVistaEvaluator
    from lmms_eval.tasks.mmbench.mmbench_evals import MMBench_Evaluator
    from lmms_eval.tasks.mme import utils as mme
    from lmms_eval.tasks.mmmu import utils as mmmu
    from lmms_eval.tasks.ocrbench import utils as ocrbench
    from lmms_eval.tasks.pope import utils as pope
    from lmms_eval.tasks.qbench import utils as qbench
    from lmms_eval.tasks.realworldqa import utils as realworldqa
    from lmms_eval.tasks.scienceqa import utils as scienceqa
    from lmms_eval.tasks.seedbench_2_plus import utils as seed
    from lmms_eval.tasks.textvqa import utils as textvqa

    qbench.parse_mmmu_multi_choice_response = qbench.parse_multi_choice_response
    ai2d_filter = ai2d.MultiChoiceRegexFilter()

    def relaxed(rng):
        gold, reply = drawn.number_reply(rng), drawn.number_reply(rng)
        if rng.random() < 0.5:
            gold = drawn.number(rng)
            reply = rng.choice([gold, str(float(gold) * rng.choice([0.95, 1.05, 1.04, 0.951, 1.0501])), gold + "%"])
        return {"gold": gold, "prediction": reply}, bool(chartqa.relaxed_correctness(reply, gold))

    def anls(rng):
        golds = rng.sample(drawn.GOLD_TEXTS, rng.randint(1, 3))
        reply = drawn.text_reply(rng, golds)
        return {"gold": golds, "prediction": reply}, metrics.anls(references=golds, predictions=[reply])

    def text_vqa(rng):
        golds = [drawn.text_reply(rng, drawn.GOLD_TEXTS[:3] + ["ten", "10"]) for _ in range(10)]
        reply = drawn.text_reply(rng, golds)
        document = {"answers": list(golds), "question_id": 0}
        return {"gold": golds, "prediction": reply}, float(textvqa.textvqa_process_results(document, [reply])["exact_match"])

    def ai2d_case(rng):
        gold, (reply, _) = rng.choice("ABCD"), choice_cases(rng)
        answer = ai2d_filter.apply([[reply]], [{}])
        match = metrics.exact_match_fn(predictions=answer, references=[gold], ignore_case=True, ignore_punctuation=True)
        return {"prediction": reply, "gold": gold}, float(match["exact_match"])

    def pope_case(rng):
        gold, reply = rng.choice(["yes", "no"]), drawn.yes_no_reply(rng)
        return ({"prediction": reply, "gold": gold},
                pope.pope_process_results({"answer": gold, "question_id": 0}, [reply])["pope_accuracy"]["score"])

    def seed_case(rng):
        gold, (reply, _) = rng.choice("ABCD"), choice_cases(rng)
        one = seed.seed_process_result({"answer": gold, "question_image_type": "chart", "question_id": 0}, [reply])
        return {"prediction": reply, "gold": gold}, float(seed.seed_aggregation_result([one["seedbench_2_plus_all"]]))

    def ocr_case(rng):
        formula, golds = rng.random() < 0.3, rng.sample(drawn.GOLD_TEXTS, rng.randint(1, 2))
        reply = drawn.words(rng, 3) + " " + drawn.text_reply(rng, golds) + " " + drawn.words(rng, 3)
        document = {"answer": golds, "dataset": "HME100k" if formula else "IIIT5K", "question_type": ""}
        return ({"prediction": reply, "gold": golds, "formula": formula},
                float(ocrbench.ocrbench_process_results(document, [reply])["ocrbench_accuracy"]["score"]))

    def real_case(rng):
        gold = rng.choice(["A", "B", "C", "d", "0", "Downhill", " A "])
        reply = rng.choice([choice_cases(rng)[0], drawn.text_reply(rng, ["0", "Downhill", "downhill."])])
        return {"prediction": reply, "gold": gold}, score_of(realworldqa.realworldqa_process_results, gold, reply, "exact_match")

    def science_case(rng):
        reply, options = choice_cases(rng)
        gold = rng.randrange(len(options))
        return ({"prediction": reply, "gold": "ABCDE"[gold]},
                score_of(scienceqa.sqa_process_results, gold, reply, "exact_match", choices=options))

    def ranked(rng):
        letters = ["A", "B", "C", "D", "E"][:rng.randint(2, 5)]
        reply = choice_cases(rng)[0]
        return {"prediction": reply, "choices": letters}, mcq_extract.extract_mcq_answer(reply, letters)

    def wilder_case(rng):
        scores = rng.choice(["{} {}", "{},{}", "{}, {}", "{}  {}", "{} {} ", "{}", "{} {}\nwhy"]).format(drawn.number(rng), drawn.number_reply(rng))
        review = drawn.mutate(rng, scores)
        return {"review": review}, wilder.parse_score(review)

    evaluator = MathVistaEvaluator()
    return {
        "lmms.chartqa.relaxed_correctness": relaxed,
        "lmms.anls": anls,
        "lmms.textvqa": text_vqa,
        "lmms.pope.score": pope_case,
        "lmms.mme.parse_pred_ans": lambda rng: (lambda reply: ({"prediction": reply}, mme.parse_pred_ans(reply)))(drawn.yes_no_reply(rng)),
        "lmms.mmmu.parse_multi_choice_response": mmmu_choice(mmmu_mcq_utils),
        "lmms.qbench.parse_multi_choice_response": mmmu_choice(qbench),
        "lmms.mmmu.open@0.7.3": mmmu_open(mmmu),
        "lmms.cv_bench._extract_answer_letter": letter(cv_bench._extract_answer_letter),
        "lmms.blink._extract_answer_letter@0.7.3": blink(blink_task._extract_answer_letter),
        "lmms.extract_mcq_answer": ranked,
        "lmms.seedbench_2_plus.score": seed_case,
        "lmms.ai2d.exact_match": ai2d_case,
        "lmms.mmbench.can_infer": mmbench(MMBench_Evaluator()),
        "lmms.mathvista.normalize": mathvista_normal(evaluator),
        "lmms.mathvista.extract_answer": mathvista_extraction(evaluator),
        "lmms.llava_wilder.parse_score": wilder_case,
        "lmms.ocrbench": ocr_case,
        "lmms.realworldqa": real_case,
        "lmms.scienceqa": science_case,
    }


def compare(vlsi, path):
    """How many vectors of each function the program answers alike; the first few that it does not."""
    lines = subprocess.run([vlsi, "evaluate", "--vectors", path], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    counts, shown = {}, 0
    for vector, line in zip(open(path), lines):
        vector, answer = json.loads(vector), json.loads(line)
        count = counts.setdefault(vector["fn"], [0, 0])
        count[0] += answer["same"]
        count[1] += 1
        if not answer["same"] and shown < 40:
            shown += 1
            print("differs:", json.dumps(vector, ensure_ascii=False), "is", json.dumps(answer["out"], ensure_ascii=False))
    for name, (same, total) in counts.items():
        print(f"{name:50} {same:6} of {total}")


def write_vectors(cases, count, seed, path):
    with open(path, "w") as file:
        for name, case in cases.items():
            rng = random.Random(f"{seed} {name}")
            for _ in range(count):
                args, out = case(rng)
                try:
                    line = json.dumps({"fn": name, "args": args, "out": out}, ensure_ascii=False, allow_nan=False)
                except ValueError:
                    continue  # JSON has no nan and no infinity
                file.write(line + "\n")


def main(cases):
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000, help="vectors of each function")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "verdicts.jsonl"))
    parser.add_argument("--vlsi", help="the program, to compare with")
    options, rest = parser.parse_known_args()
    write_vectors(cases(*rest), options.count, options.seed, options.out)
    if options.vlsi:
        compare(options.vlsi, options.out)


if __name__ == "__main__":
    main(functions)
